//! A standby pair with `--restart always`: 50 hand-overs by SIGKILL, SIGTERM and the command's own end.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::script::{self, Begun, TOLD, begun};
use super::story::{self, End, Tenure};
use super::{LEASE, assert_all_is_over, events_so_far};
use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::processes::{alive, send, wait_until};
use crate::support::witness::Witness;

const HAND_OVERS: usize = 50;

pub(super) fn trials() -> Vec<Trial> {
    trials![fifty_hand_overs_let_one_run_at_any_time_and_the_events_tell_the_true_story]
}

/// Two machines, as it were: A and B, each with one leasectl at a time.
struct Pair {
    /// At 0 and 1; `None` between an end and a new start.
    sides: [Option<Running>; 2],
    witness: Witness,
    lab: Lab,
}

impl Pair {
    fn new() -> Self {
        let lab = Lab::new();
        let witness = Witness::new(lab.path("witness"));
        Self {
            sides: [None, None],
            witness,
            lab,
        }
    }

    const fn label(side: usize) -> &'static str {
        ["A", "B"][side]
    }

    /// Every leasectl of a side appends to the same file.
    fn events(&self, side: usize) -> PathBuf {
        self.lab.path(&format!("{}.ndjson", Self::label(side)))
    }

    fn start(&mut self, side: usize) {
        let label = Self::label(side);
        let mut command = self
            .lab
            .leasectl(["run", "--lease", LEASE, "--restart", "always"]);
        command.args([
            "--holder",
            label,
            "--events",
            &format!("{label}.ndjson"),
            "--",
        ]);
        command.args(script::words(&self.witness));
        self.sides[side] = Some(self.lab.spawn(&mut command));
    }

    fn front(&self, side: usize) -> u32 {
        self.sides[side].as_ref().unwrap().id()
    }

    /// Waits until a side stands by behind this holder.
    #[track_caller]
    fn wait_standing_by(&self, side: usize, behind: &Begun) {
        wait_until(PATIENCE, "the other stands by", || {
            let events = events_so_far(&self.events(side));
            let last = events.last().filter(|last| last["kind"] == "waiting");
            last.is_some_and(|last| last["holders"][0]["token"] == behind.token)
        });
    }

    /// Waits for the next tenure, and looks at who has it.
    #[track_caller]
    fn wait_begun(&self, number: usize, side: usize) -> Begun {
        wait_until(PATIENCE, "the lease is not stuck", || {
            begun(&self.lab).len() == number
        });
        let last = begun(&self.lab).pop().unwrap();
        assert_eq!(last.label, Self::label(side), "the other takes over");
        assert_eq!(
            last.front,
            self.front(side),
            "the command is the new holder's"
        );
        assert!(alive(last.pid));
        last
    }

    /// Ends a tenure.
    #[track_caller]
    fn end(&mut self, side: usize, holder: &Begun, how: End) {
        match how {
            End::Killed => {
                let front = self.sides[side].take().unwrap();
                front.send(Signal::SIGKILL);
                assert_eq!(front.wait(PATIENCE).signal(), Some(9));
            }
            End::Told => {
                let front = self.sides[side].take().unwrap();
                front.send(Signal::SIGTERM);
                front.wait(PATIENCE).expect_code(TOLD);
            }
            End::ByItself => send(holder.pid, Signal::SIGUSR1),
        }
    }
}

fn fifty_hand_overs_let_one_run_at_any_time_and_the_events_tell_the_true_story() {
    let mut pair = Pair::new();
    pair.start(0);
    let mut holder = pair.wait_begun(1, 0);
    pair.start(1);
    let mut tenures = Vec::new();
    let mut took: [Vec<Duration>; 3] = Default::default();
    for number in 0..HAND_OVERS {
        let (side, other) = (number % 2, (number + 1) % 2);
        let how = [End::Killed, End::Told, End::ByItself][number % 3];
        pair.wait_standing_by(other, &holder);
        let started = Instant::now();
        pair.end(side, &holder, how);
        let next = pair.wait_begun(number + 2, other);
        took[number % 3].push(started.elapsed());
        assert!(next.token > holder.token, "{holder:?} {next:?}");
        assert!(!alive(holder.pid), "{holder:?} has ended");
        tenures.push(Tenure::new(holder, how));
        holder = next;
        if how != End::ByItself {
            pair.start(side);
        }
    }
    let (side, other) = (HAND_OVERS % 2, (HAND_OVERS + 1) % 2);
    pair.wait_standing_by(other, &holder);
    let standby = pair.sides[other].take().unwrap();
    standby.send(Signal::SIGTERM);
    assert_eq!(standby.wait(PATIENCE).signal(), Some(15));
    assert!(alive(holder.pid), "a standby that goes disturbs nobody");
    pair.end(side, &holder, End::Told);
    tenures.push(Tenure::new(holder, End::Told));
    assert_eq!(begun(&pair.lab).len(), HAND_OVERS + 1);
    assert!(
        pair.witness.overlaps().is_empty(),
        "{:?}",
        pair.witness.overlaps()
    );
    assert_all_is_over(&pair.lab);
    for (how, took) in ["SIGKILL", "SIGTERM", "the command's own end"]
        .iter()
        .zip(took)
    {
        report(how, took);
    }
    story::check(&pair.lab, &[pair.events(0), pair.events(1)], &tenures);
}

/// Says how long it took; that depends on the machine, so nothing is asserted of it.
fn report(how: &str, mut took: Vec<Duration>) {
    took.sort();
    let (least, median, most) = (took[0], took[took.len() / 2], took[took.len() - 1]);
    let times = took.len();
    eprintln!(
        "measured: hand-over after {how}: median {median:.1?}, {least:.1?} to {most:.1?}, {times} times"
    );
}
