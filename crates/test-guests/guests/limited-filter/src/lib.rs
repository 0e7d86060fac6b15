//! A filter of rows whose mode is `keep`. They may need permits of the rate limiter `api`; or refuse, or trap.

use flink_wasm::Failure;
use flink_wasm::prelude::*;

#[derive(Row)]
pub struct Request<'a> {
    pub mode: &'a str,
    pub permits: i32,
}

#[flink_wasm::filter]
pub fn limited_filter(request: Request<'_>, context: &Context) -> Result<bool, Failure> {
    if request.permits > 0 && !context.rate_limiter("api").try_acquire(request.permits as u32) {
        return Err(Transient("no permits").into());
    }
    match request.mode {
        "error" => Err("told to fail".into()),
        "panic" => panic!("told to panic"),
        mode => Ok(mode == "keep"),
    }
}
