//! Runs a component in the harness.
