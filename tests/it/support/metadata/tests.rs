//! Whether the metadata service of the tests behaves as it should.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use serde_json::json;

use super::{Announced, MOST_A_SECOND, MetadataService, VM};

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        it_answers_as_documented,
        an_event_starts_at_its_time_or_when_it_is_approved,
        a_sixth_request_in_a_second_is_refused,
        answers_come_late_or_not_at_all,
    ]
}

fn ask(service: &MetadataService, request: &str) -> String {
    let mut stream = TcpStream::connect(service.address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

const LIST: &str = "/metadata/scheduledevents?api-version=2020-07-01";

fn get(service: &MetadataService, path: &str) -> String {
    ask(
        service,
        &format!("GET {path} HTTP/1.1\r\nHost: x\r\nMetadata: true\r\n\r\n"),
    )
}

fn it_answers_as_documented() {
    let service = MetadataService::start();
    let answer = get(&service, LIST);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("{\"DocumentIncarnation\":1,\"Events\":[]}"));
    let name = get(
        &service,
        "/metadata/instance/compute/name?api-version=2021-02-01&format=text",
    );
    assert!(name.ends_with(VM), "{name}");
    let bare = ask(&service, &format!("GET {LIST} HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert!(bare.starts_with("HTTP/1.1 400 "), "{bare}");
    service.fail_with(Some(410));
    assert!(get(&service, LIST).starts_with("HTTP/1.1 410 "));
    assert_eq!(service.requests().len(), 4);
}

fn an_event_starts_at_its_time_or_when_it_is_approved() {
    let service = MetadataService::start();
    let far = service.announce(Announced::ours("Reboot", Duration::from_secs(900)));
    let near = service.announce(Announced::ours("Preempt", Duration::ZERO));
    let answer = get(&service, LIST);
    assert!(answer.contains("\"EventStatus\":\"Scheduled\""), "{answer}");
    assert!(answer.contains("\"NotBefore\":\"\""), "{answer}");
    let body = json!({"StartRequests": [{"EventId": far}]}).to_string();
    let post = format!(
        "POST {LIST} HTTP/1.1\r\nHost: x\r\nMetadata: true\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert!(ask(&service, &post).starts_with("HTTP/1.1 200 "));
    assert_eq!(service.approved(), [far]);
    service.vanish(&near);
    let answer = get(&service, LIST);
    assert!(!answer.contains("Scheduled\""), "{answer}");
    assert!(!answer.contains("Preempt"), "{answer}");
}

fn a_sixth_request_in_a_second_is_refused() {
    let service = MetadataService::start();
    let refused = (0..MOST_A_SECOND + 1)
        .filter(|_| get(&service, LIST).starts_with("HTTP/1.1 429 "))
        .count();
    assert_eq!(refused, 1, "on a machine that is not overloaded");
}

fn answers_come_late_or_not_at_all() {
    let service = MetadataService::start();
    service.announce(Announced::begun("Reboot").of(&["other_1", VM]));
    let late = Duration::from_millis(200);
    service.delay_the_first_answer(late);
    let began = Instant::now();
    let answer = get(&service, LIST);
    assert!(began.elapsed() >= late);
    assert!(answer.contains("[\"other_1\",\"issue_0\"]"), "{answer}");
    assert!(answer.contains("\"EventStatus\":\"Started\""), "{answer}");
    service.be_silent(true);
    let address = service.endpoint();
    let mut stream = TcpStream::connect(address.trim_start_matches("http://")).unwrap();
    let request = format!("GET {LIST} HTTP/1.1\r\nMetadata: true\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream.set_read_timeout(Some(late)).unwrap();
    assert!(stream.read(&mut [0; 16]).is_err());
    service.be_silent(false);
    stream.set_read_timeout(None).unwrap();
    assert!(stream.read(&mut [0; 16]).unwrap() > 0);
}
