//! The loop: wait for one thing, tell the supervisor, perform what it orders.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::asked::{self, HandBack};
use super::audience::Audience;
use super::departure::Departure;
use super::ended::{Ended, Unguarded};
use super::hooks::Running;
use super::need::{self, Need};
use super::news::News;
use super::notices;
use super::plan::RunPlan;
use super::requests::{self, Answer, Request};
use crate::clock::{BootClock, Clock, Instant, WallTime};
use crate::keeper::Keeper;
use crate::lease::{Claim, Hold, Observation, OwnerId, Place, RefusedWhy, ServerClock, StoreError};
use crate::notices::Aside;
use crate::process::{Alarm, Front, FrontEvent, Guard, InheritedSignals};
use crate::supervisor::{CommandEnd, Event, Outcome, Phase, Settings, Supervisor};

/// Everything a run holds on to between two turns.
pub(super) struct Driver<'a> {
    pub(super) plan: &'a RunPlan,
    pub(super) audience: Audience<'a>,
    /// Hooks that run outside the tree.
    pub(super) hooks: Vec<Running>,
    /// When the `acquired` hook was ordered, until it has ended.
    pub(super) preparing: Option<Instant>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keeper: Keeper,
    pub(super) supervisor: Supervisor,
    pub(super) front: Front,
    pub(super) claim: Claim,
    /// The claim before, whose grant came too late and was given back, which the store has not confirmed. It may
    /// keep us out.
    pub(super) former: Option<Claim>,
    pub(super) hold: Option<Hold>,
    /// Whether a `hold` is needed still.
    pub(super) need: Need,
    /// What an operator wants of the hold.
    pub(super) hand_back: HandBack,
    /// What is announced for this machine.
    pub(super) departure: &'a mut Departure,
    pub(super) source: notices::Source,
    /// While we are stopped, another process asks what is announced.
    pub(super) aside: Option<Aside>,
    /// What is wrong with that has been said.
    pub(super) warned: bool,
    pub(super) place: Place,
    pub(super) request: Option<Request>,
    pub(super) refused_by: Option<Observation>,
    pub(super) refused_why: Option<RefusedWhy>,
    pub(super) last_error: Option<StoreError>,
    /// What the store said of giving the lease back.
    pub(super) given_back: Option<Result<(), StoreError>>,
    pub(super) renewals: u64,
    pub(super) server_clock: ServerClock,
    /// Renewals that went unanswered since the last that was.
    pub(super) unanswered: u64,
    /// When the grant or a renewal was answered last, for people.
    pub(super) last_renewed_at: WallTime,
    pub(super) acquired_at: Instant,
    pub(super) began: Instant,
    pub(super) start_ordered: bool,
    pub(super) started_at: Option<Instant>,
    pub(super) ended_at: Option<Instant>,
    /// When the guardian has had its chance to empty the tree.
    pub(super) guardian_until: Instant,
    /// We were stopped because the command was, and it has not gone on since.
    pub(super) paused: bool,
    pub(super) ran_out_stopped: bool,
    /// The store said that the hold is over.
    pub(super) lost: bool,
    /// How it ends, once that is known; others may still have to be told.
    pub(super) outcome: Option<Outcome>,
    pub(super) finished: Option<Outcome>,
    /// TERM, INT or QUIT was heard.
    pub(super) told_to_end: bool,
}

/// Runs the plan once: one guardian, one acquisition, at most one command. Call while this process has
/// one thread: the guardian is forked here, and the runtime is started only afterwards.
pub(super) fn once<'a>(
    plan: &'a RunPlan,
    settings: Settings,
    inherited: &InheritedSignals,
    audience: Audience<'a>,
    departure: &'a mut Departure,
) -> Result<Ended, Unguarded> {
    let guard = Guard::fork(&plan.guarded()?, inherited)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        departure.begins(BootClock.now());
        let mut driver = Driver::new(plan, settings, audience, Front::new(guard)?, departure)?;
        let outcome = match driver.drive().await {
            Ok(outcome) => {
                driver.let_it_begin(outcome).await;
                outcome
            }
            Err(error) => {
                let started = driver.start_ordered;
                return Err(Unguarded { error, started });
            }
        };
        Ok(driver.end(outcome))
    })
}

fn keeper(plan: &RunPlan, clock: &Arc<dyn Clock>) -> Keeper {
    let attempt = plan.settings.timing.attempt();
    Keeper::new(Arc::clone(&plan.store), Arc::clone(clock), attempt)
}

/// The clock, and what it shows now: to us, and to people.
fn started_clock() -> (Arc<dyn Clock>, Instant, WallTime) {
    (Arc::new(BootClock), BootClock.now(), BootClock.wall())
}

impl<'a> Driver<'a> {
    fn new(
        plan: &'a RunPlan,
        settings: Settings,
        mut audience: Audience<'a>,
        front: Front,
        departure: &'a mut Departure,
    ) -> io::Result<Self> {
        let (clock, began, last_renewed_at) = started_clock();
        Ok(Self {
            source: notices::open(plan, &mut audience)?,
            aside: None,
            keeper: keeper(plan, &clock),
            supervisor: Supervisor::new(settings, began),
            plan,
            audience,
            hooks: Vec::new(),
            preparing: None,
            clock,
            front,
            claim: claim(plan)?,
            former: None,
            hold: None,
            need: Need::new(plan.needed, &plan.subject)?,
            hand_back: HandBack::default(),
            departure,
            warned: false,
            place: Place::default(),
            request: None,
            refused_by: None,
            refused_why: None,
            last_error: None,
            given_back: None,
            renewals: 0,
            server_clock: ServerClock::default(),
            unanswered: 0,
            last_renewed_at,
            acquired_at: began,
            began,
            start_ordered: false,
            started_at: None,
            ended_at: None,
            guardian_until: Instant::NEVER,
            paused: false,
            ran_out_stopped: false,
            lost: false,
            outcome: None,
            finished: None,
            told_to_end: false,
        })
    }

    fn end(self, outcome: Outcome) -> Ended {
        let command = self.command_end();
        if outcome == Outcome::NotShownDead {
            // The guardian goes on killing what is left, and keeps a kernel lock meanwhile.
            self.front.leave_to_guardian();
        } else {
            self.front.close();
        }
        Ended {
            outcome,
            command,
            needless: self.need.is_over(),
            started: self.start_ordered,
            ran_before: false,
            ran_out_stopped: self.ran_out_stopped,
            ran: self.started_at.map(|at| self.clock.now().since(at)),
            told_to_end: self.told_to_end,
            event: self.departure.cause().cloned(),
            asked_by: self.hand_back.into_request(),
            refused_by: self.refused_by,
            error: self.last_error,
        }
    }

    async fn drive(&mut self) -> io::Result<Outcome> {
        let alarm = Alarm::new()?;
        self.tell(Event::Begin).await;
        loop {
            self.start_due_hooks();
            if let (Some(outcome), true) = (self.finished, self.hooks.is_empty()) {
                return Ok(outcome);
            }
            let wake = self.supervisor.wake_at().min(self.guardian_until);
            let wake = wake
                .min(self.need.wake_at())
                .min(self.departure.wake_at())
                .min(self.hooks_wake_at())
                .min(self.audience.wake_at());
            // Not biased: a flood of signals must not keep an answer from being heard.
            tokio::select! {
                event = self.front.next() => self.hear_front(event?).await,
                answer = requests::answer(&mut self.request) => self.hear_answer(answer).await?,
                () = need::over(&mut self.need) => {}
                news = notices::told(&mut self.source) => self.hear_of_the_machine(news),
                told = asked::told(&mut self.hand_back) => self.hear_of_the_hold(told).await?,
                rung = alarm.ring(wake) => {
                    rung?;
                    self.hear_what_waits().await?;
                    self.check_guardian();
                    self.need.on_time(self.clock.now());
                    self.tell(Event::Tick).await;
                }
            }
            self.pass_the_need_on().await;
            self.look_at_the_machine().await;
            self.check_hooks();
            self.audience.on_time(self.clock.now());
        }
    }

    /// What the guardian and the signals say comes before an answer or the time: it has already happened.
    ///
    /// The two orders, when TERM comes in the moment in which the lease is granted: heard first, it ends
    /// the wait and nothing is started; heard second, a command is started that nobody wants any more.
    pub(super) async fn hear_what_waits(&mut self) -> io::Result<()> {
        /// More than there are kinds of signals, each of which waits once at most.
        const MOST: usize = 64;
        for _ in 0..MOST {
            match self.front.heard()? {
                Some(event) => self.hear_front(event).await,
                None => break,
            }
        }
        Ok(())
    }

    async fn hear_answer(&mut self, answer: Answer) -> io::Result<()> {
        // That the lease is given back stands, whatever anybody asks for meanwhile.
        if !matches!(answer, Answer::Released(_)) {
            self.hear_what_waits().await?;
        }
        // Once it is over, what the answer may have granted went back with the withdrawal.
        if self.finished.is_none()
            && let Some(event) = self.understand(answer)
        {
            self.tell(event).await;
        }
        self.pass_the_request_on().await;
        Ok(())
    }

    fn start_due_hooks(&mut self) {
        for mut due in std::mem::take(&mut self.audience.due) {
            due.facts.extend(self.facts_of_the_end());
            self.start_hook(&due);
        }
    }

    /// Tells the supervisor what happened and performs what it orders.
    pub(super) async fn tell(&mut self, event: Event) {
        let actions = self.supervisor.step(self.clock.now(), event);
        for action in actions {
            self.perform(action).await;
        }
    }

    /// A guardian that has not emptied the tree in time does not do its work: stopped, perhaps.
    fn check_guardian(&mut self) {
        if self.clock.now() >= self.guardian_until {
            self.guardian_until = Instant::NEVER;
            let limit = self.plan.settings.timing.margin() / 4;
            self.front.question_guardian(limit);
        }
    }

    /// A signal ends the wait for the store's answer to a release. The two orders, when it comes just
    /// after the release was ordered: asked first, the lease is given back, even if nobody waits to hear
    /// so; heard first, the request is dropped before it was sent, and the lease has to run out.
    async fn ask_before_leaving(&mut self) {
        let answer = tokio::select! {
            biased;
            answer = requests::answer(&mut self.request) => answer,
            () = std::future::ready(()) => return,
        };
        if let Some(event) = self.understand(answer) {
            self.tell(event).await;
        }
    }

    async fn hear_front(&mut self, event: FrontEvent) {
        if matches!(event, FrontEvent::Signal(_)) && self.supervisor.phase() == Phase::Releasing {
            self.ask_before_leaving().await;
        }
        let event = match event {
            FrontEvent::Started { .. } if self.preparing.is_some() => return,
            FrontEvent::Started { pid, containment } => {
                let now = self.clock.now();
                self.started_at = Some(now);
                self.need.begins(now);
                self.audience.hear(&if self.is_hold() {
                    News::Guarding {
                        pid: Some(pid).filter(|pid| *pid > 0),
                    }
                } else {
                    News::Started { pid, containment }
                });
                Event::CommandStarted {
                    pid: pid.unsigned_abs(),
                }
            }
            FrontEvent::NotStarted(errno) => {
                self.hook_not_started(errno);
                Event::CommandNotStarted { errno }
            }
            FrontEvent::HookEnded(pid, change) => return self.hook_ended(pid, change),
            FrontEvent::Command(change) => match self.command_changed(change).await {
                Some(event) => event,
                None => return,
            },
            FrontEvent::StopDue => Event::StopDue,
            FrontEvent::Empty => {
                self.guardian_until = Instant::NEVER;
                Event::TreeEmpty
            }
            FrontEvent::GuardianLost => return self.unguarded().await,
            FrontEvent::Signal(heard) => match self.hear_signal(heard).await {
                Some(event) => event,
                None => return,
            },
        };
        self.tell(event).await;
    }

    /// Nobody but us stops the command any more. The two orders: told first, a disk that takes its time over
    /// the line lets the command run on; stopped first, people hear of it that much later (P11).
    async fn unguarded(&mut self) {
        self.guardian_until = Instant::NEVER;
        let running = self.start_ordered || self.preparing.is_some();
        self.tell(Event::GuardianLost).await;
        self.audience.hear(&News::GuardianLost { running });
    }

    /// How the command ended. Of a process that was there before nobody knows.
    pub(super) fn command_end(&self) -> Option<CommandEnd> {
        let end = self.supervisor.command_end();
        end.filter(|_| !self.is_hold())
    }

    /// So long until the stop signal; `None` for a hold that ends with its process.
    pub(super) fn until_stop(&self) -> Option<Duration> {
        let stop = self.supervisor.tenure().map(|tenure| tenure.stop());
        stop.filter(|stop| *stop != Instant::NEVER)
            .map(|stop| stop.since(self.clock.now()))
    }
}

/// One claim for each acquisition: its owner is nobody else (P6).
pub(super) fn claim(plan: &RunPlan) -> io::Result<Claim> {
    Ok(Claim {
        name: plan.lease.clone(),
        owner: OwnerId::fresh().map_err(io::Error::from)?,
        ttl: plan.settings.timing.ttl(),
        min_hold: plan.min_hold,
        holder: plan.holder.clone(),
        purpose: plan.purpose.clone(),
        unanswered: false,
    })
}
