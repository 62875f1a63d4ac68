//! What a source of notices is, whatever cloud it speaks to.

use std::fmt;

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::notice::Update;
use crate::clock::Instant;

/// Tells what is announced for this machine.
///
/// - It tells changes, not documents: the same news is told once, also after an outage.
/// - Nothing that is old is news: [`News::Updates`] is only ever concluded from a document that was fresh
///   when it was read.
/// - A source that is silent is not an error, and says nothing about the machine.
///
/// Not promised: that there is any notice before the machine goes, or that an event ever begins.
#[async_trait]
pub trait NoticeSource: fmt::Debug + Send {
    /// The next news, whenever it comes. Dropping the future loses nothing.
    async fn next(&mut self) -> News;

    /// When the last good document that was seen had been asked for; none was seen yet without. By this,
    /// "nothing is announced" is told from "nobody knows".
    fn good_at(&self) -> Option<Instant>;

    /// The name by which this machine is meant, as far as it is known.
    fn machine(&self) -> Option<String>;

    /// The number of that document.
    fn incarnation(&self) -> Option<i64> {
        None
    }

    /// Tells the others on this machine that this process is about to leave because of an event. Told again, it
    /// is made up for where it could not be told.
    fn leaves(&mut self, _id: &str) {}

    /// It has left; whether it was the last of those that told so. A source whose events cannot be approved
    /// need not know.
    fn has_left_last(&mut self, _id: &str) -> bool {
        false
    }

    /// Gives up what others would wait for in vain while this process is stopped (Ctrl-Z): being the one that asks.
    /// It takes part again when the answer is dropped. Drop one before asking for the next.
    async fn step_aside(&mut self) -> Aside {
        Aside::default()
    }

    /// Says that events may begin before their date, for all the machines they are about.
    async fn approve(&mut self, ids: &[String]) -> Result<(), NotApproved>;
}

/// As long as it lives, this process takes no part in who asks the service.
#[derive(Debug, Default)]
#[must_use]
pub struct Aside(Option<oneshot::Sender<()>>);

impl Aside {
    /// Until it is dropped; then the other end hears of it.
    pub(super) const fn until_dropped(back: oneshot::Sender<()>) -> Self {
        Self(Some(back))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if let Some(back) = self.0.take() {
            back.send(()).ok();
        }
    }
}

/// What a source tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// What became of which event. The first good document is told even when it has none: from then on it is
    /// known what is announced.
    Updates(Vec<Update>),
    /// How this process now learns of events, and why that changed.
    Role {
        /// How.
        role: Role,
        /// For people.
        why: String,
    },
    /// Something a person should know: one line, told once per cause, with foreign texts escaped.
    Warning(String),
    /// Something that is well, and that only somebody who looks closely wants to know.
    Detail(String),
}

/// How a process learns of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It asks the service, for all of them.
    Poller,
    /// It reads what the poller wrote.
    Reader,
    /// It reads, but the service does not answer the poller: nothing that is read is acted on.
    Stale,
    /// It asks by itself, for itself, as there is no directory to share.
    Direct,
}

impl Role {
    /// As events have it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Poller => "poller",
            Self::Reader => "reader",
            Self::Stale => "stale",
            Self::Direct => "direct",
        }
    }
}

/// Why an approval did not come about, or may not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotApproved {
    /// This source knows no approval.
    #[error("what is announced in a file cannot be approved")]
    Impossible,
    /// The service does not know one of the events, or did not understand.
    #[error("the service refused it: {0}")]
    Refused(String),
    /// No answer. It may have been approved all the same.
    #[error("the service did not answer: {0}")]
    Unanswered(String),
}
