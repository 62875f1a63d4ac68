//! The kernel's way of saying no.

use std::io;

/// Turns the kernel's "-1 and errno" into a `Result`.
pub(super) fn check(answer: libc::c_int) -> io::Result<libc::c_int> {
    if answer < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(answer)
    }
}
