//! The words for a wait, at every width.

use super::*;
use crate::lease::{Claim, FencingToken, Holder, LeaseName, LeaseState, OwnerId, Purpose};

const START: Instant = Instant::from_nanos(1_000_000_000_000);

fn record(label: &str, program: &str, note: Option<&str>) -> LeaseRecord {
    let claim = Claim {
        name: LeaseName::new("nightly").unwrap(),
        owner: OwnerId::fresh().unwrap(),
        ttl: Duration::from_secs(30),
        min_hold: None,
        holder: Holder {
            label: label.to_owned(),
            host: "web3.example".to_owned(),
            machine: String::new(),
            boot: String::new(),
            pid: 4711,
            start_ticks: 0,
            user: "app".to_owned(),
            version: String::new(),
        },
        purpose: Purpose {
            program: Some(program.to_owned()),
            note: note.map(ToOwned::to_owned),
            ..Purpose::default()
        },
        unanswered: false,
    };
    let ago = Duration::from_secs(2 * 3600 + 90);
    let at = BootClock.wall().unix_millis() - u64::try_from(ago.as_millis()).unwrap();
    let token = FencingToken::new(7).unwrap();
    LeaseRecord::of_grant(&claim, token, WallTime::from_unix_millis(at), None)
}

fn held(record: Option<LeaseRecord>, expires_in: Option<Duration>) -> Observation {
    Observation {
        state: LeaseState::Held,
        record,
        expires_in,
        ..Observation::untouched(LeaseName::new("nightly").unwrap())
    }
}

fn shown(why: RefusedWhy, by: &Observation, limit: Wait) -> Display {
    let mut display = Display::new("nightly", limit, START);
    display.shows(why, by, START + Duration::from_millis(3_300));
    display
}

fn at(seconds: u64) -> Instant {
    START + Duration::from_secs(seconds)
}

#[test]
fn in_eighty_columns_it_says_who_since_when_until_when_and_how_long() {
    let by = held(Some(record("web3", "./job.sh", Some("moving"))), None);
    let display = shown(RefusedWhy::Held, &by, Wait::For(Duration::from_secs(300)));
    let text = display.text(80, at(12));
    let (before, after) = text.split_once("Z (2h 1m)").unwrap();
    assert!(before.starts_with("nightly held by web3 since "), "{text}");
    assert_eq!(after, ", until it ends; waiting 12s of 5m");
    let text = display.text(400, at(12));
    let (before, after) = text.split_once(" since ").unwrap();
    let who = "leasectl: nightly held by web3 on web3.example, pid 4711 of app, running ./job.sh";
    assert_eq!(before, who);
    assert!(after.ends_with(", until it ends, note \"moving\"; waiting 12s of 5m"));
}

#[test]
fn what_matters_least_gives_way_and_no_line_is_too_wide() {
    let hostile = [
        "web3",
        "\u{1b}[2J\u{1b}]0;x\u{7}",
        "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字",
        "\u{2764}\u{fe0f}\u{2764}\u{fe0f}\u{2764}\u{fe0f}\u{2764}\u{fe0f}\u{2764}\u{fe0f}",
        "e\u{301}e\u{301}\u{202e}\u{200b}\r\n",
    ];
    for label in hostile {
        let by = held(Some(record(label, label, Some(label))), None);
        let display = shown(RefusedWhy::Held, &by, Wait::Forever);
        for columns in 0..300 {
            let text = display.text(columns, at(5));
            assert!(
                text.width() <= columns.saturating_sub(1),
                "{columns}: {text}"
            );
            assert!(!text.contains(char::is_control), "{text:?}");
        }
        assert!(display.text(40, at(5)).ends_with("; waiting 5s") || label != "web3");
    }
    let by = held(Some(record("web3", "x", None)), None);
    let display = shown(RefusedWhy::Held, &by, Wait::Forever);
    assert_eq!(display.text(12, at(5)), "nightly he…");
}

#[test]
fn each_kind_of_holder_has_its_words() {
    let left = Some(Duration::from_secs(24));
    let display = shown(RefusedWhy::Held, &held(None, left), Wait::Forever);
    let text = display.text(200, at(10));
    let expected = "leasectl: nightly held by somebody who left no record, 17s left unless renewed; \
                    waiting 10s";
    assert_eq!(text, expected);
    let until = BootClock.wall().plus(Duration::from_secs(26 * 3600 + 60));
    let by = Observation {
        state: LeaseState::Cooldown,
        cooldown_until: Some(until),
        ..held(Some(record("web3", "x", None)), None)
    };
    let text = shown(RefusedWhy::Cooldown, &by, Wait::Forever).text(110, at(1));
    let (start, rest) = text.split_once(" until ").unwrap();
    assert_eq!(start, "nightly is in its minimum hold");
    // With its date, because it is tomorrow.
    assert_eq!(
        rest.find("Z (1day 2h left), last held by web3"),
        Some(16),
        "{text}"
    );
}

#[test]
fn it_is_drawn_again_when_the_seconds_change_and_not_when_the_wait_is_over() {
    let mut display = shown(RefusedWhy::Held, &held(None, None), Wait::Forever);
    assert_eq!(display.wake_at(), at(4));
    display.on_time(at(4));
    assert_eq!(display.wake_at(), at(5));
    // After a stop of an hour there is no hour to catch up on.
    display.on_time(at(3_600) + Duration::from_millis(1));
    assert_eq!(display.wake_at(), at(3_601));
    display.ends();
    display.on_time(at(4_000));
    assert_eq!(
        (display.is_on(), display.wake_at()),
        (false, Instant::NEVER)
    );
    display.shows(RefusedWhy::Held, &held(None, None), at(5_000));
    assert!(display.text(80, at(5_002)).ends_with("; waiting 2s"));
}

#[test]
fn spans_are_short() {
    let brief = |seconds| brief(Duration::from_secs(seconds));
    assert_eq!(
        [brief(0), brief(59), brief(3_599)],
        ["0s", "59s", "59m 59s"]
    );
    assert_eq!([brief(3_600), brief(90_061)], ["1h", "1day 1h"]);
}
