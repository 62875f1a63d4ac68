//! The promises, each as a function of a fresh store.

use std::time::Duration;

use leasectl::lease::{LeaseState, OutcomeWord, RefusedWhy, Release, Renewal};

use super::stores::{Bench, claim, claim_held_for, completed, ending, granted, refused};

const SECOND: Duration = Duration::from_secs(1);

pub(super) async fn a_free_lease_is_granted(bench: Bench) {
    let asked = claim("a");
    let hold = granted(&bench.one, &asked).await;
    assert_eq!((&hold.name, hold.owner), (&asked.name, asked.owner));
    assert!(hold.ttl.is_none_or(|ttl| ttl >= asked.ttl));
}

pub(super) async fn a_second_holder_is_refused(bench: Bench) {
    granted(&bench.one, &claim("a")).await;
    for store in [&bench.one, &bench.two] {
        let refusal = refused(store, &claim("a")).await;
        assert_eq!(refusal.why, RefusedWhy::Held);
        assert_eq!(refusal.by.state, LeaseState::Held);
        assert_eq!(refusal.by.record.unwrap().holder, claim("a").holder);
    }
}

pub(super) async fn a_repeated_claim_gets_the_same_token(bench: Bench) {
    let mut asked = claim("a");
    let first = granted(&bench.one, &asked).await;
    asked.unanswered = true;
    assert_eq!(granted(&bench.one, &asked).await.token, first.token);
}

pub(super) async fn tokens_rise(bench: Bench) {
    let mut last = 0;
    for turn in 0..20 {
        let store = [&bench.one, &bench.two][turn % 2];
        let hold = granted(store, &claim("a")).await;
        assert!(hold.token.get() > last);
        last = hold.token.get();
        assert_eq!(
            store.release(&hold, &completed()).await.unwrap(),
            Release::Released
        );
    }
}

pub(super) async fn names_do_not_meet(bench: Bench) {
    for name in ["a", "a.lock", "A", "a ", "a%20", "a/", "\u{e9}", "e\u{301}"] {
        granted(&bench.one, &claim(name)).await;
    }
}

pub(super) async fn hostile_names_are_names(bench: Bench) {
    let long = "x".repeat(512);
    let faces = "\u{1f600}".repeat(128);
    for name in [
        "..",
        ".",
        "../../etc/cron.d/x",
        "-rf",
        "x'; DROP TABLE lease;--",
        &long,
        &faces,
    ] {
        let hold = granted(&bench.one, &claim(name)).await;
        refused(&bench.two, &claim(name)).await;
        assert_eq!(
            bench.one.release(&hold, &completed()).await.unwrap(),
            Release::Released
        );
        let seen = bench.two.observe(&hold.name).await.unwrap();
        assert_eq!(seen.record.unwrap().lease, hold.name);
    }
}

pub(super) async fn a_release_frees_and_records_the_end(bench: Bench) {
    let hold = granted(&bench.one, &claim("a")).await;
    assert_eq!(
        bench.one.release(&hold, &completed()).await.unwrap(),
        Release::Released
    );
    let seen = bench.two.observe(&hold.name).await.unwrap();
    assert_eq!(seen.state, LeaseState::Free);
    let ended = seen.record.unwrap().ended.unwrap();
    assert_eq!((ended.token, ended.exit_code), (hold.token, Some(0)));
    assert_eq!(
        (ended.outcome, ended.ran_s),
        (OutcomeWord::Completed, Some(1.5))
    );
    granted(&bench.two, &claim("a")).await;
}

pub(super) async fn releasing_twice_is_already_over(bench: Bench) {
    let hold = granted(&bench.one, &claim("a")).await;
    assert_eq!(
        bench.one.release(&hold, &completed()).await.unwrap(),
        Release::Released
    );
    assert_eq!(
        bench.one.release(&hold, &completed()).await.unwrap(),
        Release::AlreadyOver
    );
}

pub(super) async fn an_old_release_touches_no_new_hold(bench: Bench) {
    let old = granted(&bench.one, &claim("a")).await;
    assert_eq!(
        bench.one.release(&old, &completed()).await.unwrap(),
        Release::Released
    );
    let new = granted(&bench.one, &claim("a")).await;
    assert_eq!(
        bench.one.release(&old, &completed()).await.unwrap(),
        Release::AlreadyOver
    );
    assert_eq!(
        bench.one.renew(&new).await.unwrap().untimed(),
        Renewal::EXTENDED
    );
    refused(&bench.two, &claim("a")).await;
}

pub(super) async fn a_released_hold_is_lost(bench: Bench) {
    let hold = granted(&bench.one, &claim("a")).await;
    assert_eq!(
        bench.one.release(&hold, &completed()).await.unwrap(),
        Release::Released
    );
    assert!(matches!(
        bench.one.renew(&hold).await.unwrap(),
        Renewal::Lost { .. }
    ));
    granted(&bench.two, &claim("a")).await;
    assert!(matches!(
        bench.one.renew(&hold).await.unwrap(),
        Renewal::Lost { .. }
    ));
}

pub(super) async fn a_renewal_extends(bench: Bench) {
    let hold = granted(&bench.one, &claim("a")).await;
    for _ in 0..3 {
        bench.pass(20 * SECOND);
        assert_eq!(
            bench.one.renew(&hold).await.unwrap().untimed(),
            Renewal::EXTENDED
        );
        refused(&bench.two, &claim("a")).await;
    }
}

pub(super) async fn withdrawing_frees_a_grant_and_its_minimum_hold(bench: Bench) {
    let asked = claim_held_for("a", 60);
    let hold = granted(&bench.one, &asked).await;
    bench.one.withdraw(&asked).await.unwrap();
    assert_eq!(
        bench.one.release(&hold, &completed()).await.unwrap(),
        Release::AlreadyOver
    );
    let next = granted(&bench.two, &claim("a")).await;
    assert!(next.token > hold.token);
}

pub(super) async fn withdrawing_twice_or_without_a_grant_is_fine(bench: Bench) {
    let holder = claim("a");
    granted(&bench.one, &holder).await;
    let other = claim("a");
    for _ in 0..2 {
        bench.two.withdraw(&other).await.unwrap();
        bench.one.withdraw(&other).await.unwrap();
    }
    refused(&bench.two, &other).await;
}

pub(super) async fn a_minimum_hold_keeps_others_out_after_a_release(bench: Bench) {
    let hold = granted(&bench.one, &claim_held_for("a", 60)).await;
    bench.pass(20 * SECOND);
    let left = 40 * SECOND + bench.grain;
    assert_eq!(
        bench.one.release(&hold, &completed()).await.unwrap(),
        Release::Released
    );
    for store in [&bench.one, &bench.two] {
        let refusal = refused(store, &claim("a")).await;
        assert_eq!(refusal.why, RefusedWhy::Cooldown);
        let rest = refusal.look_again.unwrap();
        assert!(rest.abs_diff(left) < bench.moment, "{rest:?}");
        assert_eq!(refusal.by.state, LeaseState::Cooldown);
        let seen = store.observe(&hold.name).await.unwrap();
        assert_eq!(seen.state, LeaseState::Cooldown);
        assert_eq!(seen.cooldown_until, refusal.by.cooldown_until);
    }
    bench.pass(left);
    assert_eq!(
        bench.two.observe(&hold.name).await.unwrap().state,
        LeaseState::Free
    );
    granted(&bench.two, &claim("a")).await;
}

pub(super) async fn a_hand_over_clears_the_minimum_hold(bench: Bench) {
    for outcome in [OutcomeWord::Operator, OutcomeWord::ScheduledEvent] {
        let hold = granted(&bench.one, &claim_held_for("a", 60)).await;
        let released = bench.one.release(&hold, &ending(outcome)).await.unwrap();
        assert_eq!(released, Release::Released);
        let seen = bench.two.observe(&hold.name).await.unwrap();
        assert_eq!((seen.state, seen.cooldown_until), (LeaseState::Free, None));
    }
}

pub(super) async fn a_lease_that_never_existed_is_free(bench: Bench) {
    let seen = bench.one.observe(&claim("never").name).await.unwrap();
    assert_eq!((seen.state, seen.record), (LeaseState::Free, None));
    bench.one.withdraw(&claim("never")).await.unwrap();
}

pub(super) async fn an_onlooker_sees_the_holder(bench: Bench) {
    let hold = granted(&bench.one, &claim_held_for("a", 60)).await;
    let seen = bench.two.observe(&hold.name).await.unwrap();
    assert_eq!(seen.state, LeaseState::Held);
    assert!(seen.cooldown_until.is_some());
    let record = seen.record.unwrap();
    assert_eq!(
        (record.token, record.program.as_deref()),
        (hold.token, Some("./job.sh"))
    );
    assert_eq!(record.not_before_at, seen.cooldown_until);
}

pub(super) async fn the_record_goes_from_run_to_run(bench: Bench) {
    let first = granted(&bench.one, &claim("a")).await;
    assert_eq!(
        bench.one.release(&first, &completed()).await.unwrap(),
        Release::Released
    );
    let second = granted(&bench.two, &claim("a")).await;
    let record = bench
        .one
        .observe(&second.name)
        .await
        .unwrap()
        .record
        .unwrap();
    assert_eq!(record.last_run.unwrap().token, first.token);
    assert!(record.last_success_at.is_some());
    assert_eq!(record.ended, None);
}
