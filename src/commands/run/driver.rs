//! The loop: wait for one thing, tell the supervisor, perform what it orders.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::news::{Listener, News};
use super::plan::RunPlan;
use super::requests::{self, Request};
use crate::clock::{BootClock, Clock, Instant, WallTime};
use crate::keeper::Keeper;
use crate::lease::{Claim, Hold, Observation, OwnerId, Place, RefusedWhy, StoreError};
use crate::process::{
    Alarm, Change, Front, FrontEvent, Guard, Heard, JobControl, has_terminal,
    somebody_can_continue_us, stop_ourselves,
};
use crate::supervisor::{CommandEnd, Event, Outcome, Phase, Supervisor};

/// How a run ended, with what is known of it.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// How the command's main process ended, when it did.
    pub command: Option<CommandEnd>,
    /// Whether the guardian was told to start a command. One that dies right after has perhaps done
    /// so without a report, so that only without the order it is certain that nothing was run.
    pub started: bool,
    /// Whether the lease ran out while leasectl was stopped along with the command (Ctrl-Z).
    pub ran_out_stopped: bool,
    /// Who had the lease, when that was the reason.
    pub refused_by: Option<Observation>,
    /// The store's last error, when that was the reason.
    pub error: Option<StoreError>,
}

/// The front could not go on. The guardian stops what was started.
#[derive(Debug)]
pub struct Unguarded {
    /// Why.
    pub error: io::Error,
    /// Whether a command may have been started.
    pub started: bool,
}

impl From<io::Error> for Unguarded {
    fn from(error: io::Error) -> Self {
        Self {
            error,
            started: false,
        }
    }
}

/// Everything a run holds on to between two turns.
pub(super) struct Driver<'a> {
    pub(super) plan: &'a RunPlan,
    pub(super) listener: &'a mut dyn Listener,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keeper: Keeper,
    pub(super) supervisor: Supervisor,
    pub(super) front: Front,
    pub(super) claim: Claim,
    pub(super) hold: Option<Hold>,
    pub(super) place: Place,
    pub(super) request: Option<Request>,
    pub(super) refused_by: Option<Observation>,
    pub(super) refused_why: Option<RefusedWhy>,
    pub(super) last_error: Option<StoreError>,
    pub(super) release_error: Option<StoreError>,
    pub(super) renewals: u64,
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
    pub(super) finished: Option<Outcome>,
}

/// Runs the plan to its end. Call while this process has one thread: the guardian is forked here,
/// and the runtime is started only afterwards.
///
/// # Errors
/// [`Unguarded`]: no process, descriptor or memory to be had.
pub fn run(plan: &RunPlan, listener: &mut dyn Listener) -> Result<Ended, Unguarded> {
    let guard = Guard::fork(&plan.guarded())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut driver = Driver::new(plan, listener, Front::new(guard)?)?;
        let outcome = match driver.drive().await {
            Ok(outcome) => outcome,
            Err(error) => {
                let started = driver.start_ordered;
                return Err(Unguarded { error, started });
            }
        };
        let Driver {
            supervisor,
            front,
            start_ordered,
            ran_out_stopped,
            refused_by,
            last_error,
            ..
        } = driver;
        if outcome == Outcome::NotShownDead {
            // The guardian goes on killing what is left, and keeps a kernel lock meanwhile.
            front.leave_to_guardian();
        } else {
            front.close();
        }
        Ok(Ended {
            outcome,
            command: supervisor.command_end(),
            started: start_ordered,
            ran_out_stopped,
            refused_by,
            error: last_error,
        })
    })
}

impl<'a> Driver<'a> {
    fn new(plan: &'a RunPlan, listener: &'a mut dyn Listener, front: Front) -> io::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(BootClock);
        let began = clock.now();
        let last_renewed_at = clock.wall();
        let claim = Claim {
            name: plan.lease.clone(),
            owner: OwnerId::fresh().map_err(io::Error::from)?,
            ttl: plan.settings.timing.ttl(),
            min_hold: plan.min_hold,
            holder: plan.holder.clone(),
            purpose: plan.purpose.clone(),
            unanswered: false,
        };
        let attempt = plan.settings.timing.attempt();
        Ok(Self {
            keeper: Keeper::new(Arc::clone(&plan.store), Arc::clone(&clock), attempt),
            supervisor: Supervisor::new(plan.settings, began),
            plan,
            listener,
            clock,
            front,
            claim,
            hold: None,
            place: Place::default(),
            request: None,
            refused_by: None,
            refused_why: None,
            last_error: None,
            release_error: None,
            renewals: 0,
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
            finished: None,
        })
    }

    async fn drive(&mut self) -> io::Result<Outcome> {
        let alarm = Alarm::new()?;
        self.tell(Event::Begin).await;
        loop {
            if let Some(outcome) = self.finished {
                return Ok(outcome);
            }
            let wake = self.supervisor.wake_at().min(self.guardian_until);
            let wake = wake.min(self.listener.wake_at());
            // What the guardian and the signals say comes first: it has already happened.
            tokio::select! {
                biased;
                event = self.front.next() => self.hear_front(event?).await,
                answer = requests::answer(&mut self.request) => {
                    let event = self.understand(answer);
                    self.tell(event).await;
                }
                rung = alarm.ring(wake) => {
                    rung?;
                    self.check_guardian();
                    self.tell(Event::Tick).await;
                }
            }
            let now = self.clock.now();
            if now >= self.listener.wake_at() {
                self.listener.on_time(now);
            }
        }
    }

    /// Tells the supervisor what happened and performs what it orders.
    async fn tell(&mut self, event: Event) {
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

    async fn hear_front(&mut self, event: FrontEvent) {
        let event = match event {
            FrontEvent::Started { pid, containment } => {
                self.started_at = Some(self.clock.now());
                self.listener.hear(&News::Started { pid, containment });
                Event::CommandStarted {
                    pid: pid.unsigned_abs(),
                }
            }
            FrontEvent::NotStarted(errno) => Event::CommandNotStarted { errno },
            FrontEvent::Command(change) => match self.command_changed(change) {
                Some(end) => Event::CommandExited(end),
                None => return,
            },
            FrontEvent::StopDue => Event::StopDue,
            FrontEvent::Empty => {
                self.guardian_until = Instant::NEVER;
                Event::TreeEmpty
            }
            FrontEvent::GuardianLost => {
                self.guardian_until = Instant::NEVER;
                self.listener.hear(&News::GuardianLost);
                Event::GuardianLost
            }
            FrontEvent::Signal(heard) => match self.hear_signal(heard) {
                Some(event) => event,
                None => return,
            },
        };
        self.tell(event).await;
    }

    fn command_changed(&mut self, change: Change) -> Option<CommandEnd> {
        let end = match change {
            Change::Exited(code) => CommandEnd::Exited(code),
            Change::Killed(signal) => CommandEnd::Killed(signal),
            Change::Continued => {
                self.paused = false;
                return None;
            }
            Change::Stopped(signal) => {
                self.pause(signal);
                return None;
            }
        };
        let now = self.clock.now();
        let ran = self.started_at.map_or(Duration::ZERO, |at| now.since(at));
        self.listener.hear(&News::Exited { end, ran });
        self.ended_at = Some(now);
        Some(end)
    }

    /// The command was stopped from the terminal: so are we, or the shell would not know. Lease time
    /// goes on; the guardian, which nothing stops, kills when it has run out.
    fn pause(&mut self, signal: i32) {
        // It may have been continued since, and then nobody would continue us.
        self.paused = false;
        if !self.front.is_still_stopped() {
            return;
        }
        if !has_terminal() {
            return self.front.stay_awake();
        }
        if !somebody_can_continue_us() {
            // The kernel does not let a key stop a group that no shell looks after, and neither do we.
            return self.front.forward(libc::SIGCONT);
        }
        let kill_in = self.until_stop();
        self.listener.hear(&News::Paused { kill_in });
        self.paused = true;
        self.front.pause(signal);
    }

    /// Job control is done here; everything else is the supervisor's.
    fn hear_signal(&mut self, heard: Heard) -> Option<Event> {
        let runs = self.started_at.is_some() && self.supervisor.phase() != Phase::Done;
        match heard.job_control() {
            None => Some(Event::Signal {
                number: heard.number,
                from_terminal: heard.from_terminal,
            }),
            Some(JobControl::Continue) => {
                self.listener.hear(&News::Redraw);
                self.front.resume();
                None
            }
            Some(JobControl::Stop) if !runs => {
                stop_ourselves(heard.number);
                None
            }
            // What the terminal sent, the command has got too.
            Some(asked @ (JobControl::Stop | JobControl::Resize)) => {
                if asked == JobControl::Resize {
                    self.listener.hear(&News::Redraw);
                }
                if runs && !heard.from_terminal {
                    self.front.forward(heard.number);
                }
                None
            }
        }
    }

    /// So long until the stop signal; `None` for a hold that ends with its process.
    pub(super) fn until_stop(&self) -> Option<Duration> {
        let stop = self.supervisor.tenure().map(|tenure| tenure.stop());
        stop.filter(|stop| *stop != Instant::NEVER)
            .map(|stop| stop.since(self.clock.now()))
    }
}
