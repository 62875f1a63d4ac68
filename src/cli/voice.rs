//! How leasectl speaks on standard error: lines for people, or the same as events of kind `log`
//! (`--log-format json`). Nothing here may wait or fail: a full pipe costs a line, never a renewal.

use std::time::Duration;

use super::terminal;
use crate::commands::events::{Heading, LogLevel, Stream};
use crate::lease::FencingToken;
use crate::process::Outlet;

/// A last word may be waited for this long: nothing runs any more, and it is the one that counts.
const PATIENCE: Duration = Duration::from_millis(500);

/// The way to say a line.
#[derive(Debug)]
pub(super) struct Voice {
    /// Nothing that matters less is said.
    loudest: LogLevel,
    way: Way,
    /// There is a drawing on the terminal's last line.
    drawn: bool,
}

/// Goes to the start of the line and takes away what is there.
const ERASE: &str = "\r\x1b[K";

#[derive(Debug)]
enum Way {
    /// Opened with the first line: most runs have nothing to say.
    Text(Option<Outlet>),
    Json(Stream),
}

impl Voice {
    /// Lines for people.
    pub(super) const fn text(loudest: LogLevel) -> Self {
        Self {
            loudest,
            way: Way::Text(None),
            drawn: false,
        }
    }

    /// Events of kind `log`.
    pub(super) fn json(loudest: LogLevel, heading: Heading) -> Self {
        let stream = Stream::new(heading, Outlet::stderr().ok());
        Self {
            loudest,
            way: Way::Json(stream),
            drawn: false,
        }
    }

    /// Says a line, unless it does not matter enough. A pipe that is full, or a terminal that was
    /// stopped, loses it.
    pub(super) fn say(&mut self, level: LogLevel, text: &str) {
        if level > self.loudest {
            return;
        }
        match &mut self.way {
            Way::Text(outlet) => {
                if let Some(outlet) = opened(outlet) {
                    let erase = if self.drawn { ERASE } else { "" };
                    let said = outlet.put(&format!("{erase}{}", for_people(text)));
                    self.drawn &= said.is_err();
                }
            }
            Way::Json(stream) => stream.log(level, text),
        }
    }

    /// Whether a line that matters so much is said.
    pub(super) fn says(&self, level: LogLevel) -> bool {
        level <= self.loudest
    }

    /// Whether there is a terminal to draw on. Programs that read events read no drawings.
    pub(super) fn can_draw(&self) -> bool {
        matches!(self.way, Way::Text(_)) && terminal::can_draw()
    }

    /// Draws a line in place of the one that was drawn before. The cursor waits at its start, so that
    /// what a key leaves there (`^C`) is written over, and not behind it.
    ///
    /// `afresh`: what was drawn before may have been broken into several lines by a window that became
    /// narrow; what is below goes, too.
    pub(super) fn draw(&mut self, text: &str, afresh: bool) {
        if let Way::Text(outlet) = &mut self.way
            && let Some(outlet) = opened(outlet)
        {
            let before = if afresh { "\r\x1b[J" } else { "\r" };
            self.drawn |= outlet.draw(&format!("{before}{text}\x1b[K\r"));
        }
    }

    /// Takes the drawing away, so that the line is empty and the cursor at its start.
    pub(super) fn erase(&mut self) {
        if std::mem::take(&mut self.drawn)
            && let Way::Text(Some(outlet)) = &mut self.way
        {
            outlet.draw(ERASE);
        }
    }

    /// The line belongs to somebody else by now: what was drawn there is not to be touched.
    pub(super) const fn leave_the_drawing(&mut self) {
        self.drawn = false;
    }

    /// Says the last word, or one before anything has begun; for that it waits a little.
    pub(super) fn last_word(&mut self, level: LogLevel, text: &str) {
        let outlet = match &mut self.way {
            Way::Text(outlet) => opened(outlet).map(|outlet| &*outlet),
            Way::Json(stream) => stream.outlet(),
        };
        if outlet.is_some_and(|outlet| outlet.is_ready(PATIENCE)) {
            self.say(level, text);
        }
    }

    /// The store's label is known now.
    pub(super) fn in_store(&mut self, label: &str) {
        if let Way::Json(stream) = &mut self.way {
            stream.in_store(label);
        }
    }

    /// The lease is ours, under this token, or no longer.
    pub(super) const fn under(&mut self, token: Option<FencingToken>) {
        if let Way::Json(stream) = &mut self.way {
            stream.under(token);
        }
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        self.erase();
    }
}

fn opened(outlet: &mut Option<Outlet>) -> Option<&mut Outlet> {
    if outlet.is_none() {
        *outlet = Outlet::stderr().ok();
    }
    outlet.as_mut()
}

/// One line, which a pipe takes in one piece.
fn for_people(text: &str) -> String {
    let mut line = format!("leasectl: {text}");
    if line.len() >= crate::process::LONGEST_LINE {
        line = line.chars().take(1_000).collect();
        line.push('…');
    }
    line.push('\n');
    line
}
