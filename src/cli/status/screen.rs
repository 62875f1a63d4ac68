//! `--watch` on a terminal: the table, drawn again in its place on the alternate screen, which a shell's
//! own lines come back from as they were.

use std::io::{Write, stdout};
use std::time::Duration;

use super::show::is_so;
use super::style::{finished, wants_colours};
use super::table;
use crate::cli::args::UntilArg;
use crate::cli::{chain, terminal};
use crate::clock::{BootClock, Clock};
use crate::commands::status::{Flow, Viewer};
use crate::lease::{Observation, StoreLabel};
use crate::process::{Heard, JobControl, stop_ourselves};
use crate::registry::OpenError;

/// To the alternate screen, without a cursor and without lines that go on in the next; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// What is drawn. Dropped, it gives the terminal back.
pub(super) struct Screen {
    label: StoreLabel,
    until: Option<UntilArg>,
    seen: Option<Vec<Observation>>,
    trouble: Option<String>,
    entered: bool,
    ended_by: Option<i32>,
}

impl Screen {
    /// Nothing is drawn before there is something to show.
    pub(super) const fn open(label: StoreLabel, until: Option<UntilArg>) -> Self {
        Self {
            label,
            until,
            seen: None,
            trouble: None,
            entered: false,
            ended_by: None,
        }
    }

    /// Gives the terminal back; answers the signal that ended it.
    pub(super) fn close(mut self) -> Option<i32> {
        self.leave();
        self.ended_by
    }

    fn leave(&mut self) {
        if std::mem::take(&mut self.entered) {
            put(LEAVE);
        }
    }

    fn draw(&mut self) {
        let out = stdout();
        let (Some(seen), Some((columns, rows))) = (&self.seen, terminal::window_of(&out)) else {
            return;
        };
        // In the background the terminal is another's.
        if !terminal::is_ours(&out) {
            return;
        }
        let now = BootClock.wall();
        let text = table::text(&self.label, now, seen, Some(columns));
        let text = finished(&text, wants_colours());
        let trouble = self.trouble.iter().map(String::as_str);
        let lines: Vec<&str> = trouble.chain(text.lines()).collect();
        let mut frame = String::new();
        if !std::mem::replace(&mut self.entered, true) {
            frame.push_str(ENTER);
        }
        frame.push_str("\x1b[H");
        frame.push_str(&fitted(&lines, usize::from(rows)));
        frame.push_str("\x1b[J");
        put(&frame);
    }
}

/// The lines that fit, each erased to its end first; the last says how many do not.
fn fitted(lines: &[&str], rows: usize) -> String {
    let all = lines.len() <= rows;
    let shown = if all {
        lines.len()
    } else {
        rows.saturating_sub(1)
    };
    let mut frame: Vec<String> = lines
        .iter()
        .take(shown)
        .map(|line| format!("{line}\x1b[K"))
        .collect();
    if !all {
        let more = lines.len() - shown;
        frame.push(format!(
            "... {more} more lines; a larger window shows them\x1b[K"
        ));
    }
    frame.join("\r\n")
}

/// A terminal that is gone ends us by its hang-up.
fn put(text: &str) {
    let mut out = stdout().lock();
    let _written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

impl Viewer for Screen {
    fn picture(&mut self, seen: &[Observation]) -> Flow {
        self.trouble = None;
        self.seen = Some(seen.to_vec());
        self.draw();
        if is_so(self.until, seen) {
            Flow::End
        } else {
            Flow::GoOn
        }
    }

    fn trouble(&mut self, error: &OpenError) {
        self.trouble = Some(format!(
            "{}; trying again. What follows is old.",
            chain(error)
        ));
        self.draw();
    }

    fn tick(&mut self) -> Flow {
        self.draw();
        Flow::GoOn
    }

    fn signal(&mut self, heard: &Heard) -> Flow {
        match heard.job_control() {
            Some(JobControl::Stop) => {
                self.leave();
                stop_ourselves(heard.number);
                self.draw();
            }
            Some(JobControl::Continue | JobControl::Resize) => self.draw(),
            None if heard.number == libc::SIGCHLD => {}
            None => {
                self.ended_by = Some(heard.number);
                return Flow::End;
            }
        }
        Flow::GoOn
    }

    fn look_again(&self) -> Option<Duration> {
        None
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted() {
        let lines = ["a", "b", "c"];
        assert_eq!(fitted(&lines, 3), "a\x1b[K\r\nb\x1b[K\r\nc\x1b[K");
        let cut = fitted(&lines, 2);
        assert_eq!(
            cut,
            "a\x1b[K\r\n... 2 more lines; a larger window shows them\x1b[K"
        );
    }
}
