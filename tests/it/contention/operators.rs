//! What people do to the files of a lease while it is held.
//!
//! What the lock was on is gone: the holder is told, or finds out at its next renewal, and kills its command.
//! Until then a newcomer can hold the new file: that is said in the docs, and tokens still rise. What
//! does not carry the lock can be removed and is made again.

use std::time::Duration;

use libtest_mimic::Trial;

use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::processes::wait_until;
use crate::support::witness::Witness;

/// What takes the lock away from under its holder.
const TAKES_AWAY: [&str; 5] = [
    "rm store/turn.lock",
    "mv store/turn.lock saved; install -m 600 /dev/null store/turn.lock",
    "rm -r store",
    "mv store saved",
    "mv store saved; cp -rp saved store",
];

/// What does not.
const LEAVES_ALONE: [&str; 4] = [
    "rm store/turn.token",
    "rm store/turn.record",
    "echo nonsense >store/turn.record",
    "touch store/turn.lock; rm store/turn.token store/turn.record",
];

pub(super) fn trials() -> Vec<Trial> {
    trials![
        a_lock_that_was_taken_away_is_a_loss,
        a_lock_that_was_taken_away_is_told_without_a_renewal,
        a_waiter_does_not_get_a_lock_that_was_taken_away,
        other_files_can_be_removed_under_a_hold,
    ]
}

fn words(witness: &Witness, options: &[&str], script: &str) -> Vec<std::ffi::OsString> {
    let words = ["run", "--lease", "turn", "--ttl", "2s"];
    let all = words.iter().chain(options).chain(&["--"]).map(Into::into);
    all.chain(witness.over(["sh", "-c", script])).collect()
}

/// A holder whose command runs until it is killed, and its token.
#[track_caller]
fn holder(lab: &Lab, witness: &Witness) -> (Running, u64) {
    let script = "echo $LEASECTL_TOKEN; exec sleep 600";
    let holder = lab.spawn(&mut lab.leasectl(words(witness, &[], script)));
    wait_until(PATIENCE, "the command runs", || {
        holder.stdout().ends_with('\n')
    });
    let token = holder.stdout().trim_end().parse().unwrap();
    (holder, token)
}

/// The token of one more run, which nobody may keep out.
#[track_caller]
fn next(lab: &Lab, witness: &Witness) -> u64 {
    let ended = lab.run(&mut lab.leasectl(words(witness, &[], "echo $LEASECTL_TOKEN")));
    ended.expect_code(0).stdout.trim_end().parse().unwrap()
}

fn a_lock_that_was_taken_away_is_a_loss() {
    for act in TAKES_AWAY {
        let lab = Lab::new();
        let witness = Witness::new(lab.path("witness"));
        let (holder, token) = holder(&lab, &witness);
        lab.run(&mut lab.sh(act)).expect_code(0);
        let ended = holder.wait(PATIENCE).expect_code(121);
        // A renewal is due every 400 ms; the machine may be busy.
        assert!(ended.took < Duration::from_secs(30), "{act}: {ended}");
        assert!(ended.stderr.contains("no longer known"), "{act}: {ended}");
        assert_eq!(lab.processes(), [0; 0], "{act}");
        assert!(next(&lab, &witness) > token, "{act}");
        assert_eq!(witness.overlaps(), [""; 0], "{act}");
    }
}

fn a_lock_that_was_taken_away_is_told_without_a_renewal() {
    for act in &TAKES_AWAY[..3] {
        let lab = Lab::new();
        let script = "echo up; exec sleep 600";
        // The next one would be due in hours.
        let mut command = lab.leasectl(["run", "--lease", "turn", "--ttl", "24h", "--"]);
        let holder = lab.spawn(command.args(["sh", "-c", script]));
        wait_until(PATIENCE, "the command runs", || holder.stdout() == "up\n");
        lab.run(&mut lab.sh(act)).expect_code(0);
        let ended = holder.wait(PATIENCE).expect_code(121);
        assert!(ended.stderr.contains("no longer known"), "{act}: {ended}");
    }
}

fn a_waiter_does_not_get_a_lock_that_was_taken_away() {
    for act in TAKES_AWAY {
        let lab = Lab::new();
        let witness = Witness::new(lab.path("witness"));
        let (holder, token) = holder(&lab, &witness);
        let script = "echo $LEASECTL_TOKEN";
        let waiter = lab.spawn(&mut lab.leasectl(words(&witness, &["--wait", "1m"], script)));
        wait_until(PATIENCE, "it waits", || waiter.stderr().contains("wait"));
        lab.run(&mut lab.sh(act)).expect_code(0);
        holder.wait(PATIENCE).expect_code(121);
        let ended = waiter.wait(PATIENCE);
        // The lock file it looks for anew, the directory not: that may not even be meant to be one.
        if act.contains("turn.lock") {
            let ended = ended.expect_code(0);
            assert!(
                ended.stdout.trim_end().parse::<u64>().unwrap() > token,
                "{act}"
            );
        } else {
            let ended = ended.expect_code(125);
            assert!(ended.stdout.is_empty(), "{act}: {ended}");
            assert!(ended.stderr.contains("removed"), "{act}: {ended}");
        }
        assert!(next(&lab, &witness) > token, "{act}");
        assert_eq!(witness.overlaps(), [""; 0], "{act}");
    }
}

fn other_files_can_be_removed_under_a_hold() {
    for act in LEAVES_ALONE {
        let lab = Lab::new();
        let witness = Witness::new(lab.path("witness"));
        let (holder, token) = holder(&lab, &witness);
        lab.run(&mut lab.sh(act)).expect_code(0);
        // Two renewals later it still holds.
        std::thread::sleep(Duration::from_millis(900));
        let refused = lab.run(&mut lab.leasectl(words(&witness, &[], "echo never")));
        refused.expect_code(120);
        holder.send(nix::sys::signal::Signal::SIGTERM);
        let ended = holder.wait(PATIENCE);
        assert_eq!(ended.signal(), Some(15), "{act}: {ended}");
        assert!(next(&lab, &witness) > token, "{act}");
        assert_eq!(witness.overlaps(), [""; 0], "{act}");
    }
}
