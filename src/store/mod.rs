//! The stores: one folder each, and the URL that chooses one.
//!
//! A new store is a folder copied from `memory/`, one line in `registry.rs`, one row in the table of
//! `tests/it/conformance/` and one row in the documentation.

#[cfg(feature = "azblob")]
pub mod azblob;
#[cfg(feature = "file")]
pub mod file;
#[cfg(feature = "memory")]
pub mod memory;
pub mod options;
#[cfg(feature = "redis")]
pub mod redis;
pub mod url;
