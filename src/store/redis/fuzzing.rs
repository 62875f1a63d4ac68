//! Whatever a server sends, taken apart as its answers, its errors and its messages are.

use redis::{RedisError, Value};

use super::address::Node;
use super::answer::{self, Acquired};
use super::cluster::{Map, elsewhere};
use super::inbox::Inbox;
use super::trouble::{Trouble, redirection};
use super::who;
use crate::fuzzing::checks::LONGEST_LINE;
use crate::lease::{
    Doing, Effect, Hold, HoldEvent, LeaseName, LeaseState, Observation, OwnerId, Renewal,
    StoreLabel, in_one_line,
};

/// What a server sends.
pub(crate) fn answer(bytes: &[u8]) {
    let (Ok(name), Ok(owner)) = (LeaseName::new("nightly"), OwnerId::fresh()) else {
        return;
    };
    match redis::parse_redis_value(bytes).and_then(Value::extract_error) {
        Ok(Value::Push { kind, data }) => message(redis::PushInfo { kind, data }, &name, owner),
        Ok(value) => {
            transitions(&value, &name);
            asked(&value, &name);
            server(&value);
        }
        Err(error) => refusal(&error),
    }
}

/// Only the word itself is a yes.
fn says(value: &Value, word: &str) -> bool {
    let Value::Array(words) = value else {
        return false;
    };
    match words.first() {
        Some(Value::BulkString(bytes)) => bytes == word.as_bytes(),
        Some(Value::SimpleString(text)) => text == word,
        _ => false,
    }
}

fn transitions(value: &Value, name: &LeaseName) {
    match answer::acquired(value.clone(), name) {
        Ok(Acquired::Granted(token)) => {
            assert!(says(value, "granted"), "{value:?}");
            assert!(token.get() > 0 && token.get() < 1 << 63);
        }
        Ok(Acquired::Turn) => assert!(says(value, "turn"), "{value:?}"),
        Ok(Acquired::Refused { by, .. }) => {
            assert!(says(value, "held"), "{value:?}");
            seen(&by, name);
        }
        Err(trouble) => short(trouble, Doing::Acquire),
    }
    match answer::renewed(value.clone(), name) {
        Ok(Renewal::Extended { server_time, .. }) => {
            assert!(
                says(value, "extended") && server_time.is_some(),
                "{value:?}"
            );
        }
        Ok(Renewal::Lost { .. }) => assert!(says(value, "lost"), "{value:?}"),
        Err(trouble) => short(trouble, Doing::Renew),
    }
    match answer::released(value.clone(), name) {
        Ok(_) => assert!(
            ["released", "gone", "left"]
                .iter()
                .any(|word| says(value, word))
        ),
        Err(trouble) => short(trouble, Doing::Release),
    }
    match answer::observed(value.clone(), name) {
        Ok(by) => {
            assert!(says(value, "record"), "{value:?}");
            seen(&by, name);
        }
        Err(trouble) => short(trouble, Doing::Observe),
    }
}

fn seen(seen: &Observation, name: &LeaseName) {
    assert_eq!(seen.name, *name);
    if let Some(record) = &seen.record {
        assert_eq!(record.lease, *name);
    }
    // Nothing is held for ever because of what a server wrote, and what is over is not held.
    if seen.state == LeaseState::Held {
        assert!(seen.expires_in.is_some(), "{seen:?}");
    }
}

fn asked(value: &Value, name: &LeaseName) {
    let errors = [
        answer::told(value.clone(), name).err(),
        answer::revoked(value.clone(), name).err(),
        answer::shut_or_opened(value.clone(), name).err(),
        answer::forgotten(value.clone(), name).err(),
    ];
    for trouble in errors.into_iter().flatten() {
        short(trouble, Doing::Ask);
    }
}

/// Who says it is, and what it knows of its cluster. An answer in two parts is taken for INFO and TIME.
fn server(value: &Value) {
    let node = Node {
        host: "asked".to_owned(),
        port: 1,
    };
    if let Value::Array(parts) = value
        && let [info, time] = parts.as_slice()
    {
        for in_cluster in [false, true] {
            if let Err(trouble) = who::who(info.clone(), time.clone(), in_cluster) {
                short(trouble, Doing::Open);
            }
        }
    }
    if who::is_primary(value.clone()).is_ok() {
        assert!(says(value, "master"), "{value:?}");
    }
    match Map::read(value.clone(), &node) {
        Ok(map) => assert!(map.nodes().all(|node| node.port > 0)),
        Err(trouble) => short(trouble, Doing::Open),
    }
}

fn refusal(error: &RedisError) {
    for effect in [Effect::None, Effect::Unknown] {
        short(Trouble::of(error, effect), Doing::Renew);
    }
    let asked = Node {
        host: "asked".to_owned(),
        port: 1,
    };
    if let Some((words, ask)) = redirection(error)
        && let Some((slot, node)) = elsewhere(&words, &asked)
    {
        assert!(slot < 16_384 && node.port > 0, "{slot} {node}");
        short(Trouble::Elsewhere { slot, node, ask }, Doing::Renew);
    }
}

/// Whoever says what unasked: a hold is told only what names its token, and "lost" for its own channel.
fn message(info: redis::PushInfo, name: &LeaseName, owner: OwnerId) {
    let Ok(token) = crate::lease::FencingToken::new(7) else {
        return;
    };
    let hold = Hold {
        name: name.clone(),
        owner,
        token,
        ttl: None,
        lock: None,
    };
    let text = match info.data.get(1) {
        Some(Value::BulkString(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    };
    let inbox = Inbox::default();
    inbox.open(b"w");
    inbox.push(info);
    match inbox.event(&hold, b"h") {
        Some(HoldEvent::StopAsked(_)) => assert!(text.starts_with("stop "), "{text:?}"),
        Some(HoldEvent::Lost(_)) => assert!(text.starts_with("lost"), "{text:?}"),
        None => {}
    }
    inbox.word(b"w");
}

/// What people read of it fits a line, whatever a server has to say.
fn short(trouble: Trouble, doing: Doing) {
    let store = StoreLabel::new("redis://h:6379/0".to_owned());
    let line = in_one_line(&trouble.into_error(&store, doing));
    assert!(line.len() <= LONGEST_LINE, "{} bytes", line.len());
}
