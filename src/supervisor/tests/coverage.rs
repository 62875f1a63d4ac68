//! Which branches the random runs have reached: a property that never met its case proves nothing.

/// A branch worth reaching.
#[derive(Clone, Copy, Debug)]
pub(super) enum Branch {
    Started,
    HookStarted,
    HookFailed,
    HookTooSlow,
    InterruptedInHook,
    TooLate,
    SilentStore,
    RefusedAtLimit,
    Unreachable,
    Interrupted,
    GrantAfterEnd,
    Withdrawn,
    Doubted,
    DoubtEnded,
    LateAnswer,
    FastClock,
    StoppedByDeadline,
    StoppedByGuardian,
    TimedOut,
    AskedWhileRunning,
    LeftWhileRunning,
    LeftWhileSeeking,
    LeftBeforeTheClaim,
    GraceCapped,
    GraceCutShort,
    LostWhileRunning,
    LostWhileSettling,
    LostWhileStopping,
    GuardianLost,
    GuardianLostWhileStopping,
    ProcessLetGo,
    ProcessLost,
    ProcessUnguarded,
    Forwarded,
    NotStarted,
    Settled,
    LeftoversStopped,
    LeftoversLetGo,
    LeftoversWaitedFor,
    ArmedWhileStopping,
    KilledAfterGrace,
    KilledAtDeadline,
    SurvivorsNamed,
    GivenUpAtDead,
    GivenUpBySignal,
    GivenUpByPatience,
    ReleasedAtOnce,
    ReleaseRetried,
    ReleaseUncertain,
    EndlessHold,
    VeryLate,
}

const BRANCHES: usize = Branch::VeryLate as usize + 1;

/// How often each branch was reached.
#[derive(Debug)]
pub(super) struct Coverage([(Option<Branch>, u64); BRANCHES]);

impl Coverage {
    pub(super) const fn new() -> Self {
        Self([(None, 0); BRANCHES])
    }

    pub(super) fn mark(&mut self, branch: Branch) {
        let (name, count) = &mut self.0[branch as usize];
        *name = Some(branch);
        *count += 1;
    }

    /// The branches that were reached less than `least` times.
    pub(super) fn missing(&self, least: u64) -> Vec<(usize, Option<Branch>, u64)> {
        let each = self.0.iter().enumerate();
        each.filter(|(_, (_, count))| *count < least)
            .map(|(index, (name, count))| (index, *name, *count))
            .collect()
    }
}
