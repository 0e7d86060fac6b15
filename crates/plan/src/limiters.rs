//! Checks rate limiters. The sidecar keeps one bucket for each name of a job, so functions that name the same one must mean
//! the same.

use std::collections::BTreeMap;

use flink_wasm_diagnostic::{Code, Diagnostic};
use flink_wasm_ir::{
    JobDefinition, MAX_LIMITER_NAME_BYTES, MAX_LIMITER_TIERS, MAX_RATE_LIMITERS, RateLimiter,
};

use crate::check::function_pointer;

/// What is wrong with the rate limiters of one function.
pub(crate) fn check(function: &str, pointer: &str, limiters: &[RateLimiter], problems: &mut Vec<Diagnostic>) {
    let pointer = format!("{pointer}/rateLimiters");
    if limiters.len() > MAX_RATE_LIMITERS {
        let message = format!(
            "function `{function}` has {} rate limiters; at most {MAX_RATE_LIMITERS} are taken",
            limiters.len()
        );
        problems.push(Diagnostic::new(Code::BadParameters, message).pointer(&pointer));
    }
    let mut names = Vec::new();
    for (index, limiter) in limiters.iter().enumerate() {
        let pointer = format!("{pointer}/{index}");
        bucket(&pointer, &limiter.name, limiter.rate, limiter.burst, &mut names, problems);
        let tiers = limiter.tiers.as_deref().unwrap_or_default();
        if tiers.len() > MAX_LIMITER_TIERS {
            let message = format!(
                "rate limiter `{}` has {} tiers; at most {MAX_LIMITER_TIERS} are taken",
                limiter.name,
                tiers.len()
            );
            problems.push(Diagnostic::new(Code::BadParameters, message).pointer(format!("{pointer}/tiers")));
        }
        let mut tier_names = Vec::new();
        for (index, tier) in tiers.iter().enumerate() {
            let pointer = format!("{pointer}/tiers/{index}");
            bucket(&pointer, &tier.name, tier.rate, tier.burst, &mut tier_names, problems);
        }
    }
}

fn bucket<'a>(
    pointer: &str,
    name: &'a str,
    rate: f64,
    burst: u32,
    names: &mut Vec<&'a str>,
    problems: &mut Vec<Diagnostic>,
) {
    let mut bad = |property: &str, message: String| {
        problems.push(Diagnostic::new(Code::BadParameters, message).pointer(format!("{pointer}/{property}")));
    };
    if name.trim().is_empty() {
        bad("name", "a rate limiter has no name".into());
    } else if name.len() > MAX_LIMITER_NAME_BYTES {
        let bytes = name.len();
        bad("name", format!("the name has {bytes} bytes; at most {MAX_LIMITER_NAME_BYTES} are taken"));
    } else if names.contains(&name) {
        bad("name", format!("two rate limiters are called `{name}`"));
    }
    names.push(name);
    if !(rate.is_finite() && rate > 0.0) {
        bad("rate", format!("`rate` of `{name}` is {rate}; it must be permits a second, above 0"));
    }
    if burst == 0 {
        bad("burst", format!("`burst` of `{name}` is 0; it must be at least 1, or nothing is ever granted"));
    }
}

/// Limiters of one name that differ between functions.
pub(crate) fn check_shared(job: &JobDefinition, problems: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<&str, (&str, &RateLimiter)> = BTreeMap::new();
    for (function, declared) in &job.functions {
        for (index, limiter) in declared.rate_limiters.iter().flatten().enumerate() {
            let (first, other) = *seen.entry(&limiter.name).or_insert((function, limiter));
            if first != function && other != limiter {
                let message = format!(
                    "functions `{first}` and `{function}` declare rate limiter `{}` differently",
                    limiter.name
                );
                problems.push(
                    Diagnostic::new(Code::BadParameters, message)
                        .pointer(format!("{}/rateLimiters/{index}", function_pointer(function)))
                        .note("rate limiters of one name share one bucket")
                        .help("declare the same, or give one of them another name"),
                );
            }
        }
    }
}
