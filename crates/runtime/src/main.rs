//! The program `tidegate-runtime`.
fn main() {}
