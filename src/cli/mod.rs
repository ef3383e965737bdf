//! The verbs a person types.

pub mod query;
