//! The binary: everything is in the library.

use leasectl::cli::{self, exit::Exit};

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() {
    let exit = cli::main(std::env::args_os());
    if let Exit::Signal(signal) = exit {
        leasectl::process::die_of(signal);
        // Still here: PID 1 of a namespace cannot die of a signal that it sends itself.
    }
    std::process::exit(exit.number());
}
