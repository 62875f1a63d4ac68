//! One run after the other (`--restart`): each with a guardian, an acquisition and an owner of its own,
//! so that nothing of one run can leak into the next.

use std::time::Duration;

use super::audience::Audience;
use super::departure::Departure;
use super::driver::once;
use super::ended::{Ended, Unguarded};
use super::news::{Listener, News};
use super::plan::RunPlan;
use crate::commands::events::EventLog;
use crate::process::InheritedSignals;
use crate::supervisor::{Restarts, Settings};

/// Carries the plan out to its end. Call while this process has one thread.
///
/// # Errors
/// [`Unguarded`]: no process, descriptor or memory to be had.
pub fn run(
    plan: &RunPlan,
    people: &mut dyn Listener,
    programs: &mut EventLog,
) -> Result<Ended, Unguarded> {
    let inherited = InheritedSignals::read()?;
    let mut restarts = Restarts::new(plan.restart);
    let mut pause_first = Duration::ZERO;
    let mut ran_before = false;
    let mut departure = Departure::new(plan.leave_for.as_ref().map(|leave| leave.reasons.clone()));
    loop {
        let settings = Settings {
            pause_first,
            ..plan.settings
        };
        let audience = Audience::new(people, programs);
        let mut ended = once(plan, settings, &inherited, audience, &mut departure)?;
        ended.ran_before = ran_before;
        ran_before |= ended.started;
        let ttl = plan.settings.timing.ttl();
        // A signal that came after the last look waits in the kernel, and ends the next run's wait.
        let follows = restarts.after(ended.outcome, ended.ran, ttl);
        let Some(delay) = follows.filter(|_| !ended.told_to_end) else {
            return Ok(ended);
        };
        Audience::new(people, programs).hear(&News::Restarting { delay });
        pause_first = delay;
    }
}
