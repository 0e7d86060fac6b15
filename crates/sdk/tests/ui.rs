//! What authors read when a function is wrong. `TRYBUILD=overwrite` writes the expected messages anew.

#[test]
fn messages_say_what_to_do() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
