//! Settings for random runs.

use super::world::secs;
use crate::lease::{Timing, TimingOptions};
use crate::supervisor::{Guards, Leftovers, Settings, Wait};

/// Settings as `choice` has them.
pub(super) fn settings(choice: u32) -> Settings {
    let pick = |shift: u32| (choice >> shift) as usize % 4;
    let ttl = Some(secs([2, 10, 30, 60][pick(0)]));
    let options = TimingOptions {
        ttl,
        ..TimingOptions::default()
    };
    let guards = match pick(28) {
        0 => Guards::Process,
        _ => Guards::Command,
    };
    let mut leftovers = [
        Leftovers::Stop,
        Leftovers::Wait,
        Leftovers::Leave,
        Leftovers::Stop,
    ][pick(8)];
    // What a hook leaves under `hold` is stopped.
    if guards == Guards::Process {
        leftovers = Leftovers::Stop;
    }
    Settings {
        timing: Timing::new(options).unwrap(),
        wait: [
            Wait::No,
            Wait::For(secs(2)),
            Wait::For(secs(60)),
            Wait::Forever,
        ][pick(2)],
        guards,
        pause_first: [0, 0, 0, 2].map(secs)[pick(26)],
        only_if_machine_stays: pick(30) == 0,
        prepare: pick(24) == 0,
        run_timeout: [None, None, Some(secs(3)), Some(secs(25))][pick(4)],
        grace: [0, 1, 10, 300].map(secs)[pick(6)],
        leftovers,
        leftovers_settle: [0, 1, 1, 5].map(secs)[pick(10)],
    }
}
