//! The figures of the spine.
fn main() {}
