//! The terminal: on standard error, whether a line may be drawn there in place, and how wide it is; on
//! standard output, whether a whole screen may be.
//!
//! Nothing is written here.

use std::env;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use nix::unistd::{getpgrp, tcgetpgrp};

/// What is assumed of a terminal that does not say.
const USUAL_COLUMNS: usize = 80;

/// Whether it is a terminal that can go back to the start of a line and erase it.
pub(super) fn can_draw() -> bool {
    can_move() && io::stderr().is_terminal()
}

/// Whether terminals can move their cursor.
pub(super) fn can_move() -> bool {
    let term = env::var_os("TERM").unwrap_or_default();
    !term.is_empty() && term != "dumb"
}

/// Columns and rows of the window that this is written to; `None` where it is no terminal.
pub(super) fn window_of(out: &(impl AsFd + IsTerminal)) -> Option<(u16, u16)> {
    const USUAL: (u16, u16) = (80, 24);
    if !out.is_terminal() {
        return None;
    }
    let size = terminal_size::terminal_size_of(out);
    let (columns, rows) = size.map_or(USUAL, |(columns, rows)| (columns.0, rows.0));
    // A serial line, and a terminal that nobody has set up, say 0.
    let or = |said: u16, usual: u16| if said == 0 { usual } else { said };
    Some((or(columns, USUAL.0), or(rows, USUAL.1)))
}

/// Whether we are in the foreground of this terminal.
pub(super) fn is_ours(out: &impl AsFd) -> bool {
    tcgetpgrp(out.as_fd()) == Ok(getpgrp())
}

/// How many columns it has; `None` while we are not in its foreground: what is on its last line then, and
/// where its cursor stands, is another's business.
pub(super) fn columns() -> Option<usize> {
    let stderr = io::stderr();
    if !is_ours(&stderr) {
        return None;
    }
    let size = terminal_size::terminal_size_of(&stderr);
    Some(size.map_or(USUAL_COLUMNS, |(width, _)| usize::from(width.0)))
}
