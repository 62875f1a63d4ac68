//! `--restart`: the machine does not queue again before the event is gone.

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{OBEDIENT, PREEMPT, is_free, running, so_far, two_looks};
use crate::support::lab::{Lab, PATIENCE};
use crate::support::metadata::{Announced, MetadataService};
use crate::support::processes::wait_until;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        a_standby_queues_again_when_the_event_is_gone,
        a_standby_that_stands_aside_ends_when_it_is_told_to,
    ]
}

const OPTIONS: [&str; 4] = ["--scheduled-events", "all", "--restart", "on-lost"];

fn a_standby_queues_again_when_the_event_is_gone() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let standby = running(&lab, &service, &OPTIONS, OBEDIENT);
    let id = service.announce(Announced::ours("Reboot", PREEMPT));
    wait_until(PATIENCE, "it has left", || {
        so_far(&lab, "restarting").len() == 1
    });
    two_looks();
    assert!(is_free(&lab), "it stands aside");
    assert_eq!(so_far(&lab, "acquired").len(), 1);
    service.vanish(&id);
    wait_until(PATIENCE, "it runs again", || {
        standby.stdout() == "ready\nready\n" && so_far(&lab, "started").len() == 2
    });
    standby.send(Signal::SIGTERM);
    standby.wait(PATIENCE).expect_code(3);
}

fn a_standby_that_stands_aside_ends_when_it_is_told_to() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let standby = running(&lab, &service, &OPTIONS, OBEDIENT);
    service.announce(Announced::ours("Reboot", PREEMPT));
    wait_until(PATIENCE, "it has left", || {
        so_far(&lab, "restarting").len() == 1
    });
    standby.send(Signal::SIGTERM);
    assert_eq!(standby.wait(PATIENCE).signal(), Some(15));
}
