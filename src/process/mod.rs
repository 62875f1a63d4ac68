//! Processes of this machine, and how to tell one from another.

pub mod identity;
