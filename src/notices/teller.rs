//! What one process has been told, so that nothing is told twice: documents in, news out.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use super::differ::Differ;
use super::document::{Names, parse};
use super::source::{News, Role};
use crate::clock::Instant;

/// What is asked of a source between news.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) good_at: Option<Instant>,
    pub(super) machine: Option<String>,
    pub(super) incarnation: Option<i64>,
}

/// Tells one process.
#[derive(Debug)]
pub(super) struct Teller {
    /// The names that were typed; the service's name for this machine counts without.
    typed: Names,
    differ: Differ,
    last: Option<(Vec<u8>, String)>,
    role: Option<Role>,
    told: Vec<String>,
    news: UnboundedSender<News>,
    known: Arc<Mutex<Known>>,
}

impl Teller {
    pub(super) fn new(typed: Names, news: UnboundedSender<News>, known: Arc<Mutex<Known>>) -> Self {
        Self {
            typed,
            differ: Differ::default(),
            last: None,
            role: None,
            told: Vec::new(),
            news,
            known,
        }
    }

    fn tell(&self, news: News) {
        // Whoever listened is gone; so are we, soon.
        self.news.send(news).ok();
    }

    /// How this process learns of events, if that is new.
    pub(super) fn role(&mut self, role: Role, why: &str) {
        if self.role == Some(role) {
            return;
        }
        let promoted =
            role == Role::Poller && matches!(self.role, Some(Role::Reader | Role::Stale));
        let why = if promoted {
            format!("promoted: {why}")
        } else {
            why.to_owned()
        };
        self.role = Some(role);
        self.tell(News::Role { role, why });
    }

    /// A warning, once.
    pub(super) fn warn(&mut self, text: String) {
        if !self.told.contains(&text) {
            self.told.push(text.clone());
            self.tell(News::Warning(text));
        }
    }

    /// A detail, once.
    pub(super) fn detail(&mut self, text: &str) {
        if !self.told.iter().any(|told| told == text) {
            self.told.push(text.to_owned());
            self.tell(News::Detail(text.to_owned()));
        }
    }

    /// A good document that is fresh, and by which name it means this machine.
    pub(super) fn document(&mut self, answer: &[u8], vm: &str, good_at: Instant) {
        let first = self.last.is_none();
        let names = if self.typed.is_empty() {
            Names::new([vm.to_owned()])
        } else {
            self.typed.clone()
        };
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.good_at = Some(good_at);
            known.machine = names.first().map(ToOwned::to_owned);
        }
        // Equal bytes, never an equal or lower number of the document.
        if self
            .last
            .as_ref()
            .is_some_and(|(bytes, of)| bytes == answer && of == vm)
        {
            return;
        }
        let Ok(document) = parse(answer, &names) else {
            return;
        };
        for warning in &document.warnings {
            self.warn(format!("scheduled events: {warning}"));
        }
        if names.is_empty() && !document.notices.is_empty() {
            self.warn(
                "no scheduled event is taken as this machine's: the metadata service does not say \
                 its name; give it with --resource"
                    .to_owned(),
            );
        }
        self.last = Some((answer.to_vec(), vm.to_owned()));
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .incarnation = document.incarnation;
        let updates = self.differ.take(&document);
        if first || !updates.is_empty() {
            self.tell(News::Updates(updates));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;

    fn teller() -> (Teller, UnboundedReceiver<News>) {
        let (news, heard) = unbounded_channel();
        (Teller::new(Names::default(), news, Arc::default()), heard)
    }

    const NOW: Instant = Instant::from_nanos(7);
    const ONE: &[u8] = b"{\"Events\":[{\"EventId\":\"a\",\"Resources\":[\"web_0\"]}]}";

    #[test]
    fn news_are_told_once() {
        let (mut teller, mut heard) = teller();
        teller.document(b"{\"Events\":[]}", "web_0", NOW);
        assert_eq!(heard.try_recv(), Ok(News::Updates(Vec::new())));
        teller.document(b"{\"Events\": []}", "web_0", NOW);
        teller.warn("w".to_owned());
        teller.warn("w".to_owned());
        assert_eq!(heard.try_recv(), Ok(News::Warning("w".to_owned())));
        teller.document(ONE, "web_0", NOW);
        teller.document(ONE, "web_0", NOW);
        assert!(matches!(heard.try_recv(), Ok(News::Updates(updates)) if updates.len() == 1));
        assert!(heard.try_recv().is_err());
        assert_eq!(
            teller.known.lock().unwrap().machine.as_deref(),
            Some("web_0")
        );
    }

    #[test]
    fn a_machine_without_a_name_is_told_of() {
        let (mut teller, mut heard) = teller();
        teller.document(ONE, "", NOW);
        let Ok(News::Warning(why)) = heard.try_recv() else {
            panic!("nothing is said");
        };
        assert!(why.contains("--resource"), "{why}");
        assert!(matches!(heard.try_recv(), Ok(News::Updates(updates)) if !updates[0].notice.ours));
        // Once the name is known, the same bytes say more.
        teller.document(ONE, "web_0", NOW);
        assert!(matches!(heard.try_recv(), Ok(News::Updates(updates)) if updates[0].notice.ours));
    }

    #[test]
    fn a_reader_is_promoted() {
        let (mut teller, mut heard) = teller();
        for role in [Role::Reader, Role::Reader, Role::Poller] {
            teller.role(role, "why");
        }
        let why = |news| match news {
            Ok(News::Role { role, why }) => (role, why),
            other => panic!("{other:?}"),
        };
        assert_eq!(why(heard.try_recv()), (Role::Reader, "why".to_owned()));
        assert_eq!(
            why(heard.try_recv()),
            (Role::Poller, "promoted: why".to_owned())
        );
    }
}
