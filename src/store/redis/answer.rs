//! What the scripts answer, taken apart. Pure; anything unexpected is garbled, and never a yes.

use std::collections::HashMap;
use std::time::Duration;

use redis::Value;

use super::record::{Fields, reserved, stop_request};
use super::trouble::{Trouble, shown};
use crate::lease::{
    Asked, FencingToken, LeaseName, LostWhy, Observation, RefusedWhy, Release, Renewal, Revoked,
    ServerTime,
};

/// The answer to an acquisition.
#[derive(Debug)]
pub(super) enum Acquired {
    Granted(FencingToken),
    /// Asked for by one who only stands in line: it may ask now.
    Turn,
    Refused {
        why: RefusedWhy,
        by: Box<Observation>,
        /// When it is worth asking again; `None`: only when told.
        rest: Option<Duration>,
        queued: Queued,
    },
}

/// A place in line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Queued {
    /// When we came, in the server's words; empty for one that does not stand in line.
    pub(super) ticket: String,
    /// Whether the end of `rest` is ours to watch.
    pub(super) watches: bool,
}

type Understood<T> = Result<T, Trouble>;

struct Reply(Vec<Value>);

impl Reply {
    /// The words of an answer; that a key belongs to somebody else is no answer.
    fn new(value: Value, name: &LeaseName) -> Understood<Self> {
        let Value::Array(words) = value else {
            return Err(garbled());
        };
        let reply = Self(words);
        if reply.text(0)? == "foreign" {
            let what = shown(reply.text(1)?);
            return Err(Trouble::Unfit(format!(
                "a key of the lease {name} is not leasectl's own ({what}); rename it, or write another \
                 prefix into the URL, as in ?prefix=leases"
            )));
        }
        Ok(reply)
    }

    fn text(&self, at: usize) -> Understood<&str> {
        match self.0.get(at) {
            Some(Value::BulkString(bytes)) => str::from_utf8(bytes).map_err(|_| garbled()),
            Some(Value::SimpleString(text)) => Ok(text),
            _ => Err(garbled()),
        }
    }

    /// A number, however the server writes it.
    fn number(&self, at: usize) -> Understood<i64> {
        match self.0.get(at) {
            Some(Value::Int(number)) => Ok(*number),
            _ => self.text(at)?.parse().map_err(|_| garbled()),
        }
    }

    fn positive(&self, at: usize) -> Understood<u64> {
        u64::try_from(self.number(at)?).map_err(|_| garbled())
    }

    fn token(&self, at: usize) -> Understood<FencingToken> {
        FencingToken::new(self.positive(at)?).map_err(|_| garbled())
    }

    /// The hash at `at`, seen at the server's microseconds.
    fn fields(&self, at: usize, now_us: u64) -> Understood<Fields> {
        let Some(Value::Array(flat)) = self.0.get(at) else {
            return Err(garbled());
        };
        let mut by_name = HashMap::new();
        for pair in flat.chunks(2) {
            let [Value::BulkString(field), Value::BulkString(value)] = pair else {
                return Err(garbled());
            };
            // A field that is not UTF-8 is none of ours.
            if let Ok(field) = str::from_utf8(field) {
                by_name.insert(field.to_owned(), value.clone());
            }
        }
        Ok(Fields::new(now_us, by_name))
    }
}

fn garbled() -> Trouble {
    Trouble::Garbled("it is not what the script answers".to_owned())
}

pub(super) fn acquired(value: Value, name: &LeaseName) -> Understood<Acquired> {
    let reply = Reply::new(value, name)?;
    match reply.text(0)? {
        "granted" => Ok(Acquired::Granted(reply.token(1)?)),
        "turn" => Ok(Acquired::Turn),
        "held" => refused(&reply, name),
        _ => Err(garbled()),
    }
}

fn refused(reply: &Reply, name: &LeaseName) -> Understood<Acquired> {
    let (word, rest) = (reply.text(1)?, reply.number(2)?);
    let rest = u64::try_from(rest).ok().map(Duration::from_millis);
    let (ticket, rank) = (reply.text(3)?.to_owned(), reply.number(4)?);
    let mut by = reply.fields(6, reply.positive(5)?)?.observation(name);
    let why = match word {
        "held" => RefusedWhy::Held,
        "next" => {
            by = reserved(name, rest.unwrap_or_default());
            RefusedWhy::Held
        }
        "min-hold" => RefusedWhy::Cooldown,
        "drained" => RefusedWhy::Paused,
        "guard" | "forgotten" => {
            by.expires_in = rest;
            RefusedWhy::Guard
        }
        _ => return Err(garbled()),
    };
    let watches = rank == 0 || matches!(word, "next" | "guard" | "forgotten");
    Ok(Acquired::Refused {
        why,
        by: Box::new(by),
        rest,
        queued: Queued { ticket, watches },
    })
}

pub(super) fn renewed(value: Value, name: &LeaseName) -> Understood<Renewal> {
    let reply = Reply::new(value, name)?;
    match reply.text(0)? {
        "extended" => Ok(Renewal::Extended {
            server_time: Some(ServerTime::from_micros(reply.positive(1)?)),
            asked: stop_request(reply.text(2)?.as_bytes(), reply.positive(3)?),
        }),
        "lost" => Ok(Renewal::Lost {
            server_time: Some(ServerTime::from_micros(reply.positive(1)?)),
            why: match reply.text(2)? {
                "expired" => LostWhy::Expired,
                "taken" => LostWhy::Taken,
                "broken" => LostWhy::Broken,
                "vanished" => LostWhy::Vanished,
                _ => return Err(garbled()),
            },
        }),
        _ => Err(garbled()),
    }
}

pub(super) fn released(value: Value, name: &LeaseName) -> Understood<Release> {
    match Reply::new(value, name)?.text(0)? {
        "released" => Ok(Release::Released),
        "gone" | "left" => Ok(Release::AlreadyOver),
        _ => Err(garbled()),
    }
}

/// The token of the hold that was asked or taken away; `None`: there is none.
fn stopped(value: Value, name: &LeaseName) -> Understood<Option<FencingToken>> {
    let reply = Reply::new(value, name)?;
    match (reply.text(0)?, reply.number(1)?) {
        ("asked", 0) => Ok(None),
        ("asked", _) => reply.token(2).map(Some),
        _ => Err(garbled()),
    }
}

pub(super) fn told(value: Value, name: &LeaseName) -> Understood<Asked> {
    Ok(stopped(value, name)?.map_or(Asked::AlreadySo, Asked::Told))
}

pub(super) fn revoked(value: Value, name: &LeaseName) -> Understood<Revoked> {
    Ok(match stopped(value, name)? {
        Some(_) => Revoked::Revoked { within: None },
        None => Revoked::NotHeld,
    })
}

pub(super) fn shut_or_opened(value: Value, name: &LeaseName) -> Understood<Asked> {
    match Reply::new(value, name)?.text(0)? {
        "done" => Ok(Asked::Done),
        "same" => Ok(Asked::AlreadySo),
        _ => Err(garbled()),
    }
}

pub(super) fn forgotten(value: Value, name: &LeaseName) -> Understood<()> {
    match Reply::new(value, name)?.text(0)? {
        "done" => Ok(()),
        "held" => Err(Trouble::Unfit(format!(
            "the lease {name} is held, and a held lease is not forgotten"
        ))),
        _ => Err(garbled()),
    }
}

pub(super) fn observed(value: Value, name: &LeaseName) -> Understood<Observation> {
    let reply = Reply::new(value, name)?;
    match reply.text(0)? {
        "record" => {
            let fields = reply.fields(3, reply.positive(1)?)?;
            Ok(fields.observation(name))
        }
        _ => Err(garbled()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> LeaseName {
        LeaseName::new("nightly").unwrap()
    }

    fn words(words: &[&str]) -> Value {
        let bulk = |word: &&str| Value::BulkString(word.as_bytes().to_vec());
        Value::Array(words.iter().map(bulk).collect())
    }

    #[test]
    fn a_grant_needs_a_token() {
        let granted = acquired(words(&["granted", "1795224758205123", "1", "9"]), &name());
        assert!(matches!(granted, Ok(Acquired::Granted(token)) if token.get() > 1 << 50));
        for odd in [
            words(&["granted"]),
            words(&["granted", "0"]),
            words(&["granted", "-5"]),
            words(&["granted", "1e300"]),
            words(&["grant", "5"]),
            words(&[]),
            Value::Okay,
            Value::Nil,
            Value::Int(1),
        ] {
            let answer = acquired(odd, &name());
            assert!(matches!(answer, Err(Trouble::Garbled(_))), "{answer:?}");
        }
    }

    #[test]
    fn only_the_word_extended_extends_and_only_the_word_lost_loses() {
        let extended = renewed(words(&["extended", "9", "", "0"]), &name()).unwrap();
        let server_time = Some(ServerTime::from_micros(9));
        let asked = None;
        assert_eq!(extended, Renewal::Extended { server_time, asked });
        let lost = renewed(words(&["lost", "9", "taken"]), &name()).unwrap();
        let why = LostWhy::Taken;
        assert_eq!(lost, Renewal::Lost { server_time, why });
        for odd in [words(&["lost"]), words(&["held", "9"]), Value::Okay] {
            assert!(matches!(renewed(odd, &name()), Err(Trouble::Garbled(_))));
        }
    }

    #[test]
    fn a_key_of_somebody_else_is_an_operators_business() {
        let foreign = || words(&["foreign", "string"]);
        assert!(matches!(
            acquired(foreign(), &name()),
            Err(Trouble::Unfit(_))
        ));
        assert!(matches!(
            renewed(foreign(), &name()),
            Err(Trouble::Unfit(_))
        ));
        assert!(matches!(
            released(foreign(), &name()),
            Err(Trouble::Unfit(_))
        ));
        assert!(matches!(
            observed(foreign(), &name()),
            Err(Trouble::Unfit(_))
        ));
        let long = words(&["foreign", &"s".repeat(100_000)]);
        let Err(Trouble::Unfit(why)) = observed(long, &name()) else {
            panic!("not refused");
        };
        assert!(why.len() < 500, "{} bytes", why.len());
    }
}
