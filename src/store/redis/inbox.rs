//! What the server says unasked, kept until whoever it is for looks.
//!
//! One inbox serves one store over all its connections: a message of an old connection is as true as one of
//! the present one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{FromRedisValue, PushInfo, PushKind};
use tokio::sync::Notify;

use super::record::stop_request;
use crate::lease::{FencingToken, Hold, HoldEvent, LostWhy, StopRequest};

/// Word for a waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It is our turn.
    Now,
    /// It is ours to look again after so long.
    After(Duration),
}

/// The inbox of one store.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    letters: Mutex<Letters>,
    pub(super) told: Notify,
}

/// The latest of each kind: what came before it is out of date.
#[derive(Debug, Default)]
struct Letters {
    /// By the channel of the waiter.
    words: HashMap<Vec<u8>, Word>,
    /// By the channel of the holders.
    told: HashMap<Vec<u8>, Told>,
}

/// What the holders of one lease were told: one letter of each kind, however often it was said. The tokens of a
/// lease rise, so that what is said to one is of no use to those before it.
#[derive(Debug, Default)]
struct Told {
    stop: Option<(FencingToken, StopRequest)>,
    /// The highest that was taken away. Lower ones were over before it was granted.
    taken: Option<FencingToken>,
    /// The server knows the lease no more.
    forgotten: bool,
}

impl Inbox {
    /// Takes in what a connection was told. A connection that has ended wakes everybody, too.
    pub(super) fn push(&self, info: PushInfo) {
        if matches!(info.kind, PushKind::Message | PushKind::SMessage) {
            let mut data = info.data.into_iter().map(Vec::<u8>::from_redis_value);
            if let (Some(Ok(channel)), Some(Ok(text))) = (data.next(), data.next()) {
                self.letters().file(channel, &text);
            }
        }
        self.told.notify_waiters();
    }

    /// From now on words for this waiter are kept.
    pub(super) fn open(&self, channel: &[u8]) {
        let mut letters = self.letters();
        letters
            .words
            .entry(channel.to_vec())
            .or_insert(Word::After(Duration::MAX));
    }

    /// What is there for this waiter is out of date.
    pub(super) fn clear(&self, channel: &[u8]) {
        if let Some(word) = self.letters().words.get_mut(channel) {
            *word = Word::After(Duration::MAX);
        }
    }

    /// Nobody waits on this channel any more.
    pub(super) fn close(&self, channel: &[u8]) {
        self.letters().words.remove(channel);
    }

    /// The last word for this waiter, taken out.
    pub(super) fn word(&self, channel: &[u8]) -> Option<Word> {
        let mut letters = self.letters();
        let word = letters.words.get_mut(channel)?;
        let last = std::mem::replace(word, Word::After(Duration::MAX));
        Some(last).filter(|word| *word != Word::After(Duration::MAX))
    }

    /// What a hold was told on its holders' channel.
    pub(super) fn event(&self, hold: &Hold, holders: &[u8]) -> Option<HoldEvent> {
        let letters = self.letters();
        let told = letters.told.get(holders)?;
        if told.taken >= Some(hold.token) {
            return Some(HoldEvent::Lost(LostWhy::Broken));
        }
        if told.forgotten {
            return Some(HoldEvent::Lost(LostWhy::Vanished));
        }
        let stop = told.stop.as_ref();
        let stop = stop.filter(|(token, _)| *token == hold.token);
        stop.map(|(_, asked)| HoldEvent::StopAsked(asked.clone()))
    }

    /// A new hold: what was said to those before it is over.
    pub(super) fn begin(&self, holders: &[u8]) {
        if let Some(told) = self.letters().told.get_mut(holders) {
            told.forgotten = false;
        }
    }

    /// A hold is over: what it was asked is of no use any more.
    pub(super) fn end(&self, holders: &[u8], token: FencingToken) {
        if let Some(told) = self.letters().told.get_mut(holders) {
            told.stop.take_if(|(asked, _)| *asked <= token);
        }
    }

    fn letters(&self) -> MutexGuard<'_, Letters> {
        // Whoever panicked left whole letters behind.
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Letters {
    fn file(&mut self, channel: Vec<u8>, text: &[u8]) {
        let Ok(text) = str::from_utf8(text) else {
            return;
        };
        if let Some(word) = self.words.get_mut(&channel) {
            match text.parse() {
                Ok(0) => *word = Word::Now,
                // "It is your turn" is not taken back by word of a later end.
                Ok(millis) if *word != Word::Now => {
                    *word = Word::After(Duration::from_millis(millis));
                }
                _ => {}
            }
            return;
        }
        let mut parts = text.splitn(4, ' ');
        let token = |part: Option<&str>| {
            let number = part.and_then(|text| text.parse().ok());
            number.and_then(|number| FencingToken::new(number).ok())
        };
        match parts.next() {
            Some("lost") if text == "lost" => self.told(channel).forgotten = true,
            Some("lost") => {
                if let Some(token) = token(parts.next()) {
                    let taken = &mut self.told(channel).taken;
                    *taken = (*taken).max(Some(token));
                }
            }
            Some("stop") => {
                let told = token(parts.next());
                let at = parts.next().and_then(|at| at.parse().ok());
                let asked = at.zip(parts.next());
                let asked = asked.and_then(|(at, json)| stop_request(json.as_bytes(), at));
                if let Some((token, asked)) = told.zip(asked) {
                    let stop = &mut self.told(channel).stop;
                    // One that was on its way for long takes nothing from the next hold.
                    if stop.as_ref().is_none_or(|(newest, _)| token >= *newest) {
                        *stop = Some((token, asked));
                    }
                }
            }
            _ => {}
        }
    }

    fn told(&mut self, channel: Vec<u8>) -> &mut Told {
        self.told.entry(channel).or_default()
    }
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;
    use crate::lease::{LeaseName, OwnerId};

    fn say(inbox: &Inbox, channel: &str, text: &str) {
        let bulk = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        inbox.push(PushInfo {
            kind: PushKind::Message,
            data: vec![bulk(channel), bulk(text)],
        });
    }

    fn hold(token: u64) -> Hold {
        Hold {
            name: LeaseName::new("a").unwrap(),
            owner: OwnerId::fresh().unwrap(),
            token: FencingToken::new(token).unwrap(),
            ttl: Some(Duration::from_secs(30)),
            lock: None,
        }
    }

    #[test]
    fn a_turn_is_kept_until_it_is_taken() {
        let inbox = Inbox::default();
        say(&inbox, "w", "0");
        assert_eq!(inbox.word(b"w"), None, "nobody waits there");
        inbox.open(b"w");
        say(&inbox, "w", "1500");
        say(&inbox, "w", "0");
        say(&inbox, "w", "1000");
        say(&inbox, "w", "nonsense");
        assert_eq!(inbox.word(b"w"), Some(Word::Now));
        assert_eq!(inbox.word(b"w"), None);
        say(&inbox, "w", "1500");
        let later = Word::After(Duration::from_millis(1_500));
        assert_eq!(inbox.word(b"w"), Some(later));
    }

    #[test]
    fn a_hold_is_told_what_is_said_to_it_and_not_to_others() {
        let inbox = Inbox::default();
        say(&inbox, "h", r#"stop 7 1000 {"by":"alice","reason":null}"#);
        say(&inbox, "h", "stop 7");
        say(&inbox, "h", "lost x");
        assert!(matches!(
            inbox.event(&hold(7), b"h"),
            Some(HoldEvent::StopAsked(asked)) if asked.asker.by == "alice"
        ));
        assert_eq!(inbox.event(&hold(8), b"h"), None);
        say(&inbox, "h", "lost 7");
        let broken = Some(HoldEvent::Lost(LostWhy::Broken));
        assert_eq!(inbox.event(&hold(7), b"h"), broken);
        say(&inbox, "h", "lost");
        let vanished = Some(HoldEvent::Lost(LostWhy::Vanished));
        assert_eq!(inbox.event(&hold(9), b"h"), vanished);
        assert_eq!(inbox.event(&hold(9), b"other"), None);
        inbox.begin(b"h");
        assert_eq!(inbox.event(&hold(9), b"h"), None);
    }
    #[test]
    fn what_is_said_again_and_again_is_kept_once_and_nothing_of_it_is_lost() {
        let inbox = Inbox::default();
        for token in 1..=1_000 {
            say(&inbox, "h", &format!("lost {token}"));
            say(
                &inbox,
                "h",
                &format!(r#"stop {token} 1000 {{"by":"alice","reason":null}}"#),
            );
            say(&inbox, "other", "lost");
        }
        // What comes late is about those before.
        say(&inbox, "h", "lost 3");
        say(&inbox, "h", r#"stop 3 1000 {"by":"bob","reason":null}"#);
        assert_eq!(inbox.letters().told.len(), 2);
        let broken = Some(HoldEvent::Lost(LostWhy::Broken));
        for token in [1, 500, 1_000] {
            assert_eq!(inbox.event(&hold(token), b"h"), broken, "{token}");
        }
        assert_eq!(inbox.event(&hold(1_001), b"h"), None);
        assert_eq!(inbox.event(&hold(7), b"unheard"), None);
        let vanished = Some(HoldEvent::Lost(LostWhy::Vanished));
        assert_eq!(inbox.event(&hold(7), b"other"), vanished);
    }

    #[test]
    fn a_request_to_stop_is_kept_until_its_hold_is_over() {
        let inbox = Inbox::default();
        say(&inbox, "h", r#"stop 8 1000 {"by":"alice","reason":null}"#);
        say(&inbox, "h", r#"stop 7 1000 {"by":"bob","reason":null}"#);
        inbox.end(b"h", FencingToken::new(7).unwrap());
        assert!(inbox.event(&hold(8), b"h").is_some());
        inbox.end(b"h", FencingToken::new(8).unwrap());
        assert_eq!(inbox.event(&hold(8), b"h"), None);
    }
}
