//! One table of medians and ratios, the goals beside it, and the same as a file for programs.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

use serde_json::json;

use crate::Outcome;
use crate::goals::{Found, GOALS};
use crate::subjects::{ETCDCTL, FLOCK};

/// What was measured of one subject.
#[derive(Debug)]
struct Row {
    figure: String,
    who: String,
    unit: &'static str,
    /// Sorted.
    samples: Vec<f64>,
}

impl Row {
    /// The value below which `part` of all lie.
    fn quantile(&self, part: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index into a few hundred values"
        )]
        let at = (self.samples.len().saturating_sub(1) as f64 * part).round() as usize;
        self.samples.get(at).copied().unwrap_or(f64::NAN)
    }

    fn quantiles(&self) -> [f64; 2] {
        [self.quantile(0.5), self.quantile(0.95)]
    }
}

/// All that was measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds what was measured; nothing when there is none.
    pub(crate) fn add(
        &mut self,
        figure: &str,
        who: &str,
        unit: &'static str,
        mut samples: Vec<f64>,
    ) {
        if samples.is_empty() {
            return;
        }
        samples.sort_by(f64::total_cmp);
        self.rows.push(Row {
            figure: figure.to_owned(),
            who: who.to_owned(),
            unit,
            samples,
        });
    }

    fn row(&self, figure: &str, who: &str) -> Option<&Row> {
        let mut rows = self.rows.iter();
        rows.find(|row| row.figure == figure && row.who == who)
    }

    /// Median and p95 as parts of those of `peer` in the same run.
    fn ratios(&self, row: &Row, peer: &str) -> Option<[f64; 2]> {
        let of = self.row(&row.figure, peer)?.quantiles();
        let own = row.quantiles();
        (row.who != peer).then(|| [own[0] / of[0], own[1] / of[1]])
    }

    /// The table, as Markdown.
    pub(crate) fn markdown(&self, missing: &[(String, String)]) -> String {
        let mut text = format!("{}\n\n", machine());
        text +=
            "| figure | who | median | p95 | to flock: median, p95 | to etcdctl: median, p95 |\n";
        text += "|---|---|--:|--:|--:|--:|\n";
        for row in &self.rows {
            let [median, p95] = row.quantiles();
            let one = row.samples.len() == 1;
            let ratio = |peer| match self.ratios(row, peer) {
                None => String::new(),
                Some([median, _]) if one => format!("{median:.2}"),
                Some([median, p95]) => format!("{median:.2}, {p95:.2}"),
            };
            let p95 = if one {
                String::new()
            } else {
                shown(p95, row.unit)
            };
            let (figure, who, median) = (&row.figure, &row.who, shown(median, row.unit));
            let (flock, etcdctl) = (ratio(FLOCK), ratio(ETCDCTL));
            // A String takes all that is written to it.
            writeln!(
                text,
                "| {figure} | {who} | {median} | {p95} | {flock} | {etcdctl} |"
            )
            .ok();
        }
        text += "\n| goal | limit | measured | |\n|---|--:|--:|---|\n";
        for (name, limit, measured) in self.goals() {
            let met = if measured <= limit { "met" } else { "not met" };
            writeln!(text, "| {name} | {limit} | {measured:.3} | {met} |").ok();
        }
        for (what, why) in missing {
            writeln!(text, "\nNot measured: {what}: {why}.").ok();
        }
        text
    }

    /// The goals that could be measured: their names, the limit and what was found.
    fn goals(&self) -> Vec<(&'static str, f64, f64)> {
        let measured = GOALS.iter();
        measured
            .filter_map(|(name, limit, what)| Some((*name, *limit, self.found(*what)?)))
            .collect()
    }

    fn found(&self, what: Found) -> Option<f64> {
        let at = |figure, who, part| Some(self.row(figure, who)?.quantile(part));
        match what {
            Found::Median(figure, who) => at(figure, who, 0.5),
            Found::P95(figure, who) => at(figure, who, 0.95),
            Found::Worst(figure, who) => at(figure, who, 1.0),
            Found::Ratio(figure, who, peer) => Some(at(figure, who, 0.5)? / at(figure, peer, 0.5)?),
            Found::Mib(figure, who) => at(figure, who, 0.5).map(|kib| kib / 1024.0),
        }
    }

    /// The same for programs.
    pub(crate) fn write(&self, file: &Path, missing: &[(String, String)]) -> Outcome<()> {
        let rows: Vec<_> = self.rows.iter().map(|row| self.object(row)).collect();
        let goals: Vec<_> = self
            .goals()
            .into_iter()
            .map(|(name, limit, found)| {
                json!({"goal": name, "limit": limit, "measured": found, "met": found <= limit})
            })
            .collect();
        let missing: Vec<_> = missing
            .iter()
            .map(|(what, why)| json!({"what": what, "why": why}))
            .collect();
        let all = json!({
            "schema": "leasectl.compare/1",
            "machine": machine(),
            "figures": rows,
            "goals": goals,
            "not_measured": missing,
        });
        Ok(fs::write(file, serde_json::to_string_pretty(&all)? + "\n")?)
    }

    fn object(&self, row: &Row) -> serde_json::Value {
        let [median, p95] = row.quantiles();
        json!({
            "figure": row.figure,
            "who": row.who,
            "unit": row.unit,
            "median": median,
            "p95": p95,
            "to_flock": self.ratios(row, FLOCK),
            "to_etcdctl": self.ratios(row, ETCDCTL),
            "samples": row.samples,
        })
    }
}

fn shown(value: f64, unit: &str) -> String {
    match unit {
        "ms" => format!("{value:.2} ms"),
        "" => format!("{value:.0}"),
        unit => format!("{value:.0} {unit}"),
    }
}

pub(crate) fn machine() -> String {
    let cores = available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!(
        "Linux {}, {}, {cores} cores, load {load} at the end.",
        kernel.split('-').next().unwrap_or_default().trim(),
        std::env::consts::ARCH
    )
}

/// Puts the text where the page has the last one of this kind.
pub(crate) fn update(page: &Path, kind: &str, new: &str) -> Outcome<()> {
    let (begin, end) = (
        format!("<!-- {kind}: begin -->\n"),
        format!("<!-- {kind}: end -->\n"),
    );
    let text = fs::read_to_string(page)?;
    let parts = text.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&end)?;
        Some((before, after))
    });
    let (before, after) = parts.ok_or("the page has no place for it")?;
    Ok(fs::write(
        page,
        format!("{before}{begin}{new}{end}{after}"),
    )?)
}
