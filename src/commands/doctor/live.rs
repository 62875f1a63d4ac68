//! The live check: one lease through its whole life, with a second contender, an onlooker and an operator.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::finding::{Failure, Finding};
use crate::clock::BootClock;
use crate::keeper::Keeper;
use crate::lease::{
    Attempt, Change, Claim, Ending, FencingToken, Hold, LeaseName, LeaseState, LeaseStore,
    Observation, OwnerId, Purpose, Refusal, RefusedWhy, Release, Renewal, StoreError,
};
use crate::process::identity;

/// Every name that a doctor uses begins so.
const PREFIX: &str = "leasectl-doctor/";
/// One request may take so long: a doctor is asked by people.
pub(super) const ATTEMPT: Duration = Duration::from_secs(1);
/// What the store tells unasked has to come within this time, else it is not told.
pub(super) const TOLD: Duration = Duration::from_secs(2);
/// Where a change is polled, it is seen within this time.
const POLLED: Duration = Duration::from_secs(6);
/// A lease that was never held may be refused for so long.
const YOUNG: Duration = Duration::from_secs(3);
const HAND_OVERS: usize = 5;
const ROUND_TRIPS: usize = 20;

pub(super) type Tried<T> = Result<T, Failure>;

/// One examination of a store.
pub(super) struct Examination<'a> {
    pub(super) store: Arc<dyn LeaseStore>,
    pub(super) keeper: Keeper,
    pub(super) name: LeaseName,
    pub(super) found: &'a mut dyn FnMut(Finding),
}

/// Examines a store, and tells what is found as it is found.
///
/// # Errors
/// [`Failure`], with which the examination ends.
pub async fn examine(
    store: Arc<dyn LeaseStore>,
    found: &mut dyn FnMut(Finding),
) -> Result<(), Failure> {
    let keeper = Keeper::new(Arc::clone(&store), Arc::new(BootClock), ATTEMPT);
    let mut examination = Examination {
        store,
        keeper,
        name: name()?,
        found,
    };
    let tried = examination.life().await;
    // Whatever came of it, nothing of it stays.
    let forgotten = examination.forget().await;
    tried.and(forgotten)
}

fn name() -> Tried<LeaseName> {
    let broken = |why: String| Failure::Broken("making a name", why);
    let owner = OwnerId::fresh().map_err(|error| broken(error.to_string()))?;
    let bits: String = owner
        .bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    LeaseName::new(&format!("{PREFIX}{bits}")).map_err(|error| broken(error.to_string()))
}

impl Examination<'_> {
    async fn life(&mut self) -> Tried<()> {
        let first = self.acquire().await?;
        self.renew(&first).await?;
        self.refuse_a_second().await?;
        self.ask(&first).await?;
        self.tell_an_onlooker(&first).await?;
        self.hand_over(first.token).await
    }

    pub(super) fn good(&mut self, what: &'static str, seen: String) {
        (self.found)(Finding::good(what, seen));
    }

    fn claim(&self) -> Tried<Claim> {
        let owner = OwnerId::fresh()
            .map_err(|error| Failure::Broken("making an owner", error.to_string()))?;
        Ok(Claim {
            name: self.name.clone(),
            owner,
            ttl: self
                .store
                .promises()
                .shortest_ttl
                .max(Duration::from_secs(30)),
            min_hold: None,
            holder: identity::holder(None),
            purpose: Purpose {
                note: Some("leasectl doctor: a test, which is over in seconds".to_owned()),
                ..Purpose::default()
            },
            unanswered: false,
        })
    }

    async fn grant(&self, what: &'static str, claim: &Claim) -> Tried<Hold> {
        let mut asked = self.keeper.acquire(claim).await;
        if let Ok((_, Attempt::Refused(refusal))) = &asked
            && refusal.why == RefusedWhy::Young
        {
            // So is every lease that was never held, on some stores, for a second or two.
            sleep(refusal.look_again.unwrap_or_default().min(YOUNG)).await;
            asked = self.keeper.acquire(claim).await;
        }
        match asked {
            Ok((_, Attempt::Granted(hold))) => Ok(hold),
            Ok((_, Attempt::Refused(refusal))) if refusal.why.is_bounded() => {
                let rest = refusal.look_again.map_or_else(String::new, |rest| {
                    format!(" for {} more", humantime::format_duration(rest))
                });
                let why = format!(
                    "everyone is kept out{rest}, because the store was restarted or lost data; ask again then"
                );
                Err(Failure::Broken(what, why))
            }
            Ok((_, Attempt::Refused(refusal))) => Err(Failure::Broken(
                what,
                format!(
                    "nobody holds it, and yet it was refused ({:?})",
                    refusal.why
                ),
            )),
            Err(error) => Err(Failure::Store(what, error)),
        }
    }

    async fn acquire(&mut self) -> Tried<Hold> {
        const WHAT: &str = "acquire";
        let began = Instant::now();
        let hold = self.grant(WHAT, &self.claim()?).await?;
        let took = began.elapsed();
        self.good(WHAT, format!("token {}, after {}", hold.token, short(took)));
        Ok(hold)
    }

    async fn renew(&mut self, hold: &Hold) -> Tried<()> {
        const WHAT: &str = "renew";
        let mut took = Vec::with_capacity(ROUND_TRIPS);
        for _ in 0..ROUND_TRIPS {
            let began = Instant::now();
            match self.keeper.renew(hold).await {
                Ok((_, Renewal::Extended { .. })) => took.push(began.elapsed()),
                Ok((_, Renewal::Lost { why, .. })) => {
                    let why = format!("the lease was lost ({}) under its holder", why.word());
                    return Err(Failure::Broken(WHAT, why));
                }
                Err(error) => return Err(Failure::Store(WHAT, error)),
            }
        }
        let text = format!(
            "round trip {} of {ROUND_TRIPS}",
            median_and_worst(&mut took)
        );
        self.good(WHAT, text);
        Ok(())
    }

    async fn refused(&self, what: &'static str, claim: &Claim) -> Tried<Refusal> {
        match self.keeper.acquire(claim).await {
            Ok((_, Attempt::Refused(refusal))) => Ok(refusal),
            Ok((_, Attempt::Granted(second))) => {
                // It must not stay.
                self.keeper
                    .release(&second, &Ending::withdrawn())
                    .await
                    .ok();
                let why = "a second holder was granted what a first one held".to_owned();
                Err(Failure::Broken(what, why))
            }
            Err(error) => Err(Failure::Store(what, error)),
        }
    }

    async fn refuse_a_second(&mut self) -> Tried<()> {
        const WHAT: &str = "exclude";
        let claim = self.claim()?;
        let refusal = self.refused(WHAT, &claim).await?;
        self.withdraw(WHAT, &claim).await?;
        let named = refusal.by.record.is_some();
        let text = "a second contender is refused";
        if named {
            self.good(WHAT, format!("{text}, and told who holds it"));
        } else {
            let seen =
                format!("{text}, but cannot be told who holds it: the record is not readable");
            (self.found)(Finding::weak(WHAT, seen));
        }
        Ok(())
    }

    async fn withdraw(&self, what: &'static str, claim: &Claim) -> Tried<()> {
        let left = self.keeper.withdraw(claim).await;
        left.map_err(|error| Failure::Store(what, error))
    }

    async fn seen(&self, what: &'static str) -> Tried<Observation> {
        let seen = self.keeper.observe(&self.name).await;
        seen.map_err(|error| Failure::Store(what, error))
    }

    async fn release(&self, what: &'static str, hold: &Hold) -> Tried<()> {
        match self.keeper.release(hold, &Ending::withdrawn()).await {
            Ok(Release::Released) => Ok(()),
            Ok(Release::AlreadyOver) => Err(Failure::Broken(
                what,
                "the hold was over before it was given back".to_owned(),
            )),
            Err(error) => Err(Failure::Store(what, error)),
        }
    }

    /// Releases, and looks whether somebody who looks on is told.
    async fn tell_an_onlooker(&mut self, hold: &Hold) -> Tried<()> {
        const WHAT: &str = "release";
        let seen = self.seen(WHAT).await?;
        if seen.state != LeaseState::Held {
            let why = format!("what is held is shown as {:?}", seen.state);
            return Err(Failure::Broken(WHAT, why));
        }
        let began = Instant::now();
        let onlooker = async {
            while began.elapsed() < POLLED {
                self.keeper.wait_for_change(&seen, POLLED).await.ok();
                let now = self.seen(WHAT).await?;
                if now.state == LeaseState::Free {
                    return Ok(began.elapsed());
                }
            }
            Err(Failure::Broken(
                WHAT,
                "it is shown as held still".to_owned(),
            ))
        };
        let (told, released) = tokio::join!(onlooker, self.release(WHAT, hold));
        released?;
        let told = short(told?);
        let how = match self.store.promises().onlookers {
            Change::Pushed => "is told",
            Change::Polled => "finds it out",
        };
        self.good(
            WHAT,
            format!("the lease is free, and an onlooker {how} after {told}"),
        );
        Ok(())
    }

    /// From one holder to the next, who waits.
    async fn hand_over(&mut self, mut last: FencingToken) -> Tried<()> {
        const WHAT: &str = "hand over";
        let mut took = Vec::with_capacity(HAND_OVERS);
        let mut holder = self.grant(WHAT, &self.claim()?).await?;
        for _ in 0..HAND_OVERS {
            if holder.token <= last {
                let why = format!("token {} follows {last}: tokens have to rise", holder.token);
                return Err(Failure::Broken(WHAT, why));
            }
            last = holder.token;
            let claim = self.claim()?;
            let mut refusal = self.refused(WHAT, &claim).await?;
            let mut released_at = Instant::now();
            let release = async {
                // The other is asleep by then.
                tokio::time::sleep(Duration::from_millis(20)).await;
                released_at = Instant::now();
                self.release(WHAT, &holder).await
            };
            let next = async {
                loop {
                    let turn = self.keeper.wait(&claim, &mut refusal.place, Some(POLLED));
                    turn.await.map_err(|error| Failure::Store(WHAT, error))?;
                    match self.keeper.acquire(&claim).await {
                        Ok((_, Attempt::Granted(hold))) => return Ok((hold, Instant::now())),
                        Ok((_, Attempt::Refused(again))) => refusal = again,
                        Err(error) => return Err(Failure::Store(WHAT, error)),
                    }
                }
            };
            let (next, released) = tokio::join!(next, release);
            released?;
            let (hold, granted_at) = next?;
            took.push(granted_at.duration_since(released_at));
            holder = hold;
        }
        self.release(WHAT, &holder).await?;
        let text = format!(
            "to one who waits, {} of {HAND_OVERS}",
            median_and_worst(&mut took)
        );
        self.good(WHAT, text);
        self.good("tokens", "each is greater than all before it".to_owned());
        Ok(())
    }

    /// Forgets the lease, and what doctors have left that were killed.
    async fn forget(&self) -> Tried<()> {
        const WHAT: &str = "tidy up";
        let failed = |error: StoreError| Failure::Store(WHAT, error);
        self.keeper.forget(&self.name).await.map_err(failed)?;
        for seen in self.keeper.list(PREFIX).await.map_err(failed)? {
            let holder = seen.record.as_ref().map(|record| &record.holder);
            // Of another machine's doctor nobody can see here whether it is still at work.
            let dead = holder.is_some_and(|holder| {
                holder.machine == identity::machine_hash()
                    && !identity::is_alive(&holder.boot, holder.pid, holder.start_ticks)
            });
            if seen.state == LeaseState::Free && dead {
                self.keeper.forget(&seen.name).await.map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// As fine as it is worth.
pub(super) fn short(span: Duration) -> String {
    let micros = span.as_micros();
    if micros < 1_000 {
        format!("{micros}us")
    } else {
        format!("{:.1}ms", span.as_secs_f64() * 1_000.0)
    }
}

fn median_and_worst(took: &mut [Duration]) -> String {
    took.sort_unstable();
    let median = took.get(took.len() / 2).copied().unwrap_or_default();
    let worst = took.last().copied().unwrap_or_default();
    format!("median {}, worst {}", short(median), short(worst))
}
