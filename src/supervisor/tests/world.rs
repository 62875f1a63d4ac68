//! A guardian, a store, a tree and a clock for random runs: what may happen next, and when.

use std::time::Duration;

use super::checks::check;
use super::coverage::{Branch, Coverage};
use super::ledger::{Ledger, Tree};
use super::settings::settings;
use crate::clock::Instant;
use crate::lease::{Effect, LostWhy, RefusedWhy};
use crate::supervisor::{Action, CommandEnd, Event, Fatal, Guards, Settings, Supervisor};

const ENDINGS: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// One random run.
pub(super) struct World<'a> {
    pub(super) supervisor: Supervisor,
    pub(super) settings: Settings,
    pub(super) now: Instant,
    pub(super) ledger: Ledger,
    pub(super) coverage: &'a mut Coverage,
    endless: bool,
    /// The tree does not go away, whatever is sent to it.
    stuck: bool,
}

/// What a random number asks for.
#[derive(Clone, Copy, Debug)]
enum Move {
    Tick,
    SleepIn,
    Granted,
    GrantedLate,
    Renewed,
    RenewedLate,
    Event(Event),
}

impl<'a> World<'a> {
    /// A world as `choice` has it, before the beginning.
    pub(super) fn new(choice: u32, coverage: &'a mut Coverage) -> Self {
        let settings = settings(choice);
        let now = Instant::from_nanos(1_000_000_000_000);
        Self {
            supervisor: Supervisor::new(settings, now),
            settings,
            now,
            ledger: Ledger::new(),
            coverage,
            endless: (choice >> 16).is_multiple_of(8),
            stuck: (choice >> 20).is_multiple_of(16) && settings.timing.ttl() >= secs(10),
        }
    }

    /// Plays the moves, then lets everything come to its end.
    pub(super) fn play(&mut self, moves: &[u32]) {
        self.deliver(Event::Begin);
        for &roll in moves {
            self.act(roll);
        }
        self.wind_up();
    }

    fn deliver(&mut self, event: Event) {
        let before = self.supervisor.tenure();
        let actions = self.supervisor.step(self.now, event);
        check(self, event, &actions, before);
    }

    fn act(&mut self, roll: u32) {
        let chosen = self.choose(roll);
        let fraction = f64::from((roll >> 8) & 0xffff) / 65536.0;
        let attempt = self.settings.timing.attempt();
        let span = match chosen {
            Move::SleepIn => self.settings.timing.ttl().mul_f64(fraction * 1.5),
            Move::GrantedLate => self.settings.timing.ttl().mul_f64(fraction),
            _ => attempt.mul_f64(fraction * fraction),
        };
        // Mostly the driver wakes when it is told to; sometimes it is late.
        let punctual = roll >> 30 != 0 && !matches!(chosen, Move::SleepIn);
        let then = self.now + span;
        if punctual {
            self.tick_until(then);
        }
        self.now = self.now.max(then);
        match chosen {
            Move::Tick => self.tick(),
            Move::SleepIn => {
                self.coverage.mark(Branch::VeryLate);
                // The guardian and the store have not slept, and may be heard first.
                match roll >> 30 {
                    0 if self.guardian_has_stopped() => self.deliver(Event::StopDue),
                    1 if self.ledger.renewing.is_some() => self.renewed(fraction),
                    _ => self.deliver(Event::Tick),
                }
            }
            Move::Granted | Move::GrantedLate => self.grant(fraction),
            Move::Renewed => self.renewed(fraction),
            Move::RenewedLate => {
                if let Some(asked_at) = self.ledger.given_up.take() {
                    self.coverage.mark(Branch::LateAnswer);
                    self.deliver(Event::Renewed {
                        asked_at,
                        rate: 1.0,
                    });
                }
            }
            Move::Event(event) => self.deliver(event),
        }
    }

    fn tick(&mut self) {
        let wake_at = self.supervisor.wake_at();
        if wake_at != Instant::NEVER {
            self.now = self.now.max(wake_at);
        }
        self.deliver(Event::Tick);
    }

    fn tick_until(&mut self, then: Instant) {
        while self.supervisor.wake_at() <= then {
            self.tick();
        }
    }

    /// Grants what is being asked for; the driver read the clock a little after it was told to ask.
    fn grant(&mut self, fraction: f64) {
        let ordered = self.ledger.acquiring.unwrap_or(self.now);
        let asked_at = ordered + self.now.since(ordered).mul_f64(fraction / 8.0);
        let ttl = (!self.endless).then(|| self.settings.timing.ttl());
        self.deliver(Event::Granted { asked_at, ttl });
    }

    fn renewed(&mut self, fraction: f64) {
        if let Some(ordered) = self.ledger.renewing {
            let asked_at = ordered + self.now.since(ordered).mul_f64(fraction / 8.0);
            // Now and then the store's clock was set forward.
            let rate = (32.0 * (fraction - 0.75)).max(1.0);
            if rate > 1.0 {
                self.coverage.mark(Branch::FastClock);
            }
            self.deliver(Event::Renewed { asked_at, rate });
        }
    }

    fn choose(&self, roll: u32) -> Move {
        let mut list = Vec::with_capacity(32);
        self.always(roll, &mut list);
        self.answers(&mut list);
        self.tree(&mut list);
        let total: u32 = list.iter().map(|(weight, _)| weight).sum();
        let mut rest = (roll & 0xff) * total / 256;
        for (weight, chosen) in list {
            if rest < weight {
                return chosen;
            }
            rest -= weight;
        }
        Move::Tick
    }

    fn always(&self, roll: u32, list: &mut Vec<(u32, Move)>) {
        let number = ENDINGS[(roll >> 24) as usize % 4];
        let number = if roll >> 26 & 7 == 0 {
            libc::SIGUSR1
        } else {
            number
        };
        let from_terminal = roll >> 29 & 1 == 0;
        // From what has passed already to what is longer than any grace.
        let kill_by = self.now + secs(u64::from(roll >> 22 & 15) * 2);
        list.push((12, Move::Tick));
        // Lateness matters most while an answer is under way that could move a deadline.
        let sleeps = if self.ledger.renewing.is_some() {
            12
        } else {
            2
        };
        list.push((sleeps, Move::SleepIn));
        let seeking = self.ledger.tree == Tree::NeverStarted;
        let signal = Event::Signal {
            number,
            from_terminal,
        };
        list.push((if seeking { 1 } else { 4 }, Move::Event(signal)));
        list.push((1, Move::Event(Event::StopAsked)));
        list.push((2, Move::Event(Event::MachineGoes { kill_by })));
        let listens = seeking && self.settings.only_if_machine_stays && !self.ledger.stays;
        list.push((
            if listens { 90 } else { 1 },
            Move::Event(Event::MachineStays),
        ));
        list.push((1, Move::Event(Event::Begin)));
        if self.settings.guards == Guards::Process {
            list.push((1, Move::Event(Event::NotNeeded)));
        }
        if !self.ledger.guardian_lost {
            list.push((1, Move::Event(Event::GuardianLost)));
        }
    }

    fn answers(&self, list: &mut Vec<(u32, Move)>) {
        let ledger = &self.ledger;
        let why = RefusedWhy::Held;
        let spread = 1.1;
        if ledger.waiting {
            list.push((8, Move::Event(Event::LookAgain)));
        }
        if ledger.acquiring.is_some() {
            list.push((40, Move::Granted));
            list.push((5, Move::GrantedLate));
            for look_again in [None, Some(secs(1))] {
                list.push((6, Move::Event(Event::Refused { why, look_again })));
            }
            for effect in [Effect::None, Effect::Unknown] {
                let event = Event::AttemptUnanswered { effect, spread };
                list.push((8, Move::Event(event)));
            }
            list.push((1, Move::Event(Event::AttemptFailed(Fatal::Garbled))));
        }
        if ledger.renewing.is_some() {
            list.push((16, Move::Renewed));
            list.push((12, Move::Event(Event::RenewalUnanswered)));
        }
        if ledger.given_up.is_some() {
            list.push((4, Move::RenewedLate));
        }
        if ledger.releasing {
            list.push((4, Move::Event(Event::Released { certain: true })));
            list.push((24, Move::Event(Event::Released { certain: false })));
        }
        if ledger.has_begun() {
            list.push((1, Move::Event(Event::RenewalLost(LostWhy::Expired))));
        }
    }

    fn tree(&self, list: &mut Vec<(u32, Move)>) {
        let ledger = &self.ledger;
        if self.guardian_has_stopped() {
            list.push((30, Move::Event(Event::StopDue)));
        }
        match ledger.tree {
            Tree::Preparing => {
                for (weight, end) in [(30, 0), (6, 1)] {
                    let event = Event::Prepared(CommandEnd::Exited(end));
                    list.push((weight, Move::Event(event)));
                }
                list.push((3, Move::Event(Event::CommandNotStarted { errno: 2 })));
            }
            Tree::Ordered => {
                list.push((60, Move::Event(Event::CommandStarted { pid: 7 })));
                list.push((6, Move::Event(Event::CommandNotStarted { errno: 2 })));
            }
            Tree::Running => {
                let ends = [CommandEnd::Exited(3), CommandEnd::Killed(9)];
                let end = ends[usize::from(ledger.killed.is_some())];
                list.push((4, Move::Event(Event::CommandExited(end))));
            }
            Tree::Ended if !self.stuck => list.push((4, Move::Event(Event::TreeEmpty))),
            _ => {}
        }
    }

    /// Whether the guardian's own timer has had its say, and nothing else before it.
    fn guardian_has_stopped(&self) -> bool {
        let ledger = &self.ledger;
        // The deadline before the last may fire while the last is on its way to the guardian.
        let armed = ledger.armed_before.or(ledger.armed);
        let passed = armed.is_some_and(|armed| armed.stop <= self.now);
        passed && ledger.stop.is_none() && !ledger.guardian_lost && ledger.guarded()
    }

    /// Lets everything come to its end: the command exits, the tree goes away or is given up.
    fn wind_up(&mut self) {
        for _ in 0..4_000 {
            if self.supervisor.is_done() {
                break;
            }
            let ledger = &self.ledger;
            let event = match ledger.tree {
                Tree::NeverStarted => Event::Signal {
                    number: libc::SIGTERM,
                    from_terminal: false,
                },
                _ if ledger.releasing => Event::Released { certain: false },
                Tree::Preparing => Event::Prepared(CommandEnd::Exited(0)),
                Tree::Ordered => Event::CommandStarted { pid: 7 },
                Tree::Running => Event::CommandExited(CommandEnd::Exited(0)),
                Tree::Ended if !self.stuck => Event::TreeEmpty,
                Tree::Ended if ledger.stop.is_none() && !ledger.let_go => Event::StopAsked,
                _ => {
                    self.renewed(0.0);
                    self.tick();
                    continue;
                }
            };
            self.deliver(event);
        }
        assert!(
            self.ledger.finished.is_some(),
            "no end: {:?}",
            self.supervisor
        );
        // A grant that comes in now is given back unless something ran.
        self.grant(0.0);
        self.deliver(Event::TreeEmpty);
    }

    /// Takes down what the actions have set going.
    pub(super) fn perform(&mut self, action: Action) {
        let ledger = &mut self.ledger;
        match action {
            Action::Acquire { .. } => {
                ledger.given_back = false;
                ledger.acquiring = Some(self.now);
                ledger.waiting = false;
            }
            Action::Wait { .. } => ledger.waiting = true,
            Action::Withdraw => {
                ledger.acquiring = None;
                ledger.waiting = false;
                ledger.known = false;
            }
            Action::Arm(deadline) => {
                ledger.armed_before = ledger.armed;
                ledger.armed = Some(deadline);
            }
            Action::Prepare => {
                ledger.prepared_at = Some(self.now);
                (ledger.releases, ledger.last_release) = (0, None);
                ledger.tree = Tree::Preparing;
            }
            // Whoever stops between hook and command finds nothing that would end.
            Action::Stop { .. } if ledger.tree == Tree::Prepared => ledger.tree = Tree::Ended,
            Action::Start => {
                ledger.starts += 1;
                // Grants that came too late were given back before.
                (ledger.releases, ledger.last_release) = (0, None);
                ledger.tree = Tree::Ordered;
            }
            Action::Renew => {
                ledger.renewing = Some(self.now);
                ledger.last_renewal = Some(self.now);
            }
            Action::Kill => {
                ledger.killed.get_or_insert(self.now);
            }
            // A process that was there before counts as ended, which is reported.
            Action::LetGo => ledger.let_go = self.settings.guards == Guards::Command,
            Action::Release(_) => {
                ledger.releases += 1;
                ledger.given_back = true;
                ledger.last_release = Some(self.now);
                ledger.releasing = true;
            }
            Action::Finish(outcome) => ledger.finished = Some(outcome),
            _ => {}
        }
    }
}

pub(super) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
