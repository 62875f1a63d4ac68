//! Commands that multiply and hide in sessions of their own, and are gone all the same (P2).

use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::scene::{LEASE, assert_lease_is_free, assert_nothing_is_left, guardian_of, report};
use crate::support::alone::alone;
use crate::support::containment::Level;
use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::needs::needs;
use crate::support::processes::{alive, boot_now, send, wait_until};

pub(crate) fn trials() -> Vec<Trial> {
    let mut all = trials_at_each_level![
        three_hundred_sessions_are_gone_when_the_front_is_killed,
        three_hundred_sessions_are_gone_when_the_guardian_is_killed,
        a_storm_that_goes_on_while_it_is_killed_is_gone,
    ];
    all.extend(trials![
        three_thousand_sessions_in_a_cgroup_are_gone,
        runners_that_hand_over_without_pause_are_gone_from_a_cgroup,
    ]);
    all
}

/// A storm under leasectl, at its height.
struct Storm {
    front: Running,
    guardian: u32,
    lab: Lab,
}

impl Storm {
    fn brew(level: Level, options: &[&str], mode: &str, number: u32) -> Self {
        needs("gcc");
        let lab = Lab::new();
        let program = lab.path("storm");
        std::fs::write(lab.path("storm.c"), include_str!("storm.c")).unwrap();
        let mut compiler = lab.command("gcc");
        compiler.args(["-O1", "-Wall", "-Werror", "-o", "storm", "storm.c"]);
        lab.run(&mut compiler).expect_code(0);
        let mut command = level.leasectl(&lab, &["run", "--lease", LEASE]);
        command.args(options).arg("--").arg(program);
        let front = lab.spawn(command.args([mode, &number.to_string()]));
        wait_until(PATIENCE, "the storm is at its height", || {
            assert!(alive(front.id()), "{}", front.stderr());
            lab.path("ready").exists()
        });
        let guardian = guardian_of(front.id());
        Self {
            front,
            guardian,
            lab,
        }
    }

    /// Kills the front, and waits for the guardian to have seen the tree empty: how long that took, from
    /// the front's death and not counting the grace.
    fn without_front(self, grace: Duration) -> Duration {
        self.front.send(Signal::SIGKILL);
        // On a machine that is drowning even dying takes its time.
        wait_until(PATIENCE, "the front is dead", || !alive(self.front.id()));
        let killed = boot_now();
        wait_until(PATIENCE, "the guardian ends", || !alive(self.guardian));
        let took = boot_now() - killed;
        assert_nothing_is_left(&self.lab);
        assert_lease_is_free(&self.lab);
        took.saturating_sub(grace)
    }

    /// Kills the guardian, and waits for the front to have seen the tree empty: how long that took.
    fn without_guardian(self) -> Duration {
        let killed = boot_now();
        send(self.guardian, Signal::SIGKILL);
        let ended = self.front.wait(PATIENCE).expect_code(121);
        let took = boot_now() - killed;
        assert_nothing_is_left(&self.lab);
        assert_lease_is_free(&self.lab);
        drop(ended);
        took
    }
}

const GRACE: &str = "100ms";
const GRACE_IS: Duration = Duration::from_millis(100);
fn three_hundred_sessions_are_gone_when_the_front_is_killed(level: Level) {
    let _alone = alone();
    let took = (0..5).map(|_| {
        Storm::brew(level, &["--expiry-grace", GRACE], "still", 300).without_front(GRACE_IS)
    });
    report(
        &format!("300 sessions, front killed, {level}"),
        took.collect(),
    );
}

fn three_hundred_sessions_are_gone_when_the_guardian_is_killed(level: Level) {
    let _alone = alone();
    let took = (0..5).map(|_| Storm::brew(level, &[], "still", 300).without_guardian());
    report(
        &format!("300 sessions, guardian killed, {level}"),
        took.collect(),
    );
}

fn three_thousand_sessions_in_a_cgroup_are_gone() {
    let _alone = alone();
    let options = ["--expiry-grace", GRACE];
    let storm = || Storm::brew(Level::Cgroup, &options, "still", 3_000);
    let took = vec![
        storm().without_front(GRACE_IS),
        storm().without_front(GRACE_IS),
    ];
    report("3,000 sessions, front killed, in a cgroup", took);
    let took = vec![Storm::brew(Level::Cgroup, &[], "still", 3_000).without_guardian()];
    report("3,000 sessions, guardian killed, in a cgroup", took);
}

fn a_storm_that_goes_on_while_it_is_killed_is_gone(level: Level) {
    let _alone = alone();
    // By descent a storm of more than a few hundred has no bound (DESIGN section 3).
    let number = match level {
        Level::Tree => 300,
        Level::Cgroup => 2_000,
    };
    let brew = || Storm::brew(level, &["--expiry-grace", GRACE], "bomb", number);
    let took = (0..3).map(|_| brew().without_front(GRACE_IS)).collect();
    let what = format!("bomb that forks {number} times in a second");
    report(&format!("{what}, front killed, {level}"), took);
    let took = (0..3).map(|_| brew().without_guardian()).collect();
    report(&format!("{what}, guardian killed, {level}"), took);
}

/// By descent alone this has no bound: a runner that was seen has ended before it is signalled.
fn runners_that_hand_over_without_pause_are_gone_from_a_cgroup() {
    let _alone = alone();
    let options = ["--expiry-grace", GRACE];
    let brew = || Storm::brew(Level::Cgroup, &options, "chain", 20);
    let took = (0..3).map(|_| brew().without_front(GRACE_IS)).collect();
    report("20 runners without pause, front killed, in a cgroup", took);
    let took = (0..3).map(|_| brew().without_guardian()).collect();
    report(
        "20 runners without pause, guardian killed, in a cgroup",
        took,
    );
}
