//! Starts ashiato.
fn main() {}
