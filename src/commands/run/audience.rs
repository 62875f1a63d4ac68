//! Everybody who is told the news: people, programs, and the hooks that a piece of news is for.

use super::hooks::{Due, HookName};
use super::news::{Listener, News};
use crate::clock::Instant;
use crate::commands::events::{EventLog, NOT_RENEWED};

/// Who listens.
pub(super) struct Audience<'a> {
    people: &'a mut dyn Listener,
    programs: &'a mut EventLog,
    /// The `acquired` event, which the hook of that name reads.
    pub(super) acquired: String,
    /// The `lost` event, which is kept until the tree is dead.
    pub(super) lost: Option<Due>,
    /// Hooks that are to be started now.
    pub(super) due: Vec<Due>,
}

impl<'a> Audience<'a> {
    pub(super) const fn new(people: &'a mut dyn Listener, programs: &'a mut EventLog) -> Self {
        Self {
            people,
            programs,
            acquired: String::new(),
            lost: None,
            due: Vec::new(),
        }
    }

    /// Tells everybody.
    pub(super) fn hear(&mut self, news: &News<'_>) {
        self.people.hear(news);
        let Some(line) = self.programs.hear(news) else {
            return;
        };
        if let Some(error) = self.programs.first_loss() {
            self.people.hear(&News::EventLost { error: &error });
        }
        match news {
            News::Acquired { .. } => self.acquired = line,
            News::Doubt { remaining } => {
                let remaining = format!("{:.3}", remaining.as_secs_f64());
                let facts = vec![("REMAINING_S", remaining)];
                let hook = HookName::Doubt;
                self.due.push(Due { hook, line, facts });
            }
            News::Lost { .. } | News::NotRenewed { .. } => {
                let hook = HookName::Lost;
                let facts = vec![("REASON", loss(news).to_owned())];
                self.lost = Some(Due { hook, line, facts });
            }
            News::Released { .. } => {
                let hook = HookName::Released;
                let facts = Vec::new();
                self.due.push(Due { hook, line, facts });
            }
            _ => {}
        }
    }

    pub(super) fn follows_the_holder(&self) -> bool {
        self.people.follows_the_holder() || self.programs.follows_the_holder()
    }

    pub(super) fn wake_at(&self) -> Instant {
        self.people.wake_at()
    }

    pub(super) fn on_time(&mut self, now: Instant) {
        if now >= self.people.wake_at() {
            self.people.on_time(now);
        }
    }
}

impl std::fmt::Debug for Audience<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audience").finish_non_exhaustive()
    }
}

const fn loss(news: &News<'_>) -> &'static str {
    match news {
        News::Lost { why, .. } => why.word(),
        _ => NOT_RENEWED,
    }
}
