//! leasectl on a real terminal: what a person does there behaves as without leasectl.
//!
//! The terminals are python's: `session.py` has them, and the other files the scenarios, by subject. Most
//! are run from each of the three shells, in a lab of their own; those that are marked `as_without` are
//! run twice, with env(1) in leasectl's place first, and have to see the same.

mod scenarios;

pub(crate) use scenarios::trials;
