//! Pictures one after another, each when there is something else to see.

use std::io;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::io::unix::AsyncFd;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::view::{Picture, View};
use crate::lease::Observation;
use crate::process::{self, Heard, SignalStream};
use crate::registry::OpenError;

/// A change that the store did not tell of is seen after this time.
const LONGEST_LOOK: Duration = Duration::from_secs(60);
/// The first pause after an error, and the longest: it doubles with each further one. Too short burdens a
/// store that is in trouble; too long leaves people with old news.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How often what only time changes is drawn again, and whether anybody still reads is asked.
const TICK: Duration = Duration::from_secs(1);

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// Watch on.
    GoOn,
    /// It is enough.
    End,
}

/// Who is shown the pictures.
pub trait Viewer {
    /// What is to be seen now.
    fn picture(&mut self, seen: &[Observation]) -> Flow;
    /// The picture grows old: the store does not answer, and is asked again.
    fn trouble(&mut self, error: &OpenError);
    /// A second has passed.
    fn tick(&mut self) -> Flow;
    /// A signal, for one who listens to them.
    fn signal(&mut self, heard: &Heard) -> Flow;
    /// After this time the same picture is to be shown again.
    fn look_again(&self) -> Option<Duration>;
}

/// Why a watch ended that nobody ended.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// No descriptor or memory to be had.
    #[error("cannot be watched")]
    System(#[from] io::Error),
    /// The store's, and not one that passes.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Shows pictures until it is enough. `hears_signals`: they are for the viewer, and do nothing by themselves.
///
/// # Errors
/// When the first picture cannot be had, or no further one ever.
pub fn watch(view: View, viewer: &mut impl Viewer, hears_signals: bool) -> Result<(), WatchError> {
    let (runtime, mut watch) = Watch::of(view);
    runtime.block_on(async {
        let mut signals = Signals::open(hears_signals)?;
        let mut tick = interval(TICK);
        // After an hour in which we were stopped there is one picture to draw, and not 3,600.
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut begun, mut pause) = (false, Duration::ZERO);
        loop {
            // After an error the same picture is news: the store answers again.
            let longest = if pause.is_zero() { LONGEST_LOOK } else { TICK };
            let at_most = viewer.look_again().unwrap_or(longest);
            let mut next = pin!(watch.next(pause, at_most));
            let picture = loop {
                let flow = tokio::select! {
                    picture = &mut next => break picture,
                    _ = tick.tick() => viewer.tick(),
                    heard = signals.next() => viewer.signal(&heard?),
                };
                if flow == Flow::End {
                    return Ok(());
                }
            };
            match picture {
                Ok(picture) => {
                    (begun, pause) = (true, Duration::ZERO);
                    if viewer.picture(&picture.seen) == Flow::End {
                        return Ok(());
                    }
                }
                Err(error) if begun && is_passing(&error) => {
                    viewer.trouble(&error);
                    pause = (pause * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
                }
                Err(error) => return Err(error.into()),
            }
        }
    })
}

fn is_passing(error: &OpenError) -> bool {
    matches!(error, OpenError::Store(error) if error.is_passing())
}

/// The signals of this process; none for one who does not listen.
struct Signals(Option<(SignalStream, AsyncFd<std::os::fd::OwnedFd>)>);

impl Signals {
    fn open(hears: bool) -> io::Result<Self> {
        if !hears {
            return Ok(Self(None));
        }
        let stream = SignalStream::open()?;
        let ready = process::watch(std::os::fd::AsFd::as_fd(&stream))?;
        Ok(Self(Some((stream, ready))))
    }

    async fn next(&mut self) -> io::Result<Heard> {
        let Some((stream, ready)) = &mut self.0 else {
            return std::future::pending().await;
        };
        loop {
            if let Some(heard) = stream.next()? {
                return Ok(heard);
            }
            ready.readable().await?.clear_ready();
        }
    }
}

/// A view that is looked at again whenever something changes.
struct Watch {
    view: View,
    seen: Option<Vec<Observation>>,
    /// How long the last look took. As long is waited before the next, so that a store with many leases and
    /// many changes is looked at for half of the time and not all of it.
    took: Duration,
}

impl Watch {
    fn of(view: View) -> (std::rc::Rc<tokio::runtime::Runtime>, Self) {
        let runtime = view.runtime();
        let watch = Self {
            view,
            seen: None,
            took: Duration::ZERO,
        };
        (runtime, watch)
    }

    /// The next picture after a pause, at once the first time, and at the latest after `at_most`.
    async fn next(&mut self, pause: Duration, at_most: Duration) -> Result<Picture, OpenError> {
        sleep(pause).await;
        if let Some(seen) = &self.seen {
            self.view.wait(seen, at_most).await?;
            sleep(self.took).await;
        }
        let started = Instant::now();
        let mut picture = self.view.see().await?;
        self.took = started.elapsed();
        // One that is named and cannot be looked at is not followed blindly.
        if let Some((_, error)) = picture.failed.pop() {
            return Err(error.into());
        }
        self.seen = Some(picture.seen.clone());
        Ok(picture)
    }
}

#[cfg(test)]
#[cfg(feature = "memory")]
mod tests {
    use std::sync::Arc;

    use super::super::view::Selection;
    use super::*;
    use crate::clock::BootClock;
    use crate::lease::LeaseStore;
    use crate::store::memory::{Config, MemoryStore, Silence};

    /// Lets the store fall silent after the first picture and speak again after the first error.
    struct Patient {
        store: Arc<MemoryStore>,
        told: Vec<&'static str>,
    }

    impl Viewer for Patient {
        fn picture(&mut self, _: &[Observation]) -> Flow {
            self.told.push("picture");
            if self.told.len() > 1 {
                return Flow::End;
            }
            self.store.fall_silent(Silence::BeforeTheRequest);
            Flow::GoOn
        }

        fn trouble(&mut self, error: &OpenError) {
            assert!(error.to_string().contains("cannot be reached"), "{error}");
            self.told.push("trouble");
            self.store.answer_again();
        }

        fn tick(&mut self) -> Flow {
            Flow::GoOn
        }

        fn signal(&mut self, _: &Heard) -> Flow {
            Flow::End
        }

        fn look_again(&self) -> Option<Duration> {
            Some(Duration::from_millis(10))
        }
    }

    fn patient(silent: bool) -> Result<Vec<&'static str>, WatchError> {
        let store = Arc::new(MemoryStore::new(Config::default(), Arc::new(BootClock)));
        if silent {
            store.fall_silent(Silence::BeforeTheRequest);
        }
        let asked: Arc<dyn LeaseStore> = Arc::<MemoryStore>::clone(&store);
        let open = move || Ok(Some(Arc::clone(&asked)));
        let view = View::new(Box::new(open), Selection::new(Vec::new(), None)).unwrap();
        let told = Vec::new();
        let mut viewer = Patient { store, told };
        watch(view, &mut viewer, false)?;
        Ok(viewer.told)
    }

    #[test]
    fn a_store_that_falls_silent_is_asked_again() {
        let told = patient(false).unwrap();
        assert_eq!(told, ["picture", "trouble", "picture"]);
    }

    #[test]
    fn one_that_is_silent_from_the_start_is_an_error() {
        assert!(matches!(patient(true), Err(WatchError::Open(_))));
    }
}
