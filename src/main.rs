//! The `weirkeeper` binary.

fn main() {}
