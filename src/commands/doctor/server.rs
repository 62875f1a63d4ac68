//! What a store's server says of itself, rated.

use std::sync::Arc;
use std::time::Duration;

use super::finding::{Failure, Finding};
use super::live::ATTEMPT;
use crate::clock::{BootClock, Clock, WallTime};
use crate::keeper::Keeper;
use crate::lease::{LeaseStore, Setting, Suits};

/// A difference between two clocks that people would notice.
const NOTICED: Duration = Duration::from_secs(1);

/// Asks a store's server about itself; finds nothing where there is none.
///
/// # Errors
/// [`Failure`], when it does not answer.
pub async fn examine_server(store: Arc<dyn LeaseStore>) -> Result<Vec<Finding>, Failure> {
    let keeper = Keeper::new(store, Arc::new(BootClock), ATTEMPT);
    let before = BootClock.wall();
    let asked = keeper.advice().await;
    let advice = asked.map_err(|error| Failure::Store("server", error))?;
    let after = BootClock.wall();
    let mut found: Vec<Finding> = advice.settings.into_iter().map(rated).collect();
    found.extend(advice.clock.map(|server| clock(server, before, after)));
    Ok(found)
}

fn rated(setting: Setting) -> Finding {
    let Setting { what, seen, suits } = setting;
    match suits {
        Suits::Well => Finding::good(what, seen),
        // Not to know is no better: whoever reads this has to look elsewhere.
        Suits::Badly | Suits::Unread => Finding::weak(what, seen),
    }
}

/// The server's clock beside ours, which was read before it was asked and after it had answered.
fn clock(server: WallTime, before: WallTime, after: WallTime) -> Finding {
    const WHAT: &str = "clock";
    // At most one is more than zero; both are least distances, because the answer took some time.
    let (behind, ahead) = (before.since(server), server.since(after));
    let (off, which) = if behind > ahead {
        (behind, "behind")
    } else {
        (ahead, "ahead of")
    };
    if off < NOTICED {
        let seen = "the server's and that of this machine agree to within a second";
        return Finding::good(WHAT, seen.to_owned());
    }
    Finding::weak(
        WHAT,
        format!(
            "the server's is {} {which} that of this machine: nothing is decided by the difference, but times are \
             shown wrong, and whoever sets the server's clock forward while a lease is held ends it early; keep \
             both clocks right from now on",
            humantime::format_duration(Duration::from_secs(off.as_secs()))
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::Rating;

    #[test]
    fn clocks_are_compared_in_both_directions() {
        let at = WallTime::from_unix_millis;
        let rating = |server| clock(at(server), at(10_000), at(10_400)).rating;
        for good in [9_001, 10_000, 10_200, 10_400, 11_399] {
            assert_eq!(rating(good), Rating::Good, "{good}");
        }
        for weak in [9_000, 11_400] {
            assert_eq!(rating(weak), Rating::Weak, "{weak}");
        }
        let seen = clock(at(3_000), at(10_000), at(10_400)).seen;
        assert!(seen.contains("7s behind that"), "{seen}");
        let seen = clock(at(70_500), at(10_000), at(10_400)).seen;
        assert!(seen.contains("1m ahead of that"), "{seen}");
    }
}
