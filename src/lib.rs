//! Runs a command only while this machine holds a named lease, and stops the whole command before
//! the lease can belong to anyone else.
//!
//! The code stands on floors. A file imports its own folder and strictly lower floors, never
//! sideways, never up; `tests/it/repository/floors.rs` enforces it.
//!
//! | floor | what | |
//! |---|---|---|
//! | 7 | `main.rs`, `fuzzing/targets/` | |
//! | 6 | `cli/` | what was typed, what is printed, which number we exit with |
//! | 5 | `commands/` | one verb, one file; the only place where the parts meet |
//! | 4 | `registry.rs` | URL scheme to opened store; the only file that names every store |
//! | 3 | `store/<kind>/` | one folder per store; stores never import each other |
//! | 2 | `supervisor/`, `keeper.rs`, `process/`, `notices/`, `store/url.rs` | mutually blind |
//! | 1 | `lease/`, `store/options.rs`, `fuzzing/checks.rs` | names, claims, holds, tenure, tokens, records, errors, the trait |
//! | 0 | `clock.rs`, `file_system.rs`, `letters.rs`, `mutant.rs`, `run_id.rs`, `secret.rs` | |

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
compile_error!(
    "leasectl needs Linux on x86-64 or arm64: it stands on subreapers, pidfds, boot-clock timers \
     and open file description locks, which exist nowhere else"
);

#[cfg(all(feature = "fuzzing", not(debug_assertions)))]
compile_error!("the feature `fuzzing` opens what is private and is never built for release");

pub mod cli;
pub mod clock;
pub mod commands;
pub mod file_system;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod keeper;
pub mod lease;
mod letters;
mod mutant;
pub mod notices;
pub mod process;
pub mod registry;
pub mod run_id;
pub mod secret;
pub mod store;
pub mod supervisor;
