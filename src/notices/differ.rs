//! From one document to the next: what became of which event. No I/O and no clock.

use super::document::Document;
use super::notice::{Change, Notice, Update};

/// The events as they were in the last good document.
#[derive(Debug, Default)]
pub struct Differ {
    known: Vec<Notice>,
}

impl Differ {
    /// What is new in a good document. Only hand in what was just answered: that an event is gone cannot be
    /// concluded from anything else.
    pub fn take(&mut self, document: &Document) -> Vec<Update> {
        let mut updates = Vec::new();
        for notice in &document.notices {
            let before = self.known.iter().find(|known| known.is_same_as(notice));
            for change in changes(before, notice) {
                updates.push(Update {
                    before: before
                        .filter(|_| matches!(change, Change::Changed(_)))
                        .cloned(),
                    change,
                    notice: notice.clone(),
                    incarnation: document.incarnation,
                });
            }
        }
        for known in self.known.drain(..) {
            if !document
                .notices
                .iter()
                .any(|notice| notice.is_same_as(&known))
            {
                updates.push(Update {
                    change: Change::Gone,
                    notice: known,
                    before: None,
                    incarnation: document.incarnation,
                });
            }
        }
        self.known.clone_from(&document.notices);
        updates
    }

    /// The events of the last good document.
    #[must_use]
    pub fn known(&self) -> &[Notice] {
        &self.known
    }
}

fn changes(before: Option<&Notice>, notice: &Notice) -> Vec<Change> {
    let mut changes = Vec::new();
    let started_before = match before {
        None => {
            changes.push(Change::Appeared);
            false
        }
        Some(before) => {
            let keys = notice.changes_since(before);
            if !keys.is_empty() {
                changes.push(Change::Changed(keys));
            }
            before.has_started()
        }
    };
    if notice.has_started() && !started_before {
        changes.push(Change::Started);
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notices::{Names, parse};

    fn document(events: &str) -> Document {
        let text = format!("{{\"DocumentIncarnation\":7,\"Events\":[{events}]}}");
        parse(text.as_bytes(), &Names::new(["web_0".to_owned()])).unwrap()
    }

    fn event(id: &str, status: &str, not_before: &str) -> String {
        format!(
            "{{\"EventId\":\"{id}\",\"EventStatus\":\"{status}\",\"NotBefore\":\"{not_before}\",\
              \"EventType\":\"Reboot\",\"Resources\":[\"web_0\"]}}"
        )
    }

    const DATE: &str = "Mon, 19 Sep 2016 18:29:47 GMT";

    fn words(updates: &[Update]) -> Vec<&'static str> {
        updates.iter().map(|update| update.change.word()).collect()
    }

    #[test]
    fn an_event_lives_its_life() {
        let mut differ = Differ::default();
        let updates = differ.take(&document(&event("a", "Scheduled", DATE)));
        assert_eq!(words(&updates), ["appeared"]);
        assert!(updates[0].notice.ours);
        assert_eq!(updates[0].incarnation, Some(7));
        assert_eq!(differ.take(&document(&event("A", "Scheduled", DATE))), []);
        let later = DATE.replace("47", "57");
        let updates = differ.take(&document(&event("a", "Scheduled", &later)));
        assert_eq!(updates[0].change, Change::Changed(vec!["not_before_at"]));
        let before = updates[0].before.as_ref().unwrap().not_before.unwrap();
        assert!(before < updates[0].notice.not_before.unwrap());
        // It loses its date when it starts: that alone is no change.
        let updates = differ.take(&document(&event("a", "Started", "")));
        assert_eq!(words(&updates), ["started"]);
        let updates = differ.take(&document(""));
        assert_eq!(words(&updates), ["gone"]);
        assert!(updates[0].notice.has_started());
        assert_eq!(differ.known(), []);
        assert_eq!(differ.take(&document("")), []);
    }

    #[test]
    fn what_has_begun_without_a_notice_appears_and_starts() {
        let mut differ = Differ::default();
        let updates = differ.take(&document(&event("a", "Started", "")));
        assert_eq!(words(&updates), ["appeared", "started"]);
    }

    #[test]
    fn one_event_goes_and_another_comes() {
        let mut differ = Differ::default();
        let both = format!(
            "{},{}",
            event("a", "Scheduled", DATE),
            event("b", "Started", "")
        );
        assert_eq!(differ.take(&document(&both)).len(), 3);
        let updates = differ.take(&document(&event("c", "Scheduled", DATE)));
        let ids: Vec<&str> = updates
            .iter()
            .map(|update| update.notice.id.as_str())
            .collect();
        assert_eq!(words(&updates), ["appeared", "gone", "gone"]);
        assert_eq!(ids, ["c", "a", "b"]);
    }

    #[test]
    fn learning_our_name_makes_an_event_ours() {
        let text = format!("{{\"Events\":[{}]}}", event("a", "Scheduled", DATE));
        let mut differ = Differ::default();
        let nameless = parse(text.as_bytes(), &Names::default()).unwrap();
        assert!(!differ.take(&nameless)[0].notice.ours);
        let named = parse(text.as_bytes(), &Names::new(["WEB_0".to_owned()])).unwrap();
        let updates = differ.take(&named);
        assert_eq!(updates[0].change, Change::Changed(vec!["ours"]));
        assert!(updates[0].notice.ours);
    }
}
