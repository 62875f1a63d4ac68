//! From `redis://...` to a configuration; opens nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::address::{Address, unfit};
use crate::lease::{LARGEST_TTL, StoreLabel};
use crate::secret::Secret;
use crate::store::url::{Options, StoreUrl, UrlError, encode};

/// What every key begins with, unless the URL says otherwise.
const DEFAULT_PREFIX: &str = "leasectl";
const LONGEST_PREFIX: usize = 64;
/// The most replicas that a grant can be made to wait for.
const MOST_REPLICAS: u64 = 16;

/// How long nobody gets a lease that the server may have forgotten (`restart-guard`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartGuard {
    /// As long as the claim's own time to live: right where all claims of a lease have the same.
    ClaimsTtl,
    /// So long: the longest time to live in use. Too short lets two run after a restart without data;
    /// too long keeps jobs waiting.
    Fixed(Duration),
}

/// How the server proves who it is, and we to it (`rediss`).
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// The file with the certificates of the authorities that are trusted; `None`: those of this machine.
    pub ca: Option<PathBuf>,
    /// The files with our own certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Whether a handshake has succeeded: where TLS is spoken is no question any more. All clones know.
    pub(super) spoken: Arc<AtomicBool>,
}

/// What a Redis store is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the server is.
    pub address: Address,
    /// With TLS, and how.
    pub tls: Option<Tls>,
    /// The user; `None`: the server's default user.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// The number of the database.
    pub database: u32,
    /// What every key begins with.
    pub prefix: String,
    /// The guard after a loss of data; a length of zero turns it off.
    pub guard: RestartGuard,
    /// So many replicas have to have a grant before it counts as one (`replicas`); 0: none.
    pub replicas: u64,
}

impl Config {
    /// Reads the URL, whose scheme is one of this store's.
    ///
    /// # Errors
    /// When a part of it means nothing to a Redis store.
    pub fn from_url(url: &StoreUrl) -> Result<Self, UrlError> {
        let mut options = url.options();
        let (address, database) = Address::of(url, &mut options)?;
        if url.user().is_some() && url.password().is_none() {
            return Err(unfit(
                "the store URL names a user and no password; write USER:PASSWORD@ into a file for \
                 --store-file, or leave out the user",
            ));
        }
        let with_tls = url.scheme().starts_with("rediss");
        let config = Self {
            address,
            tls: with_tls.then(|| tls(&mut options)).transpose()?,
            user: url.user().map(str::to_owned),
            password: url.password().cloned(),
            database: number(&database)?,
            prefix: prefix(options.take_param("prefix")?)?,
            guard: guard(options.take_param("restart-guard")?)?,
            replicas: replicas(options.take_number("replicas")?)?,
        };
        options.finish()?;
        Ok(config)
    }

    /// Address, database and prefix: what makes it another store than the next.
    #[must_use]
    pub fn label(&self) -> StoreLabel {
        let secure = if self.tls.is_some() { "s" } else { "" };
        let mut text = self.address.label(secure, self.database);
        if self.prefix != DEFAULT_PREFIX {
            let mark = if text.contains('?') { '&' } else { '?' };
            text.push_str(&format!("{mark}prefix={}", encode(&self.prefix)));
        }
        StoreLabel::new(text)
    }
}

fn tls(options: &mut Options) -> Result<Tls, UrlError> {
    let mut file = |name| -> Result<Option<PathBuf>, UrlError> {
        let Some(value) = options.take_param(name)? else {
            return Ok(None);
        };
        if !value.expose().starts_with('/') {
            return Err(UrlError::NeedsValue(
                name.to_owned(),
                "the whole path of a file",
            ));
        }
        Ok(Some(PathBuf::from(value.expose())))
    };
    let ca = file("ca")?;
    let client = match (file("client-cert")?, file("client-key")?) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => {
            return Err(unfit(
                "client-cert and client-key in the store URL go together; write both, or neither",
            ));
        }
    };
    Ok(Tls {
        ca,
        client,
        spoken: Arc::default(),
    })
}

fn number(database: &str) -> Result<u32, UrlError> {
    if database.is_empty() {
        return Ok(0);
    }
    database
        .parse()
        .map_err(|_| unfit("the database in the store URL is no number; write for example /0"))
}

fn prefix(value: Option<Secret>) -> Result<String, UrlError> {
    let Some(value) = value else {
        return Ok(DEFAULT_PREFIX.to_owned());
    };
    let text = value.expose();
    if text.is_empty() || text.len() > LONGEST_PREFIX || text.contains(['{', '}']) {
        return Err(UrlError::NeedsValue(
            "prefix".to_owned(),
            "1 to 64 bytes without { and }",
        ));
    }
    Ok(text.to_owned())
}

fn guard(value: Option<Secret>) -> Result<RestartGuard, UrlError> {
    let Some(value) = value else {
        return Ok(RestartGuard::ClaimsTtl);
    };
    if value.expose() == "off" {
        return Ok(RestartGuard::Fixed(Duration::ZERO));
    }
    humantime::parse_duration(value.expose())
        .ok()
        .filter(|span| *span <= LARGEST_TTL)
        .map(RestartGuard::Fixed)
        .ok_or_else(|| {
            let wanted = "a duration up to a day, such as 30s, or off";
            UrlError::NeedsValue("restart-guard".to_owned(), wanted)
        })
}

fn replicas(number: Option<u64>) -> Result<u64, UrlError> {
    match number {
        None => Ok(0),
        Some(number @ 1..=MOST_REPLICAS) => Ok(number),
        Some(_) => {
            let wanted = "a number from 1 to 16; leave it out to wait for none";
            Err(UrlError::NeedsValue("replicas".to_owned(), wanted))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let url = StoreUrl::parse(text).map_err(|error| error.to_string())?;
        Config::from_url(&url).map_err(|error| error.to_string())
    }

    fn label(text: &str) -> String {
        read(text).unwrap().label().to_string()
    }

    #[test]
    fn a_url_names_a_server() {
        let config = read("redis://app:canary@db1/3?restart-guard=1m30s").unwrap();
        assert_eq!(config.label().as_str(), "redis://db1:6379/3");
        assert_eq!((config.user.as_deref(), config.database), (Some("app"), 3));
        assert_eq!(config.password.as_ref().map(Secret::expose), Some("canary"));
        let minute_and_a_half = Duration::from_secs(90);
        assert_eq!(config.guard, RestartGuard::Fixed(minute_and_a_half));
        assert!(!format!("{config:?}").contains("canary"));
        let config = read("redis://[::1]:7000").unwrap();
        assert_eq!(config.label().as_str(), "redis://[::1]:7000/0");
        assert_eq!(config.guard, RestartGuard::ClaimsTtl);
        let config = read("redis+unix:///run/redis/s?db=2&restart-guard=off").unwrap();
        assert!(matches!(config.address, Address::Unix(path) if path == *"/run/redis/s"));
        assert_eq!(config.guard, RestartGuard::Fixed(Duration::ZERO));
        assert_eq!(config.database, 2);
    }

    #[test]
    fn tls_is_a_scheme_of_its_own() {
        assert!(read("redis://h/0").unwrap().tls.is_none());
        let config = read("rediss://h/0").unwrap();
        let tls = config.tls.as_ref().unwrap();
        assert_eq!((&tls.ca, &tls.client), (&None, &None));
        assert_eq!(config.label().as_str(), "rediss://h:6379/0");
        let config = read("rediss://h/0?ca=/a&client-cert=/c&client-key=/k").unwrap();
        let tls = config.tls.unwrap();
        assert_eq!(tls.ca.as_deref(), Some("/a".as_ref()));
        assert_eq!(tls.client, Some(("/c".into(), "/k".into())));
        for text in [
            "redis://h/0?ca=/a",
            "rediss://h/0?ca=a",
            "rediss://h/0?client-cert=/c",
            "rediss://h/0?client-key=/k",
            "redis+unix:///s?ca=/a",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sentinels_name_a_primary() {
        let text =
            "redis-sentinel://u:canary@s2,s1:7/main/3?sentinel-password=canary&sentinel-user=v";
        let config = read(text).unwrap();
        assert!(!format!("{config:?}").contains("canary"));
        assert_eq!(config.database, 3);
        let shown = "redis-sentinel://s1:7,s2:26379/main/3";
        assert_eq!(config.label().as_str(), shown);
        let Address::Sentinels(of) = config.address else {
            panic!("{:?}", config.address)
        };
        assert_eq!(of.password.as_ref().map(Secret::expose), Some("canary"));
        assert_eq!(
            (of.user.as_deref(), of.primary.as_str()),
            (Some("v"), "main")
        );
        assert_eq!(
            label("rediss-sentinel://s/m"),
            "rediss-sentinel://s:26379/m/0"
        );
        assert!(StoreUrl::parse(text).unwrap().has_password());
        for text in [
            "redis-sentinel://s",
            "redis-sentinel://s//0",
            "redis-sentinel:///main",
            "redis-sentinel://s,/main",
            "redis-sentinel://s/main/canary",
            "redis-sentinel://s/main?sentinel-user=canary",
            "redis://s/0?sentinel-password=canary",
            "redis-sentinel://s/main?db=1",
        ] {
            let error = read(text).unwrap_err();
            assert!(!error.contains("canary"), "{text}: {error}");
        }
    }

    #[test]
    fn a_cluster_is_some_of_its_nodes_and_has_one_database() {
        let shown = "redis-cluster://n1:7,n2:6379";
        assert_eq!(label("redis-cluster://u:canary@n2,n1:7"), shown);
        assert_eq!(label("redis-cluster://n1:7,n2/0"), shown);
        assert_eq!(label("rediss-cluster://n1"), "rediss-cluster://n1:6379");
        let error = read("redis-cluster://n1/1").unwrap_err();
        assert!(error.contains("no database but 0"), "{error}");
        for text in [
            "redis-cluster://",
            "redis-cluster:///0",
            "redis-cluster://n?db=1",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_grant_can_be_made_to_wait_for_replicas() {
        assert_eq!(read("redis://h/0").unwrap().replicas, 0);
        assert_eq!(read("redis://h/0?replicas=2").unwrap().replicas, 2);
        for number in ["0", "17", "-1", "x", ""] {
            let error = read(&format!("redis://h/0?replicas={number}")).unwrap_err();
            assert!(error.contains("\"replicas\""), "{error}");
        }
        assert_eq!(label("redis://h/0?replicas=2"), "redis://h:6379/0");
    }

    #[test]
    fn a_label_tells_stores_apart_and_no_secrets() {
        assert_eq!(label("redis://u:canary@db1/3"), "redis://db1:6379/3");
        assert_eq!(
            label("redis://db1?prefix=p%20q"),
            "redis://db1:6379/0?prefix=p%20q"
        );
        assert_eq!(label("redis+unix:///a"), "redis+unix:///a");
        assert_eq!(
            label("redis+unix://:canary@/a?db=1&prefix=x"),
            "redis+unix:///a?db=1&prefix=x"
        );
    }

    #[test]
    fn what_means_nothing_is_refused_and_not_repeated() {
        for text in [
            "redis://",
            "redis:///0",
            "redis://:canary@",
            "redis://:canary@h:0/0",
            "redis://:canary@h:canary/0",
            "redis://:canary@h/canary",
            "redis://:canary@h/-1",
            "redis://a,b/0",
            "redis://user@h/0",
            "redis://[::1]x/0",
            "redis://h/0?db=1",
            "redis://h/0?prefix={a}",
            "redis://h/0?prefix=",
            "redis://h/0?restart-guard=30",
            "redis://h/0?restart-guard=9d",
            "redis+unix://h/a",
            "redis+unix:a",
            "redis+unix:///",
        ] {
            let error = read(text).unwrap_err();
            assert!(!error.contains("canary"), "{text}: {error}");
        }
        let error = read("redis://h/0?restart-gard=1s").unwrap_err();
        assert!(
            error.ends_with(r#"did you mean "restart-guard"?"#),
            "{error}"
        );
    }
}
