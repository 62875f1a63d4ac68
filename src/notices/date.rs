//! Dates as the metadata service writes them: `Mon, 19 Sep 2016 18:29:47 GMT`.
//!
//! The weekday is not looked at. Microsoft's own example names a wrong one, and the parsers that check it
//! would take the date away from every event that is written so.

use crate::clock::WallTime;

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// The time, unless it is not readable.
pub(super) fn parse(text: &str) -> Option<WallTime> {
    let date = match text.split_once(',') {
        Some((_weekday, date)) => date,
        None => text,
    };
    let mut words = date.split_ascii_whitespace();
    let day = number(words.next()?, 1..=2)?;
    let month = words.next()?.to_ascii_lowercase();
    let month = 1 + MONTHS.iter().position(|name| *name == month)?;
    let year = number(words.next()?, 4..=4)?;
    let time = words.next()?;
    let zone = words.next()?;
    let utc = ["GMT", "UTC", "+0000"].contains(&zone.to_ascii_uppercase().as_str());
    if !utc || words.next().is_some() {
        return None;
    }
    let mut parts = time.split(':').map(|part| number(part, 2..=2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    // A parser of dates knows what February has, and refuses years before 1970.
    let iso = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    let known = parts.next().is_none().then_some(iso)?;
    let at = humantime::parse_rfc3339(&known).ok()?;
    let since = at.duration_since(std::time::SystemTime::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis())
        .ok()
        .map(WallTime::from_unix_millis)
}

fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let plain = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_the_service_are_read() {
        for (text, iso) in [
            ("Mon, 19 Sep 2016 18:29:47 GMT", "2016-09-19T18:29:47.000Z"),
            // A Saturday. The documentation says so, and nobody is hurt by it.
            ("Mon, 11 Apr 2026 22:26:58 GMT", "2026-04-11T22:26:58.000Z"),
            ("Fri, 1 May 2026 00:00:00 UTC", "2026-05-01T00:00:00.000Z"),
            ("29 feb 2028  23:59:59 +0000", "2028-02-29T23:59:59.000Z"),
        ] {
            let read = parse(text).map(|at| at.to_string());
            assert_eq!(read.as_deref(), Some(iso), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "soon",
            "Mon, 30 Feb 2026 10:00:00 GMT",
            "Mon, 19 Sep 2016 18:29:47 PST",
            "Mon, 19 Sep 2016 18:29 GMT",
            "Mon, 19 Sep 2016 24:61:00 GMT",
            "Mon, 19 Sep 16 18:29:47 GMT",
            "Mon, 019 Sep 2016 18:29:47 GMT",
            "Mon, 1\u{663} Sep 2016 18:29:47 GMT",
            "Mon, 19 Sep 2016 18:29:47 GMT extra",
            "2016-09-19T18:29:47Z",
            "Mon, 19 Sep 1916 18:29:47 GMT",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
