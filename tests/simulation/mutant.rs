//! Known mistakes, each of which the simulation has to find. They are made where the parts meet (between
//! keeper, supervisor, guardian and store), so that no switch for them exists in what is shipped.

/// One mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// P3: a renewal counts from its answer.
    RenewalFromAnswer,
    /// P3, P4: a grant counts from its answer.
    GrantFromAnswer,
    /// P6: a machine has one owner id for all its acquisitions, and the store knows it by nothing else.
    OwnerReused,
    /// P3: the answer to a renewal that was given up is taken for that to the next.
    AnswerOfAnother,
    /// P3: the client repeats a renewal by itself when no answer has come, takes the answer to any of the copies,
    /// and counts from the last.
    ClientRetries,
    /// No allowance for clocks that run at different rates.
    NoDrift,
    /// P8: an unanswered renewal counts as good.
    DoubtIsYes,
    /// P10: a good answer undoes a stop that has begun.
    StoppingUndone,
    /// P5: the lease is given back as soon as the command is told to stop.
    ReleasedBeforeEmpty,
    /// P4: the command starts before the guardian has a deadline.
    StartedUnarmed,
    /// P11: nobody but the front kills.
    NoGuardian,
    /// The deadline is on a clock that stands still while the machine sleeps.
    ClockStopsInSuspend,
    /// The store grants a repeated claim again without a new expiry.
    OldExpiryKept,
    /// The store gives back whatever is held, by whomever.
    BlindRelease,
    /// P7: a restarted store counts its tokens from the beginning.
    TokensForgotten,
    /// P5: the command is killed and counts as all there was; what it started lives on.
    KillsOnlyTheCommand,
}

/// All of them.
pub(crate) const ALL: [Mutant; 16] = [
    Mutant::RenewalFromAnswer,
    Mutant::GrantFromAnswer,
    Mutant::OwnerReused,
    Mutant::AnswerOfAnother,
    Mutant::ClientRetries,
    Mutant::NoDrift,
    Mutant::DoubtIsYes,
    Mutant::StoppingUndone,
    Mutant::ReleasedBeforeEmpty,
    Mutant::StartedUnarmed,
    Mutant::NoGuardian,
    Mutant::ClockStopsInSuspend,
    Mutant::OldExpiryKept,
    Mutant::BlindRelease,
    Mutant::TokensForgotten,
    Mutant::KillsOnlyTheCommand,
];
