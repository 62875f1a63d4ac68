//! Every store against every promise of [`leasectl::lease::LeaseStore`]: one suite, one table.
//!
//! A new store is one row of the table at the end; one that has servers of several kinds has a row for each, and
//! what else is tested of it is tested with the first. `expiring` promises are for stores that end a
//! silent hold by their own clock, `revoking` ones for stores that can take a lease away, `pushed` ones for those
//! that tell a holder unasked, `leased` ones for those on the leases of a service.

pub(crate) mod doubt;
mod expiring;
mod file_asks;
mod file_hostile;
pub(crate) mod file_killed;
mod hostile_things;
mod leased;
mod onlooker;
mod operators;
mod overview;
mod promises;
pub(crate) mod stores;
mod waiting;

use std::collections::BTreeSet;
use std::path::Path;

use libtest_mimic::Trial;

use crate::support::trial::trial;

pub(crate) fn trials() -> Vec<Trial> {
    let mut all = trials![every_store_is_in_the_table];
    all.extend(cells());
    all.extend(file_asks::trials());
    all.extend(file_hostile::trials());
    all.extend(file_killed::trials());
    all
}

/// Runs one promise on a fresh store.
fn run<F: Future<Output = ()>>(promise: impl FnOnce(stores::Bench) -> F, bench: stores::Bench) {
    crate::support::run::run(promise(bench));
}

/// One named test for each promise: a list of them.
macro_rules! tests {
    ($store:ident, $from:ident: $($promise:ident)*) => {
        vec![$(trial(
            concat!("it::conformance::", stringify!($store), "::", stringify!($promise)),
            || run($from::$promise, stores::$store()),
        )),*]
    };
}

macro_rules! common {
    ($store:ident) => {
        [
            tests! { $store, promises:
                a_free_lease_is_granted
                a_second_holder_is_refused
                a_repeated_claim_gets_the_same_token
                tokens_rise
                names_do_not_meet
                hostile_names_are_names
                a_release_frees_and_records_the_end
                releasing_twice_is_already_over
                an_old_release_touches_no_new_hold
                a_released_hold_is_lost
                a_renewal_extends
                withdrawing_frees_a_grant_and_its_minimum_hold
                withdrawing_twice_or_without_a_grant_is_fine
                a_minimum_hold_keeps_others_out_after_a_release
                a_hand_over_clears_the_minimum_hold
                a_lease_that_never_existed_is_free
                an_onlooker_sees_the_holder
                the_record_goes_from_run_to_run
            },
            tests! { $store, waiting:
                a_waiter_wakes_on_release
                a_waiter_waits_at_most_as_long_as_it_was_told
                waiting_through_a_minimum_hold_blocks_nobody
                a_dropped_wait_leaves_nothing_behind
                of_many_contenders_one_holds
            },
            tests! { $store, operators:
                every_lease_is_listed_once_by_name
                a_pause_keeps_everyone_out_and_leaves_the_holder_alone
                a_pause_ends_by_itself_and_is_replaced_by_the_next
                a_waiter_is_told_of_the_end_of_a_pause
                an_operator_ends_a_minimum_hold_and_only_that_one
                a_minimum_hold_ended_under_its_holder_stays_ended
                a_request_is_for_the_hold_of_its_moment
                nothing_is_taken_from_a_hold_with_another_token
            },
            tests! { $store, overview:
                an_overview_tells_of_each_of_those_that_were_seen
                an_overview_tells_of_a_new_lease_under_its_prefix
                an_overview_does_not_mind_what_it_does_not_show
                an_overview_whose_news_is_old_is_told_at_once
                an_overview_waits_at_most_as_long_as_it_was_told
            },
            tests! { $store, onlooker:
                an_onlooker_waits_at_most_as_long_as_it_was_told
                an_onlooker_is_told_of_the_first_holder
                an_onlooker_is_told_of_a_release_and_of_the_next_holder
                an_onlooker_is_told_of_the_end_of_a_minimum_hold
                an_onlooker_whose_news_is_old_is_told_at_once
                onlookers_that_come_and_go_change_nothing
            },
        ]
    };
}

macro_rules! pushed {
    ($store:ident) => {
        [tests! { $store, operators:
            a_request_reaches_the_holder_unasked_and_with_its_renewal
        }]
    };
}

/// A real lease of a service that ends it by its own clock, tells nothing unasked, and lets the holder renew what
/// nobody else took.
macro_rules! leased {
    ($store:ident) => {
        [
            tests! { $store, expiring: a_silent_hold_expires },
            tests! { $store, leased:
                a_repeated_claim_restarts_the_expiry_and_keeps_its_token
                an_expired_hold_is_renewed_only_if_nobody_took_it
                a_request_reaches_the_holder_with_its_renewal
                a_request_made_before_is_told_at_once
                a_lease_that_is_taken_away_is_lost_with_the_next_renewal
            },
        ]
    };
}

macro_rules! expiring {
    ($store:ident) => {
        [tests! { $store, expiring:
            a_silent_hold_expires
            a_repeated_claim_restarts_the_expiry
            an_expired_hold_cannot_be_renewed_or_released
        }]
    };
}

macro_rules! revoking {
    ($store:ident) => {
        [tests! { $store, operators:
            a_lease_that_is_taken_away_is_lost_and_the_record_tells
        }]
    };
}

macro_rules! table {
    ($($feature:literal $store:ident: $($group:ident)*;)*) => {
        const TABLE: &[&str] = &[$($feature),*];

        /// The cells of the table: every store with every promise that it makes.
        fn cells() -> Vec<Trial> {
            let mut cells = Vec::new();
            $(
                #[cfg(feature = $feature)]
                {
                    $(cells.extend($group!($store).into_iter().flatten());)*
                }
            )*
            cells
        }
    };
}

table! {
    "azblob" azblob: common leased;
    "file" file: common pushed;
    "memory" memory: common pushed expiring revoking;
    "redis" redis: common pushed expiring revoking;
    "redis" redis62: common pushed expiring revoking;
    "redis" valkey: common pushed expiring revoking;
    "redis" redis_cluster: common pushed expiring revoking;
    "redis" valkey_cluster: common pushed expiring revoking;
}

fn every_store_is_in_the_table() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let folders: BTreeSet<String> = folder
        .read_dir()
        .unwrap()
        .map(Result::unwrap)
        // The tests of a file lie in a folder, too.
        .filter(|entry| entry.path().join("mod.rs").is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let table: BTreeSet<String> = TABLE.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(
        folders, table,
        "folders under src/store/ and rows of the table"
    );
}
