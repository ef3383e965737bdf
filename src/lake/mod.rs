//! The lake: which tables it has, where their files lie, what is visible.
//!
//! `table`, `derived` and `path` are the layout, `store` and `bucket` open a folder or bucket,
//! `catalog` is the one source of truth about what has been read and what can
//! be seen, and `settle` brings recent files into the Security Lake layout.
//! Neither reading nor writing trail is known here: they meet in the lake.

pub mod table;
pub mod derived;
pub mod path;
pub mod parquet;
pub mod bucket;
pub mod store;
pub mod catalog;
pub mod elected;
pub mod settle;

pub use catalog::Catalog;
pub use store::Lake;
pub use table::Table;
