//! What was asked for goes to standard output, which `run` leaves to its command.

use std::io::{ErrorKind, Write, stdout};

use super::os_error;

/// Prints a text that was asked for.
///
/// # Errors
/// What people are told when it is not all written.
pub(super) fn print(text: &str) -> Result<(), String> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // `| head` has read as much as it wanted.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(format!(
            "standard output could not be written: {}; write it elsewhere",
            os_error(&error)
        )),
        _ => Ok(()),
    }
}
