//! Misbehaves on command, so that tests can show that the sandbox holds. Rows of an unknown mode are given back as they are.

use flink_wasm::prelude::*;

/// What to do.
#[derive(Clone, Debug, PartialEq, Row)]
pub struct Command<'a> {
    /// `loop`, `allocate`, `grow`, `overflow`, `panic`, `index`, `error`, `log`, `metrics` or `output`; anything else is
    /// harmless.
    pub mode: &'a str,
    /// How much of it.
    pub value: i64,
}

/// What is left to say.
#[derive(Debug, PartialEq, Row)]
pub struct Answer {
    /// As it came, or as long as was asked.
    pub mode: String,
    /// As it came.
    pub value: i64,
}

/// Loops, allocates, overflows the stack, panics, fails or floods, as the row says.
#[flink_wasm::map]
pub fn hostile(command: Command<'_>, context: &Context) -> Result<Answer, String> {
    let Command { mode, value } = command;
    let count = value.max(0) as usize;
    let mut answer = Answer { mode: mode.into(), value };
    match mode {
        "loop" => spin(),
        // One request that no memory limit can grant.
        "allocate" => {
            answer.value =
                std::hint::black_box(Vec::<u8>::with_capacity(u32::MAX as usize / 2)).capacity() as i64
        }
        // Many small requests, until the limit is met.
        "grow" => grow(),
        "overflow" => answer.value = recurse(u64::MAX - 1) as i64,
        "panic" => panic!("told to panic with {value}"),
        "index" => answer.value = i64::from([1_u8, 2, 3][count]),
        "error" => return Err(format!("told to fail with {value}")),
        "log" => (0..count).for_each(|line| context.info(format_args!("line {line} of {count}"))),
        "metrics" => (0..count).for_each(|name| context.counter_add(&format!("counter-{name}"), 1)),
        "output" => answer.mode = "x".repeat(count),
        _ => {}
    }
    Ok(answer)
}

/// Never comes back. The black box keeps the compiler from knowing.
fn spin() {
    while std::hint::black_box(true) {}
}

fn grow() {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    while std::hint::black_box(true) {
        kept.push(vec![1; 1 << 20]);
    }
}

/// Needs a frame for every step. Not a tail call, since the sum comes after it.
fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    if depth == 0 { frame[0] } else { recurse(depth - 1).wrapping_add(frame[63]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink_wasm::testing::TestContext;

    #[test]
    fn an_unknown_mode_is_harmless() {
        let command = Command { mode: "echo", value: 7 };
        assert_eq!(hostile(command, &TestContext::new()), Ok(Answer { mode: "echo".into(), value: 7 }));
    }

    #[test]
    fn errors_logs_metrics_and_output_are_as_large_as_told() {
        let context = TestContext::new();
        let run = |mode, value| hostile(Command { mode, value }, &context);
        assert_eq!(run("error", 3), Err("told to fail with 3".into()));
        assert!(run("log", 1000).is_ok() && run("metrics", 5).is_ok());
        assert_eq!((context.logs().len(), context.counter("counter-4")), (1000, 1));
        assert_eq!(run("output", 12).map(|answer| answer.mode.len()), Ok(12));
    }

    #[test]
    #[should_panic(expected = "told to panic with 1")]
    fn panics_when_told() {
        let _ = hostile(Command { mode: "panic", value: 1 }, &TestContext::new());
    }
}
