//! What is heard of the machine, on its way to people, programs and the supervisor.

use std::io;
use std::time::Duration;

use super::audience::Audience;
use super::departure::{Reasons, Verdict};
use super::driver::Driver;
use super::news::News;
use super::plan::RunPlan;
use crate::commands::scheduled_events::{Choice, sharing};
use crate::notices::{self, API_VERSION, Endpoint, Names, NoticeSource, Opening, Role};
use crate::process::{self, identity};
use crate::supervisor::Event;

/// What was asked for longer ago says nothing about now.
const STALE: Duration = Duration::from_secs(5);

/// Which announced events are a reason to leave, and who tells of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveFor {
    /// Which.
    pub reasons: Reasons,
    /// Who.
    pub endpoint: Endpoint,
    /// By which names this machine is meant there, when that was typed.
    pub resources: Vec<String>,
    /// With whom it is shared.
    pub sharing: Choice,
    /// Whether an event may begin once we have left for it.
    pub ack_when_done: bool,
}

/// Where the machine's going away is told of.
pub(super) type Source = Option<Box<dyn NoticeSource>>;

/// Begins to listen. Call inside the runtime, after the guardian was forked: what a source keeps open is
/// never inherited.
pub(super) fn open(plan: &RunPlan, audience: &mut Audience<'_>) -> io::Result<Source> {
    let Some(leave_for) = &plan.leave_for else {
        return Ok(None);
    };
    let endpoint = &leave_for.endpoint;
    let mut names = Names::new(leave_for.resources.iter().cloned());
    if let Endpoint::File(path) = endpoint {
        if names.is_empty() {
            names = Names::new([plan.holder.host.clone()]);
        }
        // Nobody else looks at the file for us.
        let (role, why) = (Role::Direct, path.display().to_string());
        audience.hear(&News::Notices { role, why: &why });
    }
    let opening = Opening {
        api_version: API_VERSION.to_owned(),
        names,
        sharing: sharing(endpoint, leave_for.sharing.clone()),
        boot: identity::boot_id()?,
        watch: process::watch,
    };
    Ok(Some(notices::open(endpoint, opening)))
}

/// The next news of the machine; never, when nobody listens.
pub(super) async fn told(source: &mut Source) -> notices::News {
    match source {
        Some(source) => source.next().await,
        None => std::future::pending().await,
    }
}

impl Driver<'_> {
    /// Takes what the source tells, and tells it on.
    pub(super) fn hear_of_the_machine(&mut self, news: notices::News) {
        match news {
            notices::News::Updates(updates) => {
                let (now, wall) = (self.clock.now(), self.clock.wall());
                for update in &self.departure.hear(updates, now) {
                    let ahead = self.departure.is_ahead(&update.notice, wall);
                    self.audience.hear(&News::ScheduledEvent { update, ahead });
                }
            }
            notices::News::Role { role, why } => {
                self.audience.hear(&News::Notices { role, why: &why });
            }
            notices::News::Detail(why) => {
                let again = true;
                self.audience
                    .hear(&News::NoticesDoubtful { why: &why, again });
            }
            notices::News::Warning(why) => {
                // Before the first answer one warning is enough, whatever else is in its way.
                let again = self.warned && !self.departure.is_heard();
                self.warned = true;
                self.audience
                    .hear(&News::NoticesDoubtful { why: &why, again });
            }
        }
    }

    /// Looks at what is due, each second and after every news.
    pub(super) async fn look_at_the_machine(&mut self) {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        if now < self.departure.wake_at() {
            return;
        }
        if let Some(source) = &mut self.source {
            for notice in self.departure.wanted() {
                source.leaves(&notice.id);
            }
        }
        let good_at = self.source.as_ref().and_then(|source| source.good_at());
        let fresh = good_at.is_some_and(|at| now.since(at) <= STALE);
        match self.departure.look(now, wall, fresh) {
            Verdict::Nothing => {}
            Verdict::Goes { kill_by } => self.tell(Event::MachineGoes { kill_by }).await,
            Verdict::Stays { unheard } => {
                if unheard && !self.warned {
                    self.warned = true;
                    self.audience.hear(&News::NoticesSilent);
                }
                self.tell(Event::MachineStays).await;
            }
        }
    }
}
