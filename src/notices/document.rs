//! The document of the metadata service, read event by event.
//!
//! Strict about size, nesting and counts, which are judged for the whole document: a document that
//! exceeds them is none. Tolerant of all else: unknown keys, types and statuses, and an event that cannot be read is left out
//! with one warning and never hides the others. That rules out `derive(Deserialize)`, to which one wrong
//! type makes the whole document unreadable.

use serde_json::{Map, Value};

use super::date;
use super::notice::{Notice, SCHEDULED, UNKNOWN};

/// The most that is read of an answer. A length that the answer itself states is not believed.
pub const LARGEST_DOCUMENT: usize = 64 * 1024;
const DEEPEST: usize = 32;
const MOST_EVENTS: usize = 500;
const MOST_RESOURCES: usize = 1_000;

/// What the service says is announced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The number of the document. Only shown, and compared for equality.
    pub incarnation: Option<i64>,
    /// The events, in the order in which each was first named.
    pub notices: Vec<Notice>,
    /// What could not be read, for people; texts of the service are escaped.
    pub warnings: Vec<String>,
}

/// Why an answer is no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDocument {
    /// Too many bytes, too deep, too many events.
    #[error("it is larger than the service's documents are: {0}")]
    TooLarge(&'static str),
    /// Not JSON.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// JSON without a list of events.
    #[error("it has no list called Events")]
    WrongShape,
}

/// By which names this machine is meant. Never by its host name: a machine of a scale set is `web_0` to
/// the service and `web000000` to itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<String>);

impl Names {
    /// These.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let named = names.into_iter().filter(|name| !name.is_empty());
        Self(named.collect())
    }

    /// Whether none is known: then no event is ours.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first of them.
    #[must_use]
    pub fn first(&self) -> Option<&str> {
        self.0.first().map(String::as_str)
    }

    fn mean_one_of(&self, resources: &[String]) -> bool {
        let named = |resource: &String| {
            self.0
                .iter()
                .any(|name| name.eq_ignore_ascii_case(resource))
        };
        resources.iter().any(named)
    }
}

/// Reads an answer of the service.
///
/// # Errors
/// Why it is no document at all.
pub fn parse(bytes: &[u8], names: &Names) -> Result<Document, NoDocument> {
    if bytes.len() > LARGEST_DOCUMENT {
        return Err(NoDocument::TooLarge("more than 64 KiB"));
    }
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if deepest(text) > DEEPEST {
        return Err(NoDocument::TooLarge("nested more than 32 deep"));
    }
    let value: Value =
        serde_json::from_slice(text).map_err(|error| NoDocument::NotJson(error.to_string()))?;
    let Some(Value::Array(events)) = value.get("Events") else {
        return Err(NoDocument::WrongShape);
    };
    if events.len() > MOST_EVENTS {
        return Err(NoDocument::TooLarge("more than 500 events"));
    }
    let mut document = Document {
        incarnation: value.get("DocumentIncarnation").and_then(Value::as_i64),
        ..Document::default()
    };
    for event in events {
        match read(event, &mut document.warnings) {
            Ok(notice) => document.add(notice),
            Err(why) => document
                .warnings
                .push(format!("an event is left out: {why}")),
        }
    }
    for notice in &mut document.notices {
        notice.ours = names.mean_one_of(&notice.resources);
    }
    Ok(document)
}

impl Document {
    /// Adds an event, or what else is said of one that is there: the more urgent word counts.
    fn add(&mut self, notice: Notice) {
        let mut known = self.notices.iter_mut();
        let Some(known) = known.find(|known| known.is_same_as(&notice)) else {
            self.notices.push(notice);
            return;
        };
        if notice.has_started() {
            known.status = notice.status;
        }
        // No date comes before every date: it may begin at any moment.
        known.not_before = known.not_before.min(notice.not_before);
        for resource in notice.resources {
            if !known.resources.contains(&resource) {
                known.resources.push(resource);
            }
        }
    }
}

/// How deep lists and objects are nested. Asked before anything is built of them.
fn deepest(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => depth += 1,
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn read(event: &Value, warnings: &mut Vec<String>) -> Result<Notice, String> {
    let event = event.as_object().ok_or("it is not an object")?;
    let id = text(event, "EventId")?.filter(|id| !id.is_empty());
    let id = id.ok_or("it has no EventId")?;
    let named = format!("event {:?}", shortened(&id));
    let of = |why: String| format!("{named}: {why}");
    let date = text(event, "NotBefore").map_err(of)?.unwrap_or_default();
    let not_before = date::parse(&date);
    if not_before.is_none() && !date.trim().is_empty() {
        let date = shortened(&date);
        warnings.push(format!(
            "{named} is taken as one that may begin at any moment: its NotBefore {date:?} is no date"
        ));
    }
    let plain = |key: &str| plain(event.get(key));
    Ok(Notice {
        event_type: text(event, "EventType")
            .map_err(of)?
            .unwrap_or(UNKNOWN.to_owned()),
        status: text(event, "EventStatus")
            .map_err(of)?
            .unwrap_or(SCHEDULED.to_owned()),
        resources: resources(event).map_err(of)?,
        not_before,
        duration_s: duration(event.get("DurationInSeconds")),
        source: plain("EventSource"),
        description: plain("Description"),
        ours: false,
        id,
    })
}

/// A text without control characters, if there is one.
fn text(event: &Map<String, Value>, key: &str) -> Result<Option<String>, String> {
    match event.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.contains(char::is_control) => {
            Err(format!("its {key} has control characters"))
        }
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("its {key} is not a text")),
    }
}

/// What is only for people: a line, whatever was sent.
fn plain(value: Option<&Value>) -> String {
    let text = value.and_then(Value::as_str).unwrap_or_default();
    text.replace(char::is_control, " ")
}

fn resources(event: &Map<String, Value>) -> Result<Vec<String>, String> {
    let list = match event.get("Resources") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() > MOST_RESOURCES => {
            return Err(format!("it has more than {MOST_RESOURCES} Resources"));
        }
        Some(Value::Array(list)) => list,
        Some(_) => return Err("its Resources are not a list".to_owned()),
    };
    let name = |value: &Value| match value {
        Value::String(name) if !name.contains(char::is_control) => Ok(name.clone()),
        _ => Err("one of its Resources is not a name".to_owned()),
    };
    list.iter().map(name).collect()
}

/// Seconds, also as `"9"` or `9.0`; -1 for anything else.
fn duration(value: Option<&Value>) -> i64 {
    const UNKNOWN: i64 = -1;
    let seconds = match value {
        Some(Value::Number(number)) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    seconds.filter(|seconds| *seconds >= 0).unwrap_or(UNKNOWN)
}

fn whole(number: f64) -> Option<i64> {
    // Written out and read: no cast, no rounding.
    let fits = number.fract() == 0.0 && number.abs() < 1e15;
    fits.then(|| format!("{number:.0}").parse().ok())?
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 80;
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests;
