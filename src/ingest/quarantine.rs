//! Looks at what was set aside.
