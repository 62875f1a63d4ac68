//! Contenders on networks that spoil one request in ten, and the witness that never two of their commands run at
//! once; some of their fronts are killed meanwhile. Tokens rise.

use std::ffi::OsString;
use std::fs;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use crate::support::azurite::Azurite;
use crate::support::lab::{LEASECTL, Lab, PATIENCE, Running};
use crate::support::processes::{children, name, send, wait_until};
use crate::support::random::Random;
use crate::support::spoiler::Spoiler;
use crate::support::witness::Witness;

pub(crate) fn trials() -> Vec<Trial> {
    trials![never_two_of_them_run_at_once]
}

const CONTENDERS: usize = 4;
const LASTS: Duration = Duration::from_secs(40);

/// A host that runs a command under the lease again and again, by a network of its own.
struct Contender {
    spoiler: Spoiler,
    running: Running,
    _lab: Lab,
}

impl Contender {
    fn start(server: &Azurite, words: &[OsString]) -> Self {
        let spoiler = Spoiler::to(server.port());
        let lab = Lab::new();
        let again = format!(
            "while :; do '{LEASECTL}' run --lease a --ttl 15s --wait 1m -- \"$@\"; echo $?; done"
        );
        let mut contender = lab.command("sh");
        contender.args(["-c", &again, "contender"]).args(words);
        let url = server.url_by(spoiler.port(), "restart-guard=off&poll=200ms");
        let running = lab.spawn(contender.env("LEASECTL_STORE", url));
        Self {
            spoiler,
            running,
            _lab: lab,
        }
    }

    /// Kills the leasectl that runs just now, whatever it does.
    fn lose_a_front(&self) {
        let front = children(self.running.id());
        let mut front = front.into_iter();
        if let Some(front) = front.find(|pid| name(*pid).as_deref() == Some("leasectl")) {
            send(front, Signal::SIGKILL);
        }
    }
}

fn never_two_of_them_run_at_once() {
    let mut random = Random::new();
    println!("{}", random.again());
    let server = Azurite::in_memory();
    let course = Lab::new();
    let log = course.path("log");
    let witness = Witness::new(course.path("witness"));
    let script = format!("echo $LEASECTL_TOKEN >>'{}'; sleep 0.3", log.display());
    let words = witness.over(["sh", "-c", &script]);
    let contenders: Vec<Contender> = (0..CONTENDERS)
        .map(|_| Contender::start(&server, &words))
        .collect();
    let granted = || fs::read_to_string(&log).unwrap_or_default().lines().count();
    wait_until(PATIENCE, "a first grant", || granted() > 0);
    for Contender { spoiler, .. } in &contenders {
        spoiler.spoil_one_in(10, Random::new());
    }
    let began = Instant::now();
    while began.elapsed() < LASTS {
        std::thread::sleep(random.span(Duration::from_secs(6)));
        let at = usize::try_from(random.below(4)).unwrap();
        contenders[at].lose_a_front();
        assert_eq!(witness.overlaps(), Vec::<String>::new());
    }
    for Contender { spoiler, .. } in &contenders {
        spoiler.heal();
    }
    // Whatever was done to them, somebody gets it again, and then all do.
    let before = granted();
    wait_until(PATIENCE * 2, "grants after all that", || {
        granted() > before + CONTENDERS
    });
    assert_eq!(witness.overlaps(), Vec::<String>::new());
    let tokens = fs::read_to_string(&log).unwrap();
    let tokens: Vec<u64> = tokens.lines().map(|line| line.parse().unwrap()).collect();
    assert!(tokens.is_sorted_by(|a, b| a < b), "{tokens:?}");
    let spoiled: usize = contenders.iter().map(|one| one.spoiler.spoiled()).sum();
    println!("{} grants, {spoiled} spoiled requests", tokens.len());
    assert!(spoiled > 20, "{spoiled}");
}
