//! The reading trail over a small lake in a temporary folder.

mod lake;
mod reading;
mod asking;
mod athena;
mod intel;
mod long;
