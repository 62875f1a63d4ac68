//! Known mistakes of lease protocols. Each has to have a counterexample.

/// One mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// P3: the deadline is counted from the answer, not from the request.
    DeadlineFromAnswer,
    /// P6: a machine has one owner id for all its acquisitions, and the store knows a holder by nothing else.
    OwnerReused,
    /// P3: the answer to a request that was given up is taken for that to the next, as on a connection that is
    /// shared after a time-out.
    AnswerOfAnother,
    /// No allowance for clocks that run at different rates.
    NoDrift,
    /// The guardian's clock stands still while the machine sleeps.
    ClockStopsInSuspend,
    /// Whoever wants the lease decides by a wall clock of its own that it has run out.
    TakeOverByWallClock,
    /// P7: the token is not on disk when it is given out.
    TokenNotDurable,
    /// P10: a good answer undoes a stop that has begun.
    Regained,
    /// P5: the lease is given back while something of the tree lives.
    ReleasedBeforeEmpty,
    /// P2, P11: nobody but the front kills.
    NoGuardian,
    /// A store that has lost its data grants at once.
    NoGuard,
}

/// All of them.
pub(crate) const ALL: [Mistake; 11] = [
    Mistake::DeadlineFromAnswer,
    Mistake::OwnerReused,
    Mistake::AnswerOfAnother,
    Mistake::NoDrift,
    Mistake::ClockStopsInSuspend,
    Mistake::TakeOverByWallClock,
    Mistake::TokenNotDurable,
    Mistake::Regained,
    Mistake::ReleasedBeforeEmpty,
    Mistake::NoGuardian,
    Mistake::NoGuard,
];
