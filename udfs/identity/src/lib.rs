//! Gives payloads back as they are: the least that a function can do, and so the cost of all the rest.

/// Gives the payload back.
#[flink_wasm::map]
pub fn identity(payload: &[u8]) -> &[u8] {
    payload
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink_wasm::testing::{TestContext, batch, run_map};

    #[test]
    fn nothing_changes() {
        let rows = batch([&b"one"[..], b"", b"\xff\x00"]);
        let mapped = run_map::<identity>("{}", &rows, &TestContext::new()).expect("no parameters");
        assert_eq!((mapped.rows, mapped.origin, mapped.failures), (rows, vec![0, 1, 2], vec![]));
    }
}
