//! The terminal on standard error: whether a line may be drawn there in place, and how wide it is.
//!
//! Nothing is written here.

use std::env;
use std::io::{self, IsTerminal};

use nix::unistd::{getpgrp, tcgetpgrp};

/// What is assumed of a terminal that does not say.
const USUAL_COLUMNS: usize = 80;

/// Whether it is a terminal that can go back to the start of a line and erase it.
pub(super) fn can_draw() -> bool {
    let term = env::var_os("TERM").unwrap_or_default();
    !term.is_empty() && term != "dumb" && io::stderr().is_terminal()
}

/// How many columns it has; `None` while we are not in its foreground: what is on its last line then, and
/// where its cursor stands, is another's business.
pub(super) fn columns() -> Option<usize> {
    let stderr = io::stderr();
    if tcgetpgrp(&stderr) != Ok(getpgrp()) {
        return None;
    }
    let size = terminal_size::terminal_size_of(&stderr);
    Some(size.map_or(USUAL_COLUMNS, |(width, _)| usize::from(width.0)))
}
