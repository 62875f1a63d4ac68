//! Every fuzz target by its name, which is that of its corpus in `fuzz/corpus` and of its program in
//! `fuzz/fuzz_targets`. A target panics when a promise is broken, and takes any bytes.

use crate::clock::WallTime;
use crate::commands::status;
use crate::fuzzing::checks::{one_line, tame};
use crate::lease::{LeaseRecord, LeaseState, Observation, StoreLabel};
use crate::secret::Secret;
use crate::store::url::{StoreUrl, UrlError};

/// One kind of input.
#[derive(Debug)]
pub struct Target {
    /// As it is called everywhere.
    pub name: &'static str,
    /// Feeds it.
    pub feed: fn(&[u8]),
    /// Pieces from which inputs of this kind are made.
    pub words: &'static [&'static str],
}

/// All of them.
pub const TARGETS: &[Target] = &[
    #[cfg(feature = "azblob")]
    Target {
        name: "blob_answer",
        feed: crate::store::azblob::fuzzing::answer,
        words: &[
            "HTTP/1.1 200 OK\r\n",
            "x-ms-lease-state: leased\r\n",
            "x-ms-meta-record: {}\r\n",
            "x-ms-error-code: LeaseAlreadyPresent\r\n",
            "<Code>LeaseLost</Code>",
            "date: Fri, 31 Dec 9999 23:59:59 GMT\r\n",
            "18446744073709551615",
        ],
    },
    #[cfg(feature = "azblob")]
    Target {
        name: "blob_list",
        feed: crate::store::azblob::fuzzing::list,
        words: &[
            "<Blob><Name>",
            "</Name></Blob>",
            "<Metadata>",
            "<leasectl>1</leasectl>",
            "<![CDATA[",
            "<!DOCTYPE a [<!ENTITY b \"c\">]>",
            "&b;",
            "~2E",
            ".ask",
        ],
    },
    Target {
        name: "command_line",
        feed: crate::cli::fuzzing::command_line,
        words: &[
            "1h30m",
            "forever",
            "fd:3",
            "18446744073709551615",
            "ns",
            "http://[::1]:80",
            "all,",
            "=",
        ],
    },
    Target {
        name: "configuration",
        feed: crate::cli::fuzzing::configuration,
        words: &[
            "[defaults]\n",
            "[[lease]]\n",
            "match = \"*\"\n",
            "ttl = \"30s\"\n",
            "quiet = true\n",
            "[stores.a]\n",
            "url = \"redis://:canary@h\"\n",
            "meta = { a = \"b\" }\n",
            "\"\"\"",
            "\\u0000",
            "[[[",
            "= 1e400\n",
        ],
    },
    #[cfg(feature = "file")]
    Target {
        name: "file_store",
        feed: crate::store::file::fuzzing::files,
        words: &[
            "\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}",
            "lease-r1",
            "lease-v1",
            "\"schema\":\"leasectl.ask/1\"",
            "%2F",
            "=",
        ],
    },
    Target {
        name: "guardian_message",
        feed: crate::process::fuzzing::messages,
        words: &[
            "\u{1}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}",
            "\u{7f}\u{0}\u{0}\u{0}",
        ],
    },
    Target {
        name: "lease_record",
        feed: lease_record,
        words: RECORD,
    },
    Target {
        name: "metadata_answer",
        feed: crate::notices::fuzzing::answer,
        words: &[
            "HTTP/1.1 200 OK\r\n",
            "Content-Length: 65537\r\n",
            "Transfer-Encoding: chunked\r\n",
            "\r\n\r\n",
            "ffffffffffffffff\r\n",
            "0\r\n",
            "Retry-After: 18446744073709551615\r\n",
        ],
    },
    Target {
        name: "scheduled_events",
        feed: crate::notices::fuzzing::document,
        words: &[
            "{\"Events\":[",
            "\"EventId\":\"a\"",
            "\"Resources\":[\"web_0\"]",
            "\"NotBefore\":\"\"",
            "\"EventStatus\":\"Started\"",
            "\\u202e",
            "-1",
            "null",
            "[[[[[[[[",
            "9223372036854775808",
        ],
    },
    Target {
        name: "scheduled_events_cache",
        feed: crate::notices::fuzzing::cache,
        words: &[
            "\n",
            "\"beat_ns\":18446744073709551615",
            "\"bytes\":0",
            "\"state\":\"ok\"",
        ],
    },
    #[cfg(feature = "redis")]
    Target {
        name: "redis_answer",
        feed: crate::store::redis::fuzzing::answer,
        words: &[
            "*2\r\n",
            "$7\r\ngranted\r\n",
            "$8\r\nextended\r\n",
            "$4\r\nlost\r\n",
            "$20\r\n18446744073709551615\r\n",
            ":-1\r\n",
            ">3\r\n",
            "-MOVED 1 a:1\r\n",
            "*1000000000\r\n",
            "$-1\r\n",
            "%1\r\n",
            "_\r\n",
        ],
    },
    Target {
        name: "store_url",
        feed: store_url,
        words: &[
            "redis://",
            "rediss-sentinel://",
            "azblob://",
            "file:///",
            ":canary@",
            "%0d%0a",
            "?ttl=1s",
            "&",
            "[::1]:1",
            "%25",
            "@",
            "//",
            "?sig=",
        ],
    },
];

/// Feeds the target of this name.
pub fn feed(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = target.unwrap_or_else(|| panic!("there is no target {name}"));
    (target.feed)(bytes);
}

const RECORD: &[&str] = &[
    "\"lease\":\"a\"",
    "\"token\":9223372036854775807",
    "\"ended\":{",
    "null",
    "\\u001b[2J",
    "\\u202e",
    "1e308",
    "\"9999-12-31T23:59:59.999999999Z\"",
    "\"outcome\":\"lost\"",
    "-1",
];

/// What nobody but its owner may see.
const CANARY: &str = "canary-4b1d";

/// A store's URL: read, printed and read again; what is in it as a password is in no text made from it.
pub fn store_url(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    match StoreUrl::parse(text) {
        Err(error) => one_line(&error.to_string()),
        Ok(url) => read_url(&url),
    }
    // Wherever the password's owner forgot to encode something.
    let middle = text.char_indices().nth(text.chars().count() / 2);
    let (before, after) = text.split_at(middle.map_or(0, |(at, _)| at));
    for scheme in ["redis", "azblob"] {
        let text = format!("{scheme}://user:{before}{CANARY}{after}@host/0");
        if let Ok(url) = StoreUrl::parse(&text) {
            hides_the_canary(&url);
            assert!(url.has_password(), "{text:?}");
        }
    }
}

fn read_url(url: &StoreUrl) {
    let printed = url.without_password();
    tame(&url.to_string());
    let again = StoreUrl::parse(&printed);
    let again = again.unwrap_or_else(|error| panic!("{printed:?} is no URL: {error}"));
    assert_eq!(again.without_password(), printed);
    assert!(!again.has_password(), "{printed:?}");
    let parts = |url: &StoreUrl| {
        let parts = [
            url.scheme(),
            url.host(),
            url.path(),
            url.user().unwrap_or_default(),
        ];
        parts.map(str::to_owned)
    };
    assert_eq!(parts(&again), parts(url));
    if let Ok(with) = url.with_password(Secret::new(CANARY.to_owned())) {
        hides_the_canary(&with);
    }
    understood(url);
}

/// What a store makes of a URL: its label, and all that it was told.
type Read = fn(&StoreUrl) -> Result<(StoreLabel, String), UrlError>;

/// The stores, by what their schemes begin with. Nothing is opened.
const STORES: &[(&str, Read)] = &[
    #[cfg(feature = "redis")]
    ("redis", |url| {
        let config = crate::store::redis::Config::from_url(url)?;
        Ok((config.label(), format!("{config:?}")))
    }),
    #[cfg(feature = "azblob")]
    ("azblob", |url| {
        let around = crate::store::azblob::Surroundings {
            connection_string: None,
            key: None,
            sas: None,
        };
        let config = crate::store::azblob::Config::from_url(url, &around)?;
        Ok((config.label(), format!("{config:?}")))
    }),
    #[cfg(feature = "file")]
    ("file", |url| {
        let around = crate::store::file::Surroundings {
            uid: 0,
            state_home: None,
            home: None,
            passwd_home: None,
        };
        let config = crate::store::file::Config::from_url(url, &around)?;
        Ok((config.label(), format!("{config:?}")))
    }),
];

fn understood(url: &StoreUrl) {
    let of = |(scheme, _): &&(&str, Read)| url.scheme().starts_with(scheme);
    for (_, read) in STORES.iter().filter(of) {
        match read(url) {
            Ok((label, _)) => tame(label.as_str()),
            Err(error) => one_line(&error.to_string()),
        }
    }
}

fn hides_the_canary(url: &StoreUrl) {
    let mut shown = format!(
        "{url} {url:?} {} {:?}",
        url.without_password(),
        url.options()
    );
    for (_, read) in STORES {
        shown += &match read(url) {
            Ok((label, config)) => format!("{label} {config}"),
            Err(error) => format!("{error} {error:?}"),
        };
    }
    assert!(!shown.contains(CANARY), "{shown}");
}

/// A record that anybody may have written: read again it is the same, and what is shown of it is tame.
pub fn lease_record(bytes: &[u8]) {
    let Some(record) = LeaseRecord::from_json(bytes) else {
        return;
    };
    let printed = record.to_json();
    assert!(!printed.contains('\n'), "{printed}");
    // Keys that are missing are added, so that a page that is full may overflow.
    if printed.len() <= crate::lease::LARGEST_RECORD {
        let again = LeaseRecord::from_json(printed.as_bytes());
        let again = again.unwrap_or_else(|| panic!("cannot be read again: {printed}"));
        assert_eq!(again.to_json(), printed);
        assert_eq!((again.token, &again.lease), (record.token, &record.lease));
    }
    for state in [LeaseState::Held, LeaseState::Free] {
        shown(&Observation {
            state,
            record: Some(record.clone()),
            cooldown_until: record.not_before_at,
            ..Observation::untouched(record.lease.clone())
        });
    }
}

/// What programs and people are shown.
fn shown(seen: &Observation) {
    let store = StoreLabel::new("memory:".to_owned());
    let seen = std::slice::from_ref(seen);
    let now = WallTime::from_unix_millis(1_795_000_000_000);
    let json = status::json(&store, now, seen);
    let line = json.strip_suffix('\n').unwrap_or_default();
    tame(line);
    let read: Result<serde_json::Value, _> = serde_json::from_str(line);
    assert!(read.is_ok(), "{line}");
    // A label is a name to the letter, and the format has no escapes for more than quotes.
    let metrics = status::prometheus(&store, now, seen);
    assert!(!metrics.replace('\n', "").contains(char::is_control));
    for line in crate::cli::fuzzing::printed(&store, now, seen) {
        tame(&line);
    }
}

#[cfg(test)]
mod mutation;
#[cfg(test)]
mod replay;
