//! Children that the shell had before it became leasectl (`sh -c 'job & exec leasectl run ...'`) are
//! no part of the command, and are never touched.

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::scene::{FAMILY, LEASE, STUBBORN, guardian_of};
use crate::support::containment::Level;
use crate::support::lab::{Ended, Lab, PATIENCE, Running};
use crate::support::processes::{alive, children, name, send, wait_until};
use crate::support::puppet::Puppets;

pub(crate) fn trials() -> Vec<Trial> {
    trials_at_each_level![
        earlier_children_survive_a_normal_end,
        earlier_children_survive_a_time_out,
        earlier_children_survive_the_guardians_death,
        earlier_children_survive_the_fronts_death,
        orphans_of_earlier_children_survive_the_guardians_death,
        an_earlier_child_that_ends_is_not_taken_for_the_command,
    ]
}

struct Shell {
    front: Running,
    stranger: u32,
    puppets: Puppets,
    lab: Lab,
}

impl Shell {
    /// A shell that starts `job` in the background, notes its pid, and becomes leasectl.
    fn start(level: Level, job: &str, options: &[&str], roles: &[&str]) -> Self {
        let lab = Lab::new();
        let puppets = Puppets::new(&lab, "log", roles);
        let mut guarded = level.leasectl(&lab, &["run", "--lease", LEASE]);
        guarded.args(options).arg("--").args(puppets.command());
        let mut shell = lab.sh(&format!("{job} & echo $! >stranger; exec \"$@\""));
        shell
            .arg("sh")
            .arg(guarded.get_program())
            .args(guarded.get_args());
        let front = lab.spawn(&mut shell);
        puppets.wait_ready();
        let stranger = lab.read("stranger").trim().parse().unwrap();
        assert!(children(front.id()).contains(&stranger));
        Self {
            front,
            stranger,
            puppets,
            lab,
        }
    }

    #[track_caller]
    fn expect_untouched(self, code: i32) -> Ended {
        let ended = self.front.wait(PATIENCE).expect_code(code);
        assert!(
            self.puppets.alive().is_empty(),
            "{:?}",
            self.puppets.alive()
        );
        assert!(alive(self.stranger), "{ended}");
        assert_eq!(self.lab.processes(), [self.stranger]);
        ended
    }
}

fn earlier_children_survive_a_normal_end(level: Level) {
    let shell = Shell::start(level, "sleep 1000", &[], &["main"]);
    shell.front.send(Signal::SIGTERM);
    let ended = shell.expect_untouched(0);
    assert_eq!(ended.stderr, "");
}

fn earlier_children_survive_a_time_out(level: Level) {
    let options = ["--run-timeout", "200ms", "--grace", "100ms"];
    let shell = Shell::start(level, "sleep 1000", &options, &STUBBORN);
    shell.expect_untouched(124);
}

fn earlier_children_survive_the_guardians_death(level: Level) {
    let shell = Shell::start(level, "sleep 1000", &[], &STUBBORN);
    send(guardian_of(shell.front.id()), Signal::SIGKILL);
    shell.expect_untouched(121);
}

fn earlier_children_survive_the_fronts_death(level: Level) {
    let shell = Shell::start(level, "sleep 1000", &[], &FAMILY);
    let guardian = guardian_of(shell.front.id());
    shell.front.send(Signal::SIGKILL);
    wait_until(PATIENCE, "the guardian ends", || !alive(guardian));
    assert!(shell.puppets.alive().is_empty());
    assert_eq!(shell.lab.processes(), [shell.stranger]);
}

/// The front adopts what such a child leaves behind. That is no part of the command either.
fn orphans_of_earlier_children_survive_the_guardians_death(level: Level) {
    let job = "sh -c 'sleep 1000 & echo $! >orphan; until test -e end; do sleep 0.01; done'";
    let shell = Shell::start(level, job, &[], &STUBBORN);
    let orphan: u32 = shell.lab.read("orphan").trim().parse().unwrap();
    let front = shell.front.id();
    assert!(!children(front).contains(&orphan));
    std::fs::write(shell.lab.path("end"), "").unwrap();
    wait_until(PATIENCE, "the front has adopted the orphan", || {
        children(front).contains(&orphan) && !children(front).contains(&shell.stranger)
    });
    // It has dealt with that when a signal that came later has been passed on.
    shell.front.send(Signal::SIGWINCH);
    wait_until(PATIENCE, "a signal is passed on", || {
        !shell.puppets.of_kind("WINCH").is_empty()
    });
    send(guardian_of(front), Signal::SIGKILL);
    let Shell {
        front,
        puppets,
        lab,
        ..
    } = shell;
    front.wait(PATIENCE).expect_code(121);
    assert!(puppets.alive().is_empty(), "{:?}", puppets.alive());
    assert_eq!(lab.processes(), [orphan]);
    assert_eq!(name(orphan).as_deref(), Some("sleep"));
}

fn an_earlier_child_that_ends_is_not_taken_for_the_command(level: Level) {
    let job = "sh -c 'until test -e end; do sleep 0.01; done; exit 9'";
    let shell = Shell::start(level, job, &[], &["main"]);
    std::fs::write(shell.lab.path("end"), "").unwrap();
    wait_until(PATIENCE, "the front has reaped it", || {
        !children(shell.front.id()).contains(&shell.stranger)
    });
    assert_eq!(shell.puppets.alive().len(), 1);
    shell.front.send(Signal::SIGTERM);
    shell.front.wait(PATIENCE).expect_code(0);
}
