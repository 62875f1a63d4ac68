//! Where a container is: account, host, path. Pure.

use std::net::IpAddr;

use super::connection_string::ConnectionString;
use crate::secret::Secret;
use crate::store::url::{StoreUrl, UrlError, encode};

/// Where Azure's public cloud keeps blobs.
const PUBLIC_CLOUD: &str = "blob.core.windows.net";
/// The account that every Azurite has, and its key, which is no secret: it is printed in its documentation.
const EMULATOR: &str = "devstoreaccount1";
const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// So that a blob's name and what comes before it stay under Azure's 1,024 characters.
const LONGEST_PREFIX: usize = 200;

/// A container, and what the names of its blobs begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `https://HOST` or `http://HOST:PORT`, and `/ACCOUNT` where accounts are told by the path.
    pub endpoint: String,
    /// The account's name.
    pub account: String,
    /// The container's name.
    pub container: String,
    /// What every blob's name begins with: empty, or with a `/` at the end.
    pub prefix: String,
    /// Scheme and host as they were written.
    shown: String,
}

impl Place {
    /// Whether it is spoken to over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.endpoint.starts_with("https:")
    }

    /// Whether it is an Azurite on this machine, whose key is known to everybody.
    #[must_use]
    pub fn is_emulator(&self) -> bool {
        self.account == EMULATOR && is_loopback(host_of(&self.endpoint))
    }

    pub(super) fn label(&self) -> String {
        let prefix = self.prefix.strip_suffix('/').unwrap_or_default();
        let slash = if prefix.is_empty() { "" } else { "/" };
        format!("{}/{}{slash}{prefix}", self.shown, self.container)
    }
}

/// The key of an Azurite.
pub(super) fn emulator_key() -> Secret {
    Secret::new(EMULATOR_KEY.to_owned())
}

/// Reads host and path of the URL.
pub(super) fn read(
    url: &StoreUrl,
    connection: Option<&ConnectionString>,
    insecure: bool,
) -> Result<Place, UrlError> {
    let path = url.path().strip_prefix('/').unwrap_or_default();
    let host = url.host();
    if host.is_empty() {
        return Err(unfit(
            "the store URL names no account; write azblob://ACCOUNT/CONTAINER",
        ));
    }
    let (scheme, shown, rest) = match url.scheme().strip_prefix("azblob+") {
        Some(scheme) => {
            let (account, rest) = path.split_once('/').unwrap_or((path, ""));
            let shown = format!("azblob+{scheme}://{}/{}", encode(host), encode(account));
            (scheme, (account.to_owned(), shown), rest)
        }
        None => {
            let account = host.split('.').next().unwrap_or_default();
            let shown = format!("azblob://{}", encode(host));
            ("https", (account.to_owned(), shown), path)
        }
    };
    let (account, shown) = shown;
    if account.ends_with("-secondary") {
        return Err(unfit(
            "the store URL names the account's secondary copy, which is late; name the account itself",
        ));
    }
    named_alike(connection, &account)?;
    let (container, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let endpoint = match url.scheme() {
        "azblob" => endpoint(host, connection),
        _ => format!("{scheme}://{host}/{account}"),
    };
    not_in_the_open(&endpoint, insecure)?;
    Ok(Place {
        endpoint,
        account: checked_account(account)?,
        container: checked_container(container)?,
        prefix: checked_prefix(prefix)?,
        shown,
    })
}

fn not_in_the_open(endpoint: &str, insecure: bool) -> Result<(), UrlError> {
    if endpoint.starts_with("https://") || insecure || is_loopback(host_of(endpoint)) {
        return Ok(());
    }
    Err(unfit(
        "plain http to another machine shows everyone on the way what is sent; use https, or say \
         ?plain-http=yes",
    ))
}

fn host_of(endpoint: &str) -> &str {
    let rest = endpoint.split_once("://").map_or("", |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

/// A bare account is in the public cloud, or where the connection string says; a whole host is taken as it is.
fn endpoint(host: &str, connection: Option<&ConnectionString>) -> String {
    let told = connection.and_then(ConnectionString::endpoint);
    match told.filter(|_| !host.contains('.')) {
        Some(endpoint) => endpoint.to_owned(),
        None if host.contains('.') => format!("https://{host}"),
        None => format!("https://{host}.{PUBLIC_CLOUD}"),
    }
}

fn named_alike(connection: Option<&ConnectionString>, account: &str) -> Result<(), UrlError> {
    match connection.and_then(ConnectionString::account) {
        Some(other) if other != account => Err(unfit(&format!(
            "the store URL names the account {account:?} and AZURE_STORAGE_CONNECTION_STRING another, {other:?}; \
             unset the one, or correct the other"
        ))),
        _ => Ok(()),
    }
}

fn checked_account(account: String) -> Result<String, UrlError> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if account.is_empty() || account.len() > 63 || !account.bytes().all(fits) {
        return Err(unfit(
            "the account in the store URL is no name of a storage account: small letters and digits",
        ));
    }
    Ok(account)
}

fn checked_container(container: &str) -> Result<String, UrlError> {
    if container.is_empty() {
        return Err(unfit(
            "the store URL names no container; write azblob://ACCOUNT/CONTAINER",
        ));
    }
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let ends = |text: &str| text.starts_with('-') || text.ends_with('-') || text.contains("--");
    if !(3..=63).contains(&container.len()) || !container.bytes().all(fits) || ends(container) {
        return Err(unfit(
            "the container in the store URL is none that blobs are made in: 3 to 63 small letters, digits \
             and single -",
        ));
    }
    Ok(container.to_owned())
}

fn checked_prefix(prefix: &str) -> Result<String, UrlError> {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if prefix.is_empty() {
        return Ok(String::new());
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    let bad = |part: &str| part.is_empty() || part.ends_with('.');
    if prefix.len() >= LONGEST_PREFIX || !prefix.bytes().all(fits) || prefix.split('/').any(bad) {
        return Err(unfit(
            "the prefix after the container in the store URL is up to 200 letters, digits, - _ . and /, and \
             no part of it is empty or ends in a dot",
        ));
    }
    Ok(format!("{prefix}/"))
}

/// Whether `host`, with or without a port, is this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, _)) => name,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn unfit(why: &str) -> UrlError {
    UrlError::Unfit(why.to_owned())
}
