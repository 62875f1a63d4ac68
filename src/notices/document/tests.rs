//! Documents as they are, as they are not, and 100,000 that nobody ever wrote.

use super::*;

const SAMPLE: &str = r#"{"DocumentIncarnation": 2, "Unknown": {"a": [1]}, "Events": [
 {"EventId": "602d9444-d2cd-49c7-8624-8643e7171297", "EventType": "Reboot",
  "ResourceType": "VirtualMachine", "Resources": ["web_0", "web_1"], "EventStatus": "Scheduled",
  "NotBefore": "Mon, 19 Sep 2016 18:29:47 GMT", "Description": "Host is\u0007 bad",
  "EventSource": "Platform", "DurationInSeconds": 9, "New": null}]}"#;

fn web_0() -> Names {
    Names::new(["WEB_0".to_owned(), String::new()])
}

fn events(events: &str) -> Document {
    parse(format!("{{\"Events\":[{events}]}}").as_bytes(), &web_0()).unwrap()
}

#[test]
fn the_documented_sample_is_read() {
    let document = parse(SAMPLE.as_bytes(), &web_0()).unwrap();
    assert_eq!(document.incarnation, Some(2));
    assert_eq!(document.warnings, [""; 0]);
    let [notice] = document.notices.as_slice() else {
        panic!("{document:?}");
    };
    assert_eq!(notice.event_type, "Reboot");
    assert_eq!(notice.resources, ["web_0", "web_1"]);
    assert_eq!(notice.description, "Host is  bad");
    assert_eq!((notice.duration_s, notice.ours), (9, true));
    let date = notice.not_before.map(|at| at.to_string());
    assert_eq!(date.as_deref(), Some("2016-09-19T18:29:47.000Z"));
    let with_mark = format!("\u{feff}{SAMPLE}");
    assert_eq!(parse(with_mark.as_bytes(), &web_0()), Ok(document));
}

#[test]
fn only_our_own_names_make_an_event_ours() {
    let document = parse(SAMPLE.as_bytes(), &Names::new(["web".to_owned()])).unwrap();
    assert!(!document.notices[0].ours);
    let document = parse(SAMPLE.as_bytes(), &Names::default()).unwrap();
    assert!(!document.notices[0].ours);
}

#[test]
fn what_is_missing_has_a_meaning() {
    let document = events(r#"{"EventId":"a"},{"EventId":"b","NotBefore":null,"Resources":null}"#);
    assert_eq!(document.warnings, [""; 0]);
    for notice in &document.notices {
        assert_eq!(notice.event_type, UNKNOWN);
        assert_eq!(notice.status, "Scheduled");
        assert_eq!(notice.not_before, None);
        assert_eq!(notice.duration_s, -1);
        assert!(!notice.ours && !notice.has_started());
    }
    assert_eq!(document.notices.len(), 2);
}

#[test]
fn one_bad_event_never_hides_the_good_ones() {
    for bad in [
        "null",
        "7",
        "{}",
        r#"{"EventId":""}"#,
        r#"{"EventId":7}"#,
        r#"{"EventId":"b\u001b[2J"}"#,
        r#"{"EventId":"b","EventType":[]}"#,
        r#"{"EventId":"b","EventStatus":{}}"#,
        r#"{"EventId":"b","NotBefore":1474309787}"#,
        r#"{"EventId":"b","Resources":"web_0"}"#,
        r#"{"EventId":"b","Resources":["web_0",null]}"#,
    ] {
        let good = r#"{"EventId":"a","EventStatus":"started","Resources":["web_0"]}"#;
        let document = events(&format!("{bad},{good},{bad}"));
        assert_eq!(document.notices.len(), 1, "{bad}");
        assert!(document.notices[0].ours && document.notices[0].has_started());
        assert_eq!(document.warnings.len(), 2, "{:?}", document.warnings);
        assert!(!document.warnings[0].contains('\u{1b}'));
    }
}

#[test]
fn a_date_that_is_none_is_none_and_said() {
    let document = events(r#"{"EventId":"a","NotBefore":"soon"},{"EventId":"b","NotBefore":" "}"#);
    assert_eq!(document.notices.len(), 2);
    assert_eq!(document.notices[0].not_before, None);
    assert_eq!(document.warnings.len(), 1, "{:?}", document.warnings);
    assert!(document.warnings[0].contains("\"soon\""));
}

#[test]
fn durations_come_in_several_forms() {
    for (written, seconds) in [
        ("0", 0),
        ("9", 9),
        ("9.0", 9),
        ("\"9\"", 9),
        ("-1", -1),
        ("-7", -1),
        ("9.5", -1),
        ("1e300", -1),
        ("null", -1),
        ("\"long\"", -1),
        ("[9]", -1),
    ] {
        let document = events(&format!(
            r#"{{"EventId":"a","DurationInSeconds":{written}}}"#
        ));
        assert_eq!(document.notices[0].duration_s, seconds, "{written}");
    }
}

#[test]
fn an_event_that_is_named_twice_is_as_urgent_as_the_more_urgent_word() {
    let one = r#"{"EventId":"A","NotBefore":"Mon, 19 Sep 2016 18:29:47 GMT","Resources":["x"]}"#;
    let other =
        r#"{"EventId":"a","NotBefore":"Mon, 19 Sep 2016 18:20:00 GMT","Resources":["x","web_0"]}"#;
    for both in [format!("{one},{other}"), format!("{other},{one}")] {
        let document = events(&both);
        assert_eq!(document.notices.len(), 1);
        let date = document.notices[0].not_before.map(|at| at.to_string());
        assert_eq!(date.as_deref(), Some("2016-09-19T18:20:00.000Z"));
        assert!(document.notices[0].ours);
        assert_eq!(document.notices[0].resources.len(), 2);
    }
    let started = r#"{"EventId":"a","EventStatus":"Started","NotBefore":""}"#;
    let document = events(&format!("{started},{one}"));
    assert!(document.notices[0].has_started());
    assert_eq!(document.notices[0].not_before, None);
}

#[test]
fn what_is_no_document_says_why() {
    let deep = format!("{{\"Events\":[{}{}]}}", "[".repeat(31), "]".repeat(31));
    let many = format!("{{\"Events\":[{}0]}}", "0,".repeat(500));
    let large = format!("{{\"Events\":[\"{}\"]}}", "x".repeat(LARGEST_DOCUMENT));
    for text in [
        "",
        "[]",
        "null",
        "{}",
        "{\"Events\":{}}",
        "{\"Events\":null}",
        "{\"Events\":[NaN]}",
        "{\"Events\":[]} more",
        "{\"Events\":[\"\\ud800\"]}",
        "<html>",
        &deep,
        &many,
        &large,
    ] {
        let shown = &text[..text.len().min(40)];
        assert!(parse(text.as_bytes(), &web_0()).is_err(), "{shown}");
    }
    let brackets_in_a_text = format!("{{\"Events\":[],\"x\":\"\\\"{}\"}}", "[".repeat(40));
    assert!(parse(brackets_in_a_text.as_bytes(), &web_0()).is_ok());
    let resources = format!(
        "{{\"EventId\":\"a\",\"Resources\":[{}\"x\"]}}",
        "\"\",".repeat(1_000)
    );
    assert_eq!(events(&resources).notices, []);
}

/// A generator of numbers that are the same in every run (xorshift64*): a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        usize::try_from(high).unwrap() % end
    }
}

/// What mutations put in: pieces of JSON, so that not all of them fail at the first byte.
const PIECES: [&[u8]; 16] = [
    b"null",
    b"{}",
    b"[]",
    b"\"",
    b"\\",
    b"\\ud800",
    b"1e999",
    b"-1",
    b",",
    b":",
    b"[",
    b"{",
    b"\"EventId\":",
    b"\xff\xfe",
    b"\0",
    b"\"Started\"",
];

fn mutate(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len() + 1);
        let to = (at + numbers.below(24)).min(bytes.len());
        match numbers.below(4) {
            0 if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
            1 => drop(bytes.drain(at..to)),
            2 => {
                let copy = bytes[at..to].to_vec();
                drop(bytes.splice(at..at, copy));
            }
            _ => drop(bytes.splice(at..to, PIECES[numbers.below(PIECES.len())].iter().copied())),
        }
    }
}

#[test]
fn a_hundred_thousand_malformed_documents_stop_nobody() {
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let other = SAMPLE.replace("web_0", "db_0");
    let other = &other[other.find("\"Events\"").unwrap()..];
    let name = Names::new(["never named".to_owned()]);
    let mut documents = 0;
    for _ in 0..100_000 {
        let mut bytes = format!("{{{other}").into_bytes();
        mutate(&mut bytes, &mut numbers);
        if let Ok(document) = parse(&bytes, &name) {
            documents += 1;
            // Whatever is made of it, it is never about a machine that it does not name.
            assert!(document.notices.iter().all(|notice| !notice.ours));
        }
    }
    assert!(
        documents > 5_000,
        "only {documents} came as far as the events"
    );
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_a_document_or_not(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let parsed = parse(&bytes, &web_0());
            let braced = bytes.contains(&b'\x7b');
            prop_assert!(parsed.is_err() || braced);
        }

        #[test]
        fn a_good_event_beside_a_mutated_one_is_never_lost(seed in 1_u64..) {
            let mut numbers = Numbers(seed);
            let mut bytes = br#"{"EventId":"b","NotBefore":"","Resources":["x"]}"#.to_vec();
            mutate(&mut bytes, &mut numbers);
            // Only where what is mutated is still one value of JSON: otherwise it is no document.
            if serde_json::from_slice::<Value>(&bytes).is_ok() {
                let good = br#"{"EventId":"good","Resources":["web_0"]}"#;
                let text = [b"{\"Events\":[", bytes.as_slice(), b",", good, b"]}"].concat();
                let document = parse(&text, &web_0()).unwrap();
                let good = document.notices.iter().find(|notice| notice.id == "good");
                prop_assert!(good.is_some_and(|notice| notice.ours));
            }
        }
    }
}
