use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::clock::WallTime;
use crate::lease::{Claim, Ending, Holder, OutcomeWord, Purpose};

fn claim(name: &str) -> Claim {
    Claim {
        name: LeaseName::new(name).unwrap(),
        owner: OwnerId::fresh().unwrap(),
        ttl: Duration::from_secs(30),
        min_hold: None,
        holder: Holder {
            label: "wéb  3".to_owned(),
            host: "web3".to_owned(),
            machine: String::new(),
            boot: String::new(),
            pid: 7,
            start_ticks: 1,
            user: "app".to_owned(),
            version: "1".to_owned(),
        },
        purpose: Purpose {
            program: Some("./jöb.sh".to_owned()),
            ..Purpose::default()
        },
        unanswered: false,
    }
}

fn record_of(claim: &Claim, number: u64) -> LeaseRecord {
    let token = FencingToken::new(number).unwrap();
    LeaseRecord::of_grant(claim, token, WallTime::from_unix_millis(1_000), None)
}

fn begun(claim: &Claim) -> (Metadata, LeaseRecord) {
    let mut metadata = Metadata::default();
    metadata.put("Team", "storage".to_owned());
    let record = record_of(claim, 9);
    metadata.begin(&claim.owner, &record, Some(99));
    (metadata, record)
}

#[test]
fn a_hold_is_written_and_read_and_what_is_not_ours_stays() {
    let claim = claim("näme");
    let (mut metadata, mut record) = begun(&claim);
    assert_eq!(metadata.token().map(FencingToken::get), Some(9));
    assert_eq!(metadata.not_before(), Some(99));
    assert_eq!(metadata.record(&claim.name), Some(record.clone()));
    assert_eq!(metadata.record(&LeaseName::new("b").unwrap()), None);
    assert!(metadata.is_held_by(&claim.owner) && metadata.is_running());
    assert!(!metadata.is_held_by(&OwnerId::fresh().unwrap()));
    record.not_before_at = None;
    record.end(&Ending::withdrawn(), WallTime::from_unix_millis(2_000));
    metadata.end(&record);
    assert!(!metadata.is_held_by(&claim.owner) && !metadata.is_running());
    assert_eq!(metadata.not_before(), None);
    assert_eq!(metadata.record(&claim.name), Some(record));
    assert_eq!(
        metadata.all().get("team").map(String::as_str),
        Some("storage")
    );
}

#[test]
fn values_are_ascii_without_two_blanks_in_a_row_and_tell_no_lease_id() {
    let claim = claim("\u{1f600}");
    let (metadata, _) = begun(&claim);
    let id = lease_id(&claim.owner);
    for (key, value) in metadata.all() {
        assert!(
            value.bytes().all(|b| b.is_ascii() && !b.is_ascii_control()),
            "{key}: {value}"
        );
        assert!(!value.contains("  "), "{key}: {value}");
        assert!(
            !value.contains(&id) && !value.contains(&id.replace('-', "")),
            "{key}"
        );
    }
    assert_eq!(metadata.all()["holder"], "w\\u00e9b \\u00203:7");
}

#[test]
fn a_record_is_cut_until_it_fits() {
    let mut claim = claim(&"\u{1f600}".repeat(128));
    claim.purpose.note = Some("\u{540d}".repeat(170));
    claim.purpose.args = Some(vec!["x".repeat(900)]);
    claim.purpose.meta = BTreeMap::from([("k".to_owned(), "\u{e9}".repeat(200))]);
    let (metadata, record) = begun(&claim);
    assert!(metadata.all()["record"].len() <= LARGEST_RECORD);
    assert!(metadata.fits());
    let kept = metadata.record(&claim.name).unwrap();
    assert_eq!((kept.lease, kept.token), (claim.name, record.token));
    assert_eq!(kept.program, record.program);
}

#[test]
fn a_token_is_believed_in_any_format_and_a_record_only_in_ours() {
    let claim = claim("a");
    let (mut metadata, _) = begun(&claim);
    metadata.put("leasectl", "2".to_owned());
    assert_eq!(metadata.token().map(FencingToken::get), Some(9));
    assert_eq!(metadata.record(&claim.name), None);
    metadata.put("token", "-1".to_owned());
    assert_eq!(metadata.token(), None);
}

#[test]
fn what_azure_would_not_take_is_seen_before() {
    let mut metadata = Metadata::default();
    metadata.put("k", "v".repeat(LARGEST - 1));
    assert!(metadata.fits());
    metadata.put("k", "v".repeat(LARGEST));
    assert!(!metadata.fits());
}

#[test]
fn the_end_of_a_run_is_cut_until_it_fits_beside_what_is_not_ours() {
    let at = WallTime::from_unix_millis;
    let mut claim = claim("a");
    claim.min_hold = Some(Duration::from_secs(60));
    claim.purpose.note = Some("n".repeat(500));
    let ending = Ending {
        outcome: OutcomeWord::Operator,
        by: Some("alice".to_owned()),
        reason: Some("\u{540d}".repeat(170)),
        ..Ending::withdrawn()
    };
    let mut before = record_of(&claim, 8);
    before.end(&ending, at(900));
    let token = FencingToken::new(9).unwrap();
    let mut record = LeaseRecord::of_grant(&claim, token, at(1_000), Some(&before));
    let mut metadata = Metadata::default();
    metadata.begin(&claim.owner, &record, Some(99));
    let theirs = LARGEST - ROOM_FOR_THE_END - metadata.size() - "team".len();
    metadata.put("team", "x".repeat(theirs));
    assert!(metadata.has_room_for_the_end());
    record.end(&ending, at(2_000));
    metadata.end(&record);
    assert!(metadata.fits(), "{} bytes", metadata.size());
    assert_eq!(metadata.all()["team"].len(), theirs);
    assert_eq!(metadata.not_before(), None, "it was handed over");
    assert!(!metadata.is_running());
    let seen = metadata.record(&claim.name).unwrap();
    let ended = seen.ended.unwrap();
    assert_eq!((ended.token, ended.outcome), (token, OutcomeWord::Operator));
    assert_eq!(ended.by.as_deref(), Some("alice"), "there is room for it");
}

#[test]
fn an_ask_that_cannot_be_read_is_no_empty_one() {
    let mut metadata = Metadata::default();
    let ask = |metadata: &Metadata| metadata.ask::<BTreeMap<String, u64>>();
    assert_eq!(ask(&metadata), None);
    metadata.put("leasectl", "1".to_owned());
    assert_eq!(ask(&metadata), Some(BTreeMap::new()));
    metadata.put("ask", "{".to_owned());
    assert_eq!(ask(&metadata), None);
    let told = BTreeMap::from([("a".to_owned(), 1)]);
    assert_eq!(ask(&Metadata::default().of_ask(&told)), Some(told));
}
