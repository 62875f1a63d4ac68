//! What a server's refusals mean: which of them pass, which are for an operator, and in which words. Pure.

use redis::{ErrorKind, RedisError};

use super::address::Node;
use crate::lease::{Doing, Effect, StoreError, StoreLabel};

/// So often is one request sent on to another node before we doubt that they agree.
pub(super) const MOST_MOVES: u32 = 5;

/// The most letters of a server's own words that a line can hold.
const LONGEST: usize = 160;
/// No command has a longer name.
const LONGEST_NAME: usize = 32;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// No answer, or one that says "later".
    Silent(Effect, String),
    /// We may not.
    Denied(String),
    /// What is there cannot be used.
    Unfit(String),
    /// No sense.
    Garbled(String),
    /// Another node serves the slot, as one says. `ask`: for one request only.
    Elsewhere { slot: u16, node: Node, ask: bool },
    /// A part of it has moved to another node, and the rest has not.
    Torn,
}

/// The reason in an error's chain.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Reason(String);

impl Trouble {
    /// The public error.
    pub(super) fn into_error(self, store: &StoreLabel, doing: Doing) -> StoreError {
        let store = store.clone();
        match self {
            Self::Silent(effect, why) => StoreError::Unreachable {
                store,
                doing,
                effect,
                cause: Box::new(Reason(why)),
            },
            Self::Denied(why) => StoreError::Denied {
                store,
                doing,
                cause: Box::new(Reason(why)),
            },
            Self::Unfit(why) => StoreError::Misconfigured {
                store,
                cause: Box::new(Reason(why)),
            },
            Self::Garbled(why) => StoreError::Garbled {
                store,
                doing,
                cause: Box::new(Reason(why)),
            },
            Self::Elsewhere { node, .. } => StoreError::Unreachable {
                store,
                doing,
                effect: Effect::None,
                cause: Box::new(Reason(format!(
                    "its nodes sent us on {MOST_MOVES} times, at last to {}; see redis-cli --cluster check",
                    shown(&node.to_string())
                ))),
            },
            Self::Torn => StoreError::Unreachable {
                store,
                doing,
                effect: Effect::None,
                cause: Box::new(Reason(TORN.to_owned())),
            },
        }
    }

    /// The same with whose it is.
    pub(super) fn at(self, whose: &str) -> Self {
        let with = |why: String| format!("{whose}: {why}");
        match self {
            Self::Silent(effect, why) => Self::Silent(effect, with(why)),
            Self::Denied(why) => Self::Denied(with(why)),
            Self::Unfit(why) => Self::Unfit(with(why)),
            Self::Garbled(why) => Self::Garbled(with(why)),
            Self::Elsewhere { .. } | Self::Torn => self,
        }
    }

    /// Kept as the reason of several, unless one that is for an operator is there.
    pub(super) fn keep_in(self, kept: &mut Option<Self>) {
        let passes = |kept: &Self| !matches!(kept, Self::Denied(_) | Self::Unfit(_));
        if kept.as_ref().is_none_or(passes) {
            *kept = Some(self);
        }
    }

    /// What `error` means; `effect` is that of a request that got no answer.
    pub(super) fn of(error: &RedisError, effect: Effect) -> Self {
        match error.kind() {
            ErrorKind::Io => {
                let words = io_in_words(error);
                // Said with the first answer, and not with the handshake: TLS 1.3.
                if words.contains(ALERT) {
                    return Self::refused_by_tls(&words);
                }
                return Self::Silent(effect, words);
            }
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => {
                return Self::Garbled("the bytes are not the Redis protocol".to_owned());
            }
            ErrorKind::RESP3NotSupported => return Self::Unfit(not_known("HELLO")),
            _ => {}
        }
        let said = said(error);
        let (code, words) = code_in(&said);
        Self::of_code(code, words)
    }

    /// The server ended the TLS connection, and said why.
    pub(super) fn refused_by_tls(words: &str) -> Self {
        Self::Denied(format!(
            "it refuses the TLS connection ({}); does it want ?client-cert=FILE&client-key=FILE?",
            shown(words)
        ))
    }

    /// An error reply. A script that ends in one has changed nothing.
    fn of_code(code: &str, words: &str) -> Self {
        let later = |why: &str| Self::Silent(Effect::None, format!("{why} ({code})"));
        match code {
            "NOAUTH" => Self::Denied(
                "it wants a password (NOAUTH); put it into the URL, in a file for --store-file"
                    .to_owned(),
            ),
            "WRONGPASS" => Self::Denied(
                "it does not know this user and password (WRONGPASS); correct the URL".to_owned(),
            ),
            "NOPERM" => Self::Denied(format!(
                "{} (NOPERM); give the user the rights in examples/redis.acl",
                shown(words)
            )),
            "DENIED" => Self::Denied(format!(
                "it is in protected mode (DENIED): {}",
                shown(words)
            )),
            "LOADING" => later("it is loading its data"),
            "BUSY" => later("it is busy with a script of somebody else"),
            "READONLY" => later("it is a replica; name the primary"),
            "MASTERDOWN" => later("it is a replica that has lost its primary"),
            "NOREPLICAS" => later("it has not enough replicas"),
            "OOM" => later("its memory is full; raise maxmemory"),
            "MISCONF" => later("it cannot save its data to disk; see its log"),
            "CLUSTERDOWN" | "UNBLOCKED" => later("its cluster is down or changing"),
            "TRYAGAIN" => Self::Torn,
            "MOVED" | "ASK" | "CROSSSLOT" => Self::Unfit(CLUSTER.to_owned()),
            "WRONGTYPE" => Self::Unfit(format!("a key has another type: {}", shown(words))),
            "NOPROTO" => Self::Unfit(TOO_OLD.to_owned()),
            "ERR" => Self::of_err(words),
            _ => Self::Garbled(format!("it said {} {}", shown(code), shown(words))),
        }
    }

    /// What has no code of its own is told by its words.
    fn of_err(words: &str) -> Self {
        if words.starts_with("max number of clients") {
            let why = "it takes no more connections; raise maxclients (ERR)";
            return Self::Silent(Effect::None, why.to_owned());
        }
        if let Some((_, command)) = words.split_once("unknown command ") {
            return Self::Unfit(not_known(name_in(command)));
        }
        // Called by a script, which is not told which.
        if words.contains("Unknown Redis command") || words.starts_with("Unknown ") {
            return Self::Unfit(not_known(""));
        }
        // What a script calls is judged by the rights of its user, in words of each version's own.
        if words.contains("The user executing the script")
            || words.starts_with("ACL failure in script")
        {
            return Self::of_code("NOPERM", words);
        }
        if words.contains("DB index") {
            return Self::Unfit("it has no database with this number".to_owned());
        }
        if words.contains("without any password") {
            let why = "it has no password for its default user; leave the password out of the URL";
            return Self::Denied(why.to_owned());
        }
        Self::Garbled(format!("it said ERR {}", shown(words)))
    }
}

/// How rustls begins what the other side said.
const ALERT: &str = "received fatal alert";
pub(super) const TOO_OLD: &str = "Redis 6.0 or newer is needed";

/// A command that a lease needs.
fn not_known(command: &str) -> String {
    let which = if command.is_empty() {
        "a command that leases need".to_owned()
    } else {
        format!("the command {command}")
    };
    format!(
        "it does not know {which}; {TOO_OLD}, without a rename-command for it in its configuration"
    )
}

/// The name that the server's words begin with, in quotes of one kind or another.
fn name_in(words: &str) -> &str {
    let words = words.trim_start_matches(['\'', '`', '"']);
    let is_of_it = |letter: char| letter.is_ascii_alphanumeric() || "-_|".contains(letter);
    let end = words.find(|letter| !is_of_it(letter));
    let name = &words[..end.unwrap_or(words.len())];
    if name.len() > LONGEST_NAME { "" } else { name }
}

const TORN: &str = "it is moving the lease to another node (TRYAGAIN)";
pub(super) const CLUSTER: &str =
    "it is a node of a cluster; write redis-cluster://HOST:PORT,HOST:PORT";

/// Slot and node in the server's words, and whether for one request only, when it sends us to another.
pub(super) fn redirection(error: &RedisError) -> Option<(String, bool)> {
    let said = said(error);
    match code_in(&said) {
        ("MOVED", words) => Some((words.to_owned(), false)),
        ("ASK", words) => Some((words.to_owned(), true)),
        _ => None,
    }
}

/// The server's words as it sent them: the crate has taken the code apart from them.
fn said(error: &RedisError) -> String {
    // Of several commands in one write, the first that failed.
    if error.detail().is_none()
        && let Some(errors) = error.clone().into_server_errors()
        && let Some((_, first)) = errors.first()
    {
        return format!("{} {}", first.code(), first.details().unwrap_or_default());
    }
    let code = error.code().unwrap_or("");
    let detail = error.detail().unwrap_or("");
    let detail = detail.strip_prefix(code).unwrap_or(detail).trim_start();
    if code.is_empty() || error.kind() == ErrorKind::AuthenticationFailed {
        let known = ["NOAUTH", "WRONGPASS", "NOPERM", "ERR", "LOADING", "DENIED"];
        if !known.iter().any(|known| detail.starts_with(known)) {
            return format!("WRONGPASS {error}");
        }
        return detail.to_owned();
    }
    format!("{code} {detail}")
}

/// The code and the rest. Before Redis 7 an error inside a script is wrapped in another.
fn code_in(said: &str) -> (&str, &str) {
    let (code, words) = said.split_once(' ').unwrap_or((said, ""));
    if code != "ERR" || !words.contains("user_script") {
        return (code, words);
    }
    for inner in [
        "OOM",
        "READONLY",
        "MISCONF",
        "NOREPLICAS",
        "NOPERM",
        "WRONGTYPE",
    ] {
        if words.contains(&format!("-{inner} ")) {
            return (inner, words);
        }
    }
    (code, words)
}

/// Foreign words at a length that a line can hold, without where in a script they arose.
pub(super) fn shown(words: &str) -> String {
    let end = words.find(" script: ").unwrap_or(words.len());
    let words = words.get(..end).unwrap_or(words).trim_end_matches('.');
    words.chars().take(LONGEST).collect()
}

fn io_in_words(error: &RedisError) -> String {
    use std::error::Error as _;
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let cause = error.source().map(ToString::to_string);
    let text = cause.unwrap_or_else(|| error.to_string());
    if text.contains("driver unexpectedly terminated") || error.is_connection_dropped() {
        return "the connection was closed".to_owned();
    }
    shown(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(said: &str) -> Trouble {
        let (code, words) = code_in(said);
        Trouble::of_code(code, words)
    }

    #[test]
    fn what_passes_has_changed_nothing() {
        for said in [
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica. script: f, on @user_script:1.",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "MISCONF Redis is configured to save RDB snapshots",
            "NOREPLICAS Not enough good replicas to write.",
            "BUSY Redis is busy running a script.",
            "ERR max number of clients reached",
            "ERR Error running script (call to f_1): @user_script:9: -OOM command not allowed",
        ] {
            let trouble = of(said);
            assert!(
                matches!(trouble, Trouble::Silent(Effect::None, _)),
                "{said}"
            );
        }
    }

    #[test]
    fn a_command_that_is_not_known_is_named() {
        let long = format!("ERR unknown command '{}'", "x".repeat(100));
        for (said, named) in [
            (
                "ERR unknown command 'EVALSHA', with args beginning with: 'f' ",
                "EVALSHA",
            ),
            (
                "ERR unknown command `HELLO`, with args beginning with: `3`, ",
                "HELLO",
            ),
            (
                "ERR Error running script (call to f_1): @user_script:61: unknown command 'HSET'",
                "HSET",
            ),
            (
                "ERR Unknown Redis command called from script script: f",
                "leases need",
            ),
            (
                "ERR Error running script (call to f_1): @user_script:7: @user_script: 7: Unknown Redis command called",
                "leases need",
            ),
            (&long, "leases need"),
        ] {
            let Trouble::Unfit(why) = of(said) else {
                panic!("{said}");
            };
            assert!(why.contains(&format!("{named}; ")), "{why}");
        }
    }

    #[test]
    fn what_is_for_an_operator_is_said_once() {
        for said in [
            "NOAUTH Authentication required.",
            "WRONGPASS invalid username-password pair or user is disabled.",
            "NOPERM this user has no permissions to run the 'evalsha' command",
            "DENIED Redis is running in protected mode",
            "ERR The user executing the script can't run this command or subcommand script: f",
            "ERR Error running script (call to f_1): @user_script:9: The user executing the script can't",
            "ERR ACL failure in script: User app has no permissions to run the 'hset' command",
        ] {
            assert!(matches!(of(said), Trouble::Denied(_)), "{said}");
        }
        for said in [
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "CROSSSLOT Keys in request don't hash to the same slot",
            "ERR unknown command 'EVALSHA'",
            "ERR DB index is out of range",
        ] {
            assert!(matches!(of(said), Trouble::Unfit(_)), "{said}");
        }
        assert!(matches!(of("ERR something new"), Trouble::Garbled(_)));
        assert!(matches!(
            of("TRYAGAIN Multiple keys request"),
            Trouble::Torn
        ));
        assert!(matches!(of("whatever"), Trouble::Garbled(_)));
    }
}
