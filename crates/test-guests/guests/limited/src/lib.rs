//! A map whose rows may need permits of the rate limiter `api`; or refuse, or trap.

use flink_wasm::Failure;
use flink_wasm::prelude::*;

#[derive(Row)]
pub struct Request<'a> {
    pub mode: &'a str,
    pub permits: i32,
}

#[derive(Row)]
pub struct Answer<'a> {
    pub mode: &'a str,
    pub permits: i32,
}

#[flink_wasm::map]
pub fn limited<'a>(request: Request<'a>, context: &Context) -> Result<Answer<'a>, Failure> {
    let Request { mode, permits } = request;
    context.counter_add("asked", 1);
    if permits > 0 && !context.rate_limiter("api").try_acquire(permits as u32) {
        return Err(Transient("no permits").into());
    }
    match mode {
        "error" => Err("told to fail".into()),
        "panic" => panic!("told to panic"),
        _ => Ok(Answer { mode, permits }),
    }
}
