//! Settles.
