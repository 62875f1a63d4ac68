//! What a run was asked to do, as far as the decision core cares. Checked values only: parsing and
//! refusing happened on a higher floor.

use std::time::Duration;

use crate::lease::Timing;

/// The settings of one run. All spans are measured on our boot clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// What is guarded.
    pub guards: Guards,
    /// The lease's time-outs (DESIGN section 4).
    pub timing: Timing,
    /// How long to wait for the lease (`--wait`).
    pub wait: Wait,
    /// How long to pause before the lease is asked for at all (`--restart`, between two runs); counted
    /// into `wait`. Too small: a command that fails at once hammers the store and the machine; too large:
    /// a standby that could take over stands aside.
    pub pause_first: Duration,
    /// Whether nothing is claimed before it is said that the machine stays (`--scheduled-events`). The
    /// driver says so after a second at the latest, unless it knows better; counted into `wait`.
    pub only_if_machine_stays: bool,
    /// Whether the `acquired` hook comes before the command (`--on-acquired`).
    pub prepare: bool,
    /// Longest run of the command, from its start (`--run-timeout`). Too small: work is cut off.
    pub run_timeout: Option<Duration>,
    /// From the stop signal to SIGKILL when leasectl itself decides to stop while the lease is still
    /// ours (`--grace`). Too small: the command cannot tidy up; too large: others wait longer.
    pub grace: Duration,
    /// What happens to processes that the command leaves behind (`--leftovers`).
    pub leftovers: Leftovers,
    /// How long those get, from the command's own end, to end by themselves before `leftovers`
    /// decides (`--leftovers-settle`). Too small: `exec > >(tee log)` loses output.
    pub leftovers_settle: Duration,
}

/// What is guarded: how much of the promise can be kept for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guards {
    /// A command that we start, with all that it starts. Signals are for it.
    Command,
    /// A process that was there before (`hold`), or nobody. It is told to end and is given time for that
    /// even when the lease is lost; it goes on when the lease is not needed any more.
    Process,
}

/// How long to wait for the lease, counted from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Try once. A store that cannot be reached is still retried for a few seconds.
    No,
    /// This long.
    For(Duration),
    /// Until it is ours.
    Forever,
}

/// What happens to processes that the command leaves behind (DESIGN section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftovers {
    /// They are stopped, and killed after the grace.
    Stop,
    /// The lease is held until all of them have ended.
    Wait,
    /// They go on unguarded: the one stated exception to P1 and P5.
    Leave,
}
