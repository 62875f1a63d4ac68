//! One event as one line that fits where it goes.

use serde::Serialize;
use serde_json::Value;

use super::body::Body;
use super::stream::Heading;
use crate::clock::{Instant, WallTime};
use crate::lease::FencingToken;
use crate::process::LONGEST_LINE;

const SCHEMA: &str = "leasectl.event/1";

/// A line, key by key, in the order in which people read it.
#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    seq: u64,
    at: WallTime,
    boot_s: f64,
    run: &'a str,
    kind: &'static str,
    lease: &'a str,
    store: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<FencingToken>,
    #[serde(flatten)]
    body: &'a Body,
}

/// The line for `body`, with its newline, at most [`LONGEST_LINE`] bytes.
pub(super) fn of(
    heading: &Heading,
    seq: u64,
    (boot, at): (Instant, WallTime),
    body: &Body,
) -> String {
    let line = Line {
        schema: SCHEMA,
        seq,
        at,
        boot_s: seconds(std::time::Duration::from_nanos(boot.as_nanos())),
        run: &heading.run,
        kind: body.kind(),
        lease: &heading.lease,
        store: heading.store.as_deref(),
        token: heading.token,
        body,
    };
    // Serialising plain data cannot fail.
    let mut text = serde_json::to_string(&line).unwrap_or_default();
    if text.len() >= LONGEST_LINE {
        text = shortened(serde_json::to_value(&line).unwrap_or_default());
    }
    text.push('\n');
    text
}

/// Seconds, to the microsecond: more digits would be noise.
pub(super) fn seconds(span: std::time::Duration) -> f64 {
    // 2^53 microseconds are 285 years.
    #[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
    let micros = span.as_micros() as f64;
    micros / 1e6
}

/// The same with its long texts cut, and its lists as long as they may be.
fn shortened(mut line: Value) -> String {
    let mut longest = 1024;
    loop {
        cut(&mut line, longest);
        let text = line.to_string();
        if text.len() < LONGEST_LINE || longest == 0 {
            return text;
        }
        longest /= 2;
    }
}

/// Cuts every text to `longest` bytes or so, and every list to `longest` entries.
fn cut(value: &mut Value, longest: usize) {
    match value {
        Value::String(text) if text.len() > longest.max(24) => {
            // The schema's own words are shorter than this.
            let mut end = longest.max(24);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            text.push('…');
        }
        Value::Array(list) => {
            list.truncate(longest);
            list.iter_mut().for_each(|value| cut(value, longest));
        }
        Value::Object(map) => map.values_mut().for_each(|value| cut(value, longest)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::body::{LogLevel, Process};
    use super::*;

    fn line(body: &Body) -> String {
        let heading = Heading {
            run: "9f0c2d51b7e84a36".to_owned(),
            lease: "nightly".to_owned(),
            store: Some("file:///srv".to_owned()),
            token: None,
        };
        let at = WallTime::from_unix_millis(1_772_330_400_127);
        of(
            &heading,
            3,
            (Instant::from_nanos(81_234_501_000_000), at),
            body,
        )
    }

    #[test]
    fn a_line_reads_from_left_to_right() {
        let text = line(&Body::Restarting { delay_s: 1.0 });
        assert_eq!(
            text,
            "{\"schema\":\"leasectl.event/1\",\"seq\":3,\"at\":\"2026-03-01T02:00:00.127Z\",\
             \"boot_s\":81234.501,\"run\":\"9f0c2d51b7e84a36\",\"kind\":\"restarting\",\
             \"lease\":\"nightly\",\"store\":\"file:///srv\",\"delay_s\":1.0}\n"
        );
    }

    #[test]
    fn long_texts_are_cut_and_the_line_stays_whole() {
        let message = "grün\u{1}\"".repeat(5_000);
        let level = LogLevel::Info;
        let text = line(&Body::Log { level, message });
        assert!(text.len() <= LONGEST_LINE && text.ends_with("}\n"));
        let value: Value = serde_json::from_str(&text).unwrap();
        let message = value["message"].as_str().unwrap();
        assert!(message.starts_with("grün\u{1}\"") && message.ends_with('…'));
        assert_eq!(value["run"], "9f0c2d51b7e84a36");

        let process = |pid| Process {
            pid,
            program: "p".repeat(15),
        };
        let text = line(&Body::Leftovers {
            processes: (0..1_000).map(process).collect(),
        });
        assert!(text.len() <= LONGEST_LINE);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["processes"][7]["pid"], 7);
    }
}
