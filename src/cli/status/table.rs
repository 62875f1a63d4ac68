//! The table for people. Where it is too wide for their terminal, what is long goes below each row.

use unicode_width::UnicodeWidthStr;

use super::details;
use super::grid::{aligned, wrapped};
use super::last_run::doing;
use super::style::Tone;
use super::when::{brief, clock};
use crate::cli::{named, printable};
use crate::clock::WallTime;
use crate::lease::{LeaseRecord, LeaseState, Observation, StoreLabel};

const HEAD: [&str; 7] = [
    "LEASE",
    "STATE",
    "HOLDER",
    "SINCE",
    "ENDS",
    "TOKEN",
    "COMMAND, OR LAST RUN",
];

/// Everything for people: which store, its leases, and what else there is to know of them.
pub(super) fn text(
    store: &StoreLabel,
    now: WallTime,
    seen: &[Observation],
    width: Option<u16>,
) -> String {
    let mut lines = vec![title(store, now, seen)];
    if !seen.is_empty() {
        let rows: Vec<_> = seen.iter().map(|seen| row(seen, now)).collect();
        lines.extend(in_full(&rows, seen, now, width));
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

fn title(store: &StoreLabel, now: WallTime, seen: &[Observation]) -> String {
    let store = printable(store.as_str());
    let held = seen.iter().filter(|seen| seen.state == LeaseState::Held);
    let counted = match (seen.len(), held.count()) {
        (0, _) => "no leases".to_owned(),
        (1, held) => format!("1 lease, {held} held"),
        (all, held) => format!("{all} leases, {held} held"),
    };
    let at = now.to_string();
    let at = at.get(..19).unwrap_or(&at).replace('T', " ");
    format!("{store} at {at}Z: {counted}")
}

/// The whole table if it fits; else one without its two widest columns, whose words stand below each row; else
/// no table.
fn in_full(
    rows: &[[String; 7]],
    seen: &[Observation],
    now: WallTime,
    width: Option<u16>,
) -> Vec<String> {
    let head = HEAD.map(str::to_owned);
    let all: Vec<_> = std::iter::once(&head).chain(rows).cloned().collect();
    let first = |[lease, state, holder, since, ends, ..]: &[String; 7]| {
        [lease, state, holder, since, ends].map(Clone::clone)
    };
    let fits = |lines: &Vec<String>| {
        let widest = lines.iter().map(|line| line.width()).max();
        width.is_none_or(|width| widest <= Some(usize::from(width)))
    };
    let narrow: Vec<_> = all.iter().map(first).collect();
    let forms = [aligned(&all), aligned(&narrow)];
    let form = forms.iter().position(fits);
    let lines: Vec<String> = match forms.into_iter().find(fits) {
        Some(lines) => lines,
        None => all
            .iter()
            .map(|[lease, state, ..]| format!("{lease}  {state}"))
            .collect(),
    };
    let mut lines = lines.into_iter();
    let head = lines.next().filter(|_| form.is_some());
    let mut full: Vec<String> = head.into_iter().collect();
    for ((line, row), seen) in lines.zip(rows).zip(seen) {
        let left_out = match form {
            Some(0) => String::new(),
            Some(_) => said(row, 5),
            None => said(row, 2),
        };
        full.push(line);
        let below = std::iter::once(left_out).chain(details::of(seen, now));
        let below = below.filter(|text| !text.is_empty());
        full.extend(below.flat_map(|text| wrapped(&text, width)));
    }
    full
}

/// The cells of a row from this column on, in words.
fn said(row: &[String; 7], from: usize) -> String {
    let words = ["", "", "", "since ", "ends ", "token ", ""];
    let cells = words.iter().zip(row).skip(from);
    let cells = cells.filter(|(_, cell)| !cell.is_empty());
    let cells: Vec<String> = cells.map(|(word, cell)| format!("{word}{cell}")).collect();
    cells.join(", ")
}

fn row(seen: &Observation, now: WallTime) -> [String; 7] {
    let record = seen.record.as_ref();
    let holder = record.filter(|_| seen.state == LeaseState::Held);
    let since = match (seen.state, holder, &seen.paused) {
        (LeaseState::Held, Some(record), _) => Some(record.acquired_at),
        (LeaseState::Paused, _, Some(pause)) => Some(pause.at),
        _ => None,
    };
    let since = since.map_or_else(String::new, |at| {
        format!("{} ({})", clock(at, now), brief(now.since(at)))
    });
    [
        named(seen.name.as_str()),
        state(seen),
        holder.map_or_else(String::new, who),
        since,
        ends(seen, now),
        record.map_or_else(String::new, |record| record.token.to_string()),
        doing(seen, now),
    ]
}

fn who(record: &LeaseRecord) -> String {
    let holder = &record.holder;
    let (host, user) = (printable(&holder.host), printable(&holder.user));
    let label = if holder.label == holder.host {
        String::new()
    } else {
        format!("{} on ", printable(&holder.label))
    };
    format!("{label}{host}:{} {user}", holder.pid)
}

fn state(seen: &Observation) -> String {
    let (tone, word) = match seen.state {
        LeaseState::Held if seen.foreign => (Some(Tone::Notable), "foreign"),
        LeaseState::Held => (Some(Tone::Good), "held"),
        LeaseState::Paused => (Some(Tone::Notable), "paused"),
        LeaseState::Cooldown => (Some(Tone::Notable), "cooldown"),
        LeaseState::Free => (None, "free"),
    };
    let word = format!("{word}{}", if seen.unsure { "?" } else { "" });
    tone.map_or_else(|| word.clone(), |tone| tone.word(&word))
}

/// When the state that is shown ends by itself.
fn ends(seen: &Observation, now: WallTime) -> String {
    let left = |until: WallTime| format!("in {}", brief(until.since(now)));
    match seen.state {
        LeaseState::Held if seen.ends_unseen => "unless renewed".to_owned(),
        LeaseState::Held => seen.expires_in.map_or_else(
            || "with its process".to_owned(),
            |left| format!("in {}", brief(left)),
        ),
        LeaseState::Cooldown => seen.cooldown_until.map_or_else(String::new, left),
        LeaseState::Paused => {
            let until = seen.paused.as_ref().and_then(|pause| pause.until_at);
            until.map_or_else(|| "when resumed".to_owned(), left)
        }
        LeaseState::Free => String::new(),
    }
}
