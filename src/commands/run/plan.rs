//! What a run needs, checked and ready.

use std::ffi::OsString;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use super::hooks::HookCommands;
use super::need::Needed;
use super::notices::LeaveFor;
use crate::lease::{Holder, LeaseName, LeaseStore, Purpose};
use crate::process::{Guarded, SignalName, Subject};
use crate::supervisor::{Restart, Settings};

/// Everything `leasectl run` was asked for. Nothing in it has been opened but the store.
#[derive(Debug)]
pub struct RunPlan {
    /// The lease.
    pub lease: LeaseName,
    /// The store that keeps it.
    pub store: Arc<dyn LeaseStore>,
    /// Times and policies.
    pub settings: Settings,
    /// Others are kept out this long from the acquisition on.
    pub min_hold: Option<Duration>,
    /// Labels of this process, for the record.
    pub holder: Holder,
    /// What the record tells of the command.
    pub purpose: Purpose,
    /// Descriptors that the guardian must not keep open.
    pub not_for_the_guardian: Vec<RawFd>,
    /// How leasectl stops the command.
    pub stop_signal: SignalName,
    /// The command, or the process in its place.
    pub subject: Subject,
    /// Until when that process needs the lease.
    pub needed: Needed,
    /// The environment, but for the token.
    pub environment: Vec<(OsString, OsString)>,
    /// What else is run.
    pub hooks: HookCommands,
    /// Which announced events are a reason to leave; `None`: nobody is asked for them.
    pub leave_for: Option<LeaveFor>,
    /// Whether a further run follows.
    pub restart: Restart,
}

impl RunPlan {
    pub(super) fn guarded(&self) -> io::Result<Guarded> {
        Ok(Guarded {
            subject: self.subject.again()?,
            environment: self.environment.clone(),
            hook: self.hooks.before_the_command(&self.environment),
            not_for_the_guardian: self.not_for_the_guardian.clone(),
            stop_signal: self.stop_signal,
            expiry_grace: self.settings.timing.expiry_grace(),
        })
    }
}
