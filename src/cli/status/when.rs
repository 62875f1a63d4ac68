//! Times as people read them at three in the morning: in UTC, as short as they can be, and how long ago.

use std::time::Duration;

use crate::clock::WallTime;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A span in its two largest units.
pub(super) fn brief(span: Duration) -> String {
    let seconds = span.as_secs();
    let two = |large: u64, small: u64, words: (&str, &str)| {
        let (more, rest) = (seconds / large, seconds % large / small);
        if rest == 0 {
            format!("{more}{}", words.0)
        } else {
            format!("{more}{} {rest}{}", words.0, words.1)
        }
    };
    match seconds {
        0..MINUTE => format!("{seconds}s"),
        MINUTE..HOUR => two(MINUTE, 1, ("m", "s")),
        HOUR..DAY => two(HOUR, MINUTE, ("h", "m")),
        _ => two(DAY, HOUR, ("d", "h")),
    }
}

/// An instant not far from `now`: the time of day, or the date when that is not enough.
pub(super) fn clock(at: WallTime, now: WallTime) -> String {
    let text = at.to_string();
    let far = now.since(at).max(at.since(now));
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    let time = time.get(..8).unwrap_or(time);
    if far.as_secs() < DAY {
        format!("{time}Z")
    } else {
        let minute = time.get(..5).unwrap_or(time);
        format!("{date} {minute}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (845, "14m 5s"),
            (3_600, "1h"),
            (10_920, "3h 2m"),
            (90_000, "1d 1h"),
        ] {
            assert_eq!(brief(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn what_is_far_has_a_date() {
        let at = WallTime::from_unix_millis(1_772_330_406_012);
        let later = |seconds| at.plus(Duration::from_secs(seconds));
        assert_eq!(clock(at, later(5)), "02:00:06Z");
        assert_eq!(clock(later(5), at), "02:00:11Z");
        assert_eq!(clock(at, later(DAY)), "2026-03-01 02:00Z");
    }
}
