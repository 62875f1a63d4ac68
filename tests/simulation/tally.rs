//! What has happened in the histories: below the least counts they prove nothing, and the run is INVALID.

use leasectl::supervisor::{LossReason, Outcome};

macro_rules! tally {
    ($($name:ident: $least:expr,)*) => {
        /// How often each thing happened.
        #[derive(Clone, Debug, Default)]
        pub(crate) struct Tally {
            $(pub(crate) $name: u64,)*
        }

        impl Tally {
            pub(crate) fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }

            /// What happened less often than it has to in a thousand histories.
            pub(crate) fn missing(&self, histories: u64) -> Vec<(&'static str, u64, u64)> {
                let all = [$((stringify!($name), self.$name, $least * histories / 1_000),)*];
                all.into_iter().filter(|(_, count, least)| count < least).collect()
            }

            pub(crate) fn lines(&self) -> String {
                let all = [$((stringify!($name), self.$name),)*];
                all.iter().map(|(name, count)| format!("  {name}: {count}\n")).collect()
            }
        }
    };
}

// The least that has to happen in 1,000 histories.
tally! {
    grants: 1_000,
    hand_overs: 500,
    expiries: 100,
    silent_acquires: 200,
    silent_renewals: 500,
    silent_releases: 50,
    late_answers: 100,
    known_losses: 1,
    killed_on_time: 50,
    not_renewed: 100,
    stale_writes_refused: 1,
    lost_requests: 500,
    lost_answers: 500,
    doubled: 500,
    overtaken: 500,
    front_kills: 50,
    front_stops: 100,
    sleeps: 100,
    crashes: 50,
    cuts: 100,
    server_restarts: 50,
    server_stops: 50,
    lease_seconds: 2_000,
    contended_seconds: 2_000,
}

impl Tally {
    pub(crate) const fn finished(&mut self, outcome: Outcome) {
        if matches!(
            outcome,
            Outcome::Lost {
                why: LossReason::NotRenewed
            }
        ) {
            self.not_renewed += 1;
        }
    }
}
