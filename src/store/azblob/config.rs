//! From `azblob://...` and the variables for signing in to a configuration; opens nothing.

use std::path::PathBuf;
use std::time::Duration;

use super::connection_string::ConnectionString;
use super::place::{self, Place};
use super::sign_in::{SAS_FIELDS, SignIn, Surroundings, TokenFrom};
use crate::lease::{LARGEST_TTL, StoreLabel};
use crate::secret::Secret;
use crate::store::url::{Options, StoreUrl, UrlError};

/// Between two looks at the least: below it waiting would be a load.
const SHORTEST_POLL: Duration = Duration::from_millis(50);
const LONGEST_POLL: Duration = Duration::from_secs(60);

/// How long nobody gets a lease that a container made anew may have forgotten (`restart-guard`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartGuard {
    /// As long as the claim's own time to live: right where all claims of a lease have the same.
    ClaimsTtl,
    /// So long: the longest time to live in use. Too short lets two run after a container was deleted under
    /// its leases; too long keeps jobs waiting.
    Fixed(Duration),
}

/// What an Azure Blob store is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the container is.
    pub place: Place,
    /// How we sign in.
    pub sign_in: SignIn,
    /// The file with the certificates of the authorities that are trusted; `None`: those of this machine.
    pub ca: Option<PathBuf>,
    /// Between two looks of a waiter; `None`: a tenth of its time to live. Shorter hands over sooner and costs
    /// requests.
    pub poll: Option<Duration>,
    /// The guard after a loss of the container; a length of zero turns it off.
    pub guard: RestartGuard,
    /// Whether containers and blobs are made that are missing.
    pub create: bool,
}

impl Config {
    /// Reads the URL, whose scheme is `azblob`, `azblob+http` or `azblob+https`.
    ///
    /// # Errors
    /// When a part of it means nothing to this store, or contradicts a variable for signing in.
    pub fn from_url(url: &StoreUrl, around: &Surroundings) -> Result<Self, UrlError> {
        if url.user().is_some() {
            return Err(unfit(
                "the store URL has a user, which this store does not know; keep an account key in \
                 AZURE_STORAGE_KEY, as password_file, or as ?key= in a file for --store-file",
            ));
        }
        let mut options = url.options();
        let connection = around
            .connection_string
            .as_ref()
            .map(ConnectionString::parse)
            .transpose()?;
        let insecure = yes_or_no(&mut options, "plain-http")?.unwrap_or(false);
        let place = place::read(url, connection.as_ref(), insecure)?;
        let ca = ca(options.take_param("ca")?)?;
        if ca.is_some() && !place.is_https() {
            return Err(unfit("ca in the store URL is for https; leave it out"));
        }
        let config = Self {
            sign_in: sign_in((url, &mut options), &place, connection, around)?,
            ca,
            poll: span(&mut options, "poll", SHORTEST_POLL..=LONGEST_POLL)?,
            guard: guard(options.take_param("restart-guard")?)?,
            create: yes_or_no(&mut options, "create")?.unwrap_or(true),
            place,
        };
        if matches!(config.sign_in, SignIn::Token(_)) && !config.place.is_https() {
            return Err(unfit(
                "a token is never sent over http; sign in with an account key or a SAS, or use https",
            ));
        }
        options.finish()?;
        Ok(config)
    }

    /// Account, container and prefix: what makes it another store than the next.
    #[must_use]
    pub fn label(&self) -> StoreLabel {
        StoreLabel::new(self.place.label())
    }
}

/// A way to sign in, as `auth` names it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Key,
    Sas,
}

fn sign_in(
    (url, options): (&StoreUrl, &mut Options),
    place: &Place,
    connection: Option<ConnectionString>,
    around: &Surroundings,
) -> Result<SignIn, UrlError> {
    let auth = options.take_param("auth")?;
    let auth = auth.as_ref().map_or("auto", Secret::expose).to_owned();
    // A password that is kept elsewhere (`password_file`) is put into the URL as one.
    let key = options
        .take_param("key")?
        .or_else(|| url.password().cloned());
    let sas = sas_in(options)?;
    let way = match auth.as_str() {
        "auto" => None,
        "key" => Some(Way::Key),
        "sas" => Some(Way::Sas),
        other => {
            if key.is_some() || sas.is_some() {
                return Err(unfit(
                    "the store URL has a key or a SAS and names another way to sign in with auth; keep one",
                ));
            }
            return Ok(SignIn::Token(token_from(other)?));
        }
    };
    let (its_key, its_sas) = connection.map_or((None, None), ConnectionString::into_secrets);
    let well_known = place.is_emulator().then(place::emulator_key);
    let keys = [key, its_key, around.key.clone()];
    let sasses = [sas, its_sas, around.sas.clone()];
    // What is nearer wins: the URL, the connection string, a variable of its own.
    for (key, sas) in keys.into_iter().zip(sasses) {
        if let Some(sas) = sas.filter(|_| way != Some(Way::Key)) {
            return SignIn::sas(&sas);
        }
        if let Some(key) = key.filter(|_| way != Some(Way::Sas)) {
            return SignIn::key(&key);
        }
    }
    without_a_secret(way, well_known)
}

fn without_a_secret(way: Option<Way>, well_known: Option<Secret>) -> Result<SignIn, UrlError> {
    match (way, well_known) {
        (None | Some(Way::Key), Some(key)) => SignIn::key(&key),
        (None, None) => Ok(SignIn::Token(TokenFrom::Auto)),
        (Some(Way::Key), None) => Err(unfit(
            "auth=key in the store URL, and there is no key; set AZURE_STORAGE_KEY or \
             AZURE_STORAGE_CONNECTION_STRING, or write ?key= into a file for --store-file",
        )),
        (Some(Way::Sas), _) => Err(unfit(
            "auth=sas in the store URL, and there is no SAS; set AZURE_STORAGE_SAS_TOKEN, or write the URL \
             with its SAS into a file for --store-file",
        )),
    }
}

fn token_from(text: &str) -> Result<TokenFrom, UrlError> {
    match text {
        "managed-identity" => Ok(TokenFrom::ManagedIdentity(None)),
        "workload-identity" => Ok(TokenFrom::WorkloadIdentity),
        "client-secret" => Ok(TokenFrom::ClientSecret),
        "cli" => Ok(TokenFrom::Cli),
        other => match other.strip_prefix("managed-identity:") {
            Some(id) if !id.is_empty() => Ok(TokenFrom::ManagedIdentity(Some(id.to_owned()))),
            _ => Err(UrlError::NeedsValue(
                "auth".to_owned(),
                "auto, managed-identity[:CLIENT-ID], workload-identity, client-secret, cli, key or sas",
            )),
        },
    }
}

/// The SAS that stands in the URL as its options.
fn sas_in(options: &mut Options) -> Result<Option<Secret>, UrlError> {
    let mut pairs = Vec::new();
    for field in SAS_FIELDS {
        if let Some(value) = options.take_param(field)? {
            pairs.push(format!("{field}={}", percent(value.expose())));
        }
    }
    Ok((!pairs.is_empty()).then(|| Secret::new(pairs.join("&"))))
}

/// As a value in a query: nothing but unreserved characters stays.
fn percent(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let each = text.bytes().map(|byte| match keep(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    each.collect()
}

fn ca(value: Option<Secret>) -> Result<Option<PathBuf>, UrlError> {
    match value {
        Some(value) if !value.expose().starts_with('/') => Err(UrlError::NeedsValue(
            "ca".to_owned(),
            "the whole path of a file",
        )),
        value => Ok(value.map(|value| PathBuf::from(value.expose()))),
    }
}

fn yes_or_no(options: &mut Options, name: &'static str) -> Result<Option<bool>, UrlError> {
    match options.take_param(name)?.as_ref().map(Secret::expose) {
        None => Ok(None),
        Some("yes") => Ok(Some(true)),
        Some("no") => Ok(Some(false)),
        Some(_) => Err(UrlError::NeedsValue(name.to_owned(), "yes or no")),
    }
}

fn span(
    options: &mut Options,
    name: &'static str,
    within: std::ops::RangeInclusive<Duration>,
) -> Result<Option<Duration>, UrlError> {
    let Some(value) = options.take_param(name)? else {
        return Ok(None);
    };
    let span = humantime::parse_duration(value.expose()).ok();
    span.filter(|span| within.contains(span))
        .map(Some)
        .ok_or_else(|| {
            UrlError::NeedsValue(name.to_owned(), "a duration from 50ms to 1m, such as 3s")
        })
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

fn unfit(why: &str) -> UrlError {
    UrlError::Unfit(why.to_owned())
}

#[cfg(test)]
mod tests;
