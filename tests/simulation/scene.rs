//! What every history needs and none is about: names, labels, settings.

use std::time::Duration;

use leasectl::lease::{
    Claim, Ending, Holder, LeaseName, OutcomeWord, OwnerId, Purpose, Timing, TimingOptions,
};
use leasectl::supervisor::{Guards, Leftovers, Settings, Wait};

use crate::mutant::Mutant;
use crate::random::Random;

/// A claim with an owner of its own.
pub(crate) fn claim(ttl: Duration) -> Claim {
    Claim {
        name: LeaseName::try_from("nightly".to_owned()).unwrap(),
        owner: OwnerId::fresh().unwrap(),
        ttl,
        min_hold: None,
        holder: Holder {
            label: String::new(),
            host: String::new(),
            machine: String::new(),
            boot: String::new(),
            pid: 1,
            start_ticks: 1,
            user: String::new(),
            version: String::new(),
        },
        purpose: Purpose::default(),
        unanswered: false,
    }
}

pub(crate) fn ending() -> Ending {
    Ending {
        outcome: OutcomeWord::Completed,
        exit_code: None,
        signal: None,
        ran: None,
        renewals: 0,
        by: None,
        reason: None,
    }
}

pub(crate) fn settings(dice: &mut Random, ttl: Duration, mutant: Option<Mutant>) -> Settings {
    let options = TimingOptions {
        ttl: Some(ttl),
        max_drift: (mutant == Some(Mutant::NoDrift)).then_some(0.0),
        ..TimingOptions::default()
    };
    let secs = Duration::from_secs;
    Settings {
        guards: Guards::Command,
        timing: Timing::new(options).unwrap(),
        wait: [Wait::Forever, Wait::Forever, Wait::For(ttl), Wait::No][dice.below(4) as usize],
        pause_first: Duration::ZERO,
        only_if_machine_stays: false,
        prepare: false,
        run_timeout: [None, None, Some(ttl)][dice.below(3) as usize],
        grace: [secs(0), secs(1), secs(10)][dice.below(3) as usize],
        leftovers: [Leftovers::Stop, Leftovers::Wait][dice.below(2) as usize],
        leftovers_settle: secs(1),
    }
}
