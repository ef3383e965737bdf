//! ashiato (足跡, footprints): who did what, when, from where, in an AWS organisation.
//!
//! Two trails over one lake. The writing trail (`ingest`) carries objects of the
//! log archive into Parquet; the reading trail (`query`) asks. They meet in
//! `lake` and never name each other. `derive` keeps, beside the events, what makes answers fast.

pub mod cpu;
pub mod aws;
pub mod ocsf;
pub mod intel;
pub mod lake;
pub mod ingest;
pub mod query;
pub mod derive;
pub mod investigate;
pub mod detect;
pub mod demo;
pub mod config;
pub mod cli;
