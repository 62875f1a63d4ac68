//! The binary: everything is in the library.

use leasectl::cli::{self, exit::Exit};

fn main() {
    let code = match cli::main(std::env::args_os()) {
        Exit::Code(code) => code,
        Exit::Signal(signal) => {
            leasectl::process::die_of(signal);
            // Still here: PID 1 of a namespace cannot die of a signal that it sends itself.
            128 + signal
        }
    };
    std::process::exit(code);
}
