//! What a person at a terminal is shown while leasectl waits: one line, as wide as the window allows,
//! with what matters most first.
//!
//! This only finds the words. When they are drawn is the printer's business, and how is the voice's.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::held::kept_back;
use super::{printable, quoted};
use crate::clock::{BootClock, Clock, Instant, WallTime};
use crate::lease::{LeaseRecord, Observation, RefusedWhy};
use crate::supervisor::Wait;

/// How often time goes on for whoever looks.
const TICK: Duration = Duration::from_secs(1);
/// Names that are longer leave no room for the rest.
const LONGEST_NAME: usize = 40;
/// A clock time alone would be mistaken for today's.
const A_DAY: Duration = Duration::from_secs(20 * 60 * 60);

/// What is shown of a wait.
#[derive(Debug)]
pub(super) struct Display {
    lease: String,
    limit: Wait,
    /// When the wait began.
    began: Option<Instant>,
    awaited: Option<Awaited>,
    wake_at: Instant,
}

/// Who is waited for, and when that was said.
#[derive(Debug)]
struct Awaited {
    why: RefusedWhy,
    by: Observation,
    at: Instant,
}

/// A part of the line: it gives way to all with a smaller rank.
struct Piece(u8, String);

impl Display {
    /// For `lease`, in the words in which it is named, from `began` on.
    pub(super) fn new(lease: &str, limit: Wait, began: Instant) -> Self {
        Self {
            lease: cut(lease, LONGEST_NAME),
            limit,
            began: Some(began),
            awaited: None,
            wake_at: Instant::NEVER,
        }
    }

    /// From `now` on `by` is waited for.
    pub(super) fn shows(&mut self, why: RefusedWhy, by: &Observation, now: Instant) {
        self.began.get_or_insert(now);
        self.awaited = Some(Awaited {
            why,
            by: by.clone(),
            at: now,
        });
        self.on_time(now);
    }

    /// Whether there is anything to show.
    pub(super) const fn is_on(&self) -> bool {
        self.awaited.is_some()
    }

    /// The wait is over; another may follow (`--restart`).
    pub(super) fn ends(&mut self) {
        (self.began, self.awaited, self.wake_at) = (None, None, Instant::NEVER);
    }

    /// When the line is to be drawn again: in the moment in which the time that it shows changes.
    pub(super) const fn wake_at(&self) -> Instant {
        self.wake_at
    }

    /// Sets the next such moment.
    pub(super) fn on_time(&mut self, now: Instant) {
        if let Some(began) = self.began.filter(|_| self.awaited.is_some()) {
            let ticks = Duration::from_secs(now.since(began).as_secs());
            self.wake_at = began + ticks + TICK;
        }
    }

    /// The line. It leaves one column free: what reaches the last one makes some terminals begin the next
    /// line.
    pub(super) fn text(&self, columns: usize, now: Instant) -> String {
        let room = columns.saturating_sub(1);
        let mut pieces = self.pieces(now);
        let width = |pieces: &[Piece]| pieces.iter().map(|piece| piece.1.width()).sum::<usize>();
        while width(&pieces) > room {
            let last = (0..pieces.len()).max_by_key(|&at| pieces.get(at).map(|piece| piece.0));
            match last {
                Some(at) if pieces.len() > 1 => drop(pieces.remove(at)),
                _ => break,
            }
        }
        cut(
            &pieces.into_iter().map(|piece| piece.1).collect::<String>(),
            room,
        )
    }

    fn pieces(&self, now: Instant) -> Vec<Piece> {
        let Some(awaited) = &self.awaited else {
            return Vec::new();
        };
        let mut pieces = vec![Piece(9, "leasectl: ".to_owned())];
        match (awaited.why, &awaited.by.record) {
            (RefusedWhy::Held, Some(record)) => {
                let who = format!("{} held by {}", self.lease, name(&record.holder.label));
                pieces.push(Piece(0, who));
                pieces.extend(who_else(record));
                pieces.extend(since(record.acquired_at));
                pieces.push(Piece(3, awaited.until(now)));
                pieces.extend(note(record));
            }
            (RefusedWhy::Held, None) => {
                let who = format!("{} held by somebody who left no record", self.lease);
                pieces.push(Piece(0, who));
                pieces.push(Piece(3, awaited.until(now)));
            }
            (RefusedWhy::Cooldown, record) => {
                let text = format!("{} is in its minimum hold", self.lease);
                pieces.push(Piece(0, text));
                pieces.extend(cooldown(awaited.by.cooldown_until));
                if let Some(record) = record {
                    let who = format!(", last held by {}", name(&record.holder.label));
                    pieces.push(Piece(4, who));
                    pieces.extend(who_else(record));
                    pieces.extend(note(record));
                }
            }
            (RefusedWhy::Paused, _) => pieces.extend(paused(&self.lease, &awaited.by)),
            (why @ (RefusedWhy::Guard | RefusedWhy::Young), _) => {
                let text = format!("{} is {}", self.lease, kept_back(why));
                pieces.push(Piece(0, text));
                let left = awaited
                    .by
                    .expires_in
                    .map(|left| (awaited.at + left).since(now));
                pieces.extend(left.map(|left| Piece(3, format!(", {} left", brief(left)))));
            }
        }
        pieces.push(Piece(1, self.waited(now)));
        pieces
    }

    fn waited(&self, now: Instant) -> String {
        let waited = now.since(self.began.unwrap_or(now));
        match self.limit {
            Wait::For(limit) => format!("; waiting {} of {}", brief(waited), brief(limit)),
            Wait::Forever | Wait::No => format!("; waiting {}", brief(waited)),
        }
    }
}

impl Awaited {
    fn until(&self, now: Instant) -> String {
        self.by.expires_in.map_or_else(
            || ", until it ends".to_owned(),
            |left| {
                let left = (self.at + left).since(now);
                format!(", {} left unless renewed", brief(left))
            },
        )
    }
}

fn who_else(record: &LeaseRecord) -> Vec<Piece> {
    let holder = &record.holder;
    let mut pieces = Vec::new();
    if holder.host != holder.label {
        pieces.push(Piece(7, format!(" on {}", name(&holder.host))));
    }
    let user = name(&holder.user);
    pieces.push(Piece(5, format!(", pid {} of {user}", holder.pid)));
    if let Some(program) = &record.program {
        pieces.push(Piece(6, format!(", running {}", name(program))));
    }
    pieces
}

fn since(at: WallTime) -> [Piece; 2] {
    let ago = BootClock.wall().since(at);
    [
        Piece(2, format!(" since {}", clock_time(at, ago))),
        Piece(4, format!(" ({})", brief(ago))),
    ]
}

fn paused(lease: &str, by: &Observation) -> Vec<Piece> {
    let Some(pause) = &by.paused else {
        return vec![Piece(0, format!("{lease} is paused"))];
    };
    let who = format!("{lease} is paused by {}", name(&pause.asker.by));
    let mut pieces = vec![Piece(0, who)];
    pieces.extend(cooldown(pause.until_at));
    let reason = pause.asker.reason.as_deref();
    pieces.extend(reason.map(|reason| Piece(8, format!(", reason {}", quoted(reason)))));
    pieces
}

fn cooldown(until: Option<WallTime>) -> Vec<Piece> {
    let Some(until) = until else {
        return Vec::new();
    };
    let left = until.since(BootClock.wall());
    vec![
        Piece(2, format!(" until {}", clock_time(until, left))),
        Piece(3, format!(" ({} left)", brief(left))),
    ]
}

fn note(record: &LeaseRecord) -> Option<Piece> {
    let note = record.note.as_deref();
    note.map(|note| Piece(8, format!(", note {}", quoted(note))))
}

/// Foreign words, with no power over the terminal and at a length that leaves room for others.
fn name(text: &str) -> String {
    cut(&printable(text), LONGEST_NAME)
}

/// A time of day in UTC, as everywhere; with its date when it is so far from now.
fn clock_time(at: WallTime, far: Duration) -> String {
    let text = at.to_string();
    let (date, time) = text.split_once('T').unwrap_or(("", &text));
    let whole = |length: usize| time.get(..length).unwrap_or(time);
    if far < A_DAY {
        format!("{}Z", whole(8))
    } else {
        format!("{date} {}Z", whole(5))
    }
}

/// A span at a glance: its two largest units, in whole seconds.
fn brief(span: Duration) -> String {
    let text = humantime::format_duration(Duration::from_secs(span.as_secs())).to_string();
    let words: Vec<&str> = text.split(' ').take(2).collect();
    words.join(" ")
}

/// At most so many columns of a text; what is cut ends in a sign of that.
fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut width = 0;
    for letter in text.chars() {
        width += letter.width().unwrap_or(0);
        if width >= columns {
            break;
        }
        kept.push(letter);
    }
    // Letters that follow one another can be wider than one by one (a heart that is told to be red).
    while kept.width() >= columns && kept.pop().is_some() {}
    if columns > 0 {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests;
