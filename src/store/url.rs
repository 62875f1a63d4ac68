//! The URL that names a store: taken apart, checked, and printable without its secrets (P12).
//!
//! Knows no store and opens nothing. A password is a [`Secret`] from the first moment on; neither
//! `Display` nor `Debug` nor an error shows it, nor the value of any option.

use std::fmt;

use crate::secret::Secret;
pub use crate::store::options::{Options, UrlError};

/// Options whose values are credentials on the stores that have them.
const SECRET_OPTIONS: [&str; 6] = [
    "password",
    "secret",
    "sig",
    "token",
    "key",
    "sentinel-password",
];

/// A store's URL, `SCHEME:PATH` or `SCHEME://[USER[:PASSWORD]@]HOST/PATH`, with `?OPTIONS`.
#[derive(Clone)]
pub struct StoreUrl {
    scheme: String,
    authority: Option<Authority>,
    path: String,
    options: Vec<(String, Option<Secret>)>,
}

#[derive(Clone)]
struct Authority {
    user: Option<String>,
    password: Option<Secret>,
    host: String,
}

impl StoreUrl {
    /// Takes `text` apart.
    ///
    /// # Errors
    /// [`UrlError`]; without a trace of what stands in the URL.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        no_control(text)?;
        let (scheme, rest) = text.split_once(':').ok_or(UrlError::NoScheme)?;
        let scheme = scheme.to_ascii_lowercase();
        if !is_scheme(&scheme) {
            return Err(UrlError::NoScheme);
        }
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let (place, query) = match rest.split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = match place.strip_prefix("//") {
            Some(place) => {
                let slash = place.find('/').unwrap_or(place.len());
                let (authority, path) = place.split_at(slash);
                // Whatever is before the last `@` may be a password whose owner forgot to encode it.
                let named = !authority.is_empty();
                if named && path.contains('@') {
                    return Err(UrlError::SlashInPassword);
                }
                if named && query.is_some_and(|query| query.contains('@')) {
                    return Err(UrlError::QuestionInPassword);
                }
                (Some(Authority::parse(authority)?), path)
            }
            None if rest.contains('@') => return Err(UrlError::NoSlashes),
            None => (None, place),
        };
        Ok(Self {
            scheme,
            authority,
            path: decode(path)?,
            options: query.map_or_else(|| Ok(Vec::new()), options_in)?,
        })
    }

    /// The scheme, in lower case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Host and port as they stand after `//`, decoded and without user and password; empty when
    /// there is none.
    #[must_use]
    pub fn host(&self) -> &str {
        self.authority.as_ref().map_or("", |a| &a.host)
    }

    /// The path, decoded, with its leading `/` if it has one.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The user before the `@`.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.authority.as_ref()?.user.as_deref()
    }

    /// The password before the `@`.
    #[must_use]
    pub fn password(&self) -> Option<&Secret> {
        self.authority.as_ref()?.password.as_ref()
    }

    /// Whether there is a credential anywhere in it.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.password().is_some() || self.options.iter().any(|(key, _)| is_secret(key))
    }

    /// The same URL with a password that was kept elsewhere.
    ///
    /// # Errors
    /// When there is no host that a password could be for, or there is a credential already.
    pub fn with_password(&self, password: Secret) -> Result<Self, UrlError> {
        if self.has_password() {
            return Err(UrlError::Unfit(
                "the store URL has a password already; keep one of the two".to_owned(),
            ));
        }
        let mut url = self.clone();
        match &mut url.authority {
            Some(authority) => authority.password = Some(password),
            None => {
                return Err(UrlError::Unfit(
                    "the store URL names no host that a password could be for".to_owned(),
                ));
            }
        }
        Ok(url)
    }

    /// The same URL without its credentials. An option's value is kept unless it is one.
    #[must_use]
    pub fn without_password(&self) -> String {
        let mut text = self.place(true);
        let kept = self.options.iter().filter(|(key, _)| !is_secret(key));
        for (at, (key, value)) in kept.enumerate() {
            text.push(if at == 0 { '?' } else { '&' });
            text.push_str(&encode(key));
            if let Some(value) = value {
                text.push('=');
                text.push_str(&encode(value.expose()));
            }
        }
        text
    }

    /// Its options, to be taken one by one; [`Options::finish`] refuses what is left.
    pub fn options(&self) -> Options {
        Options::new(self.options.clone())
    }

    fn place(&self, with_user: bool) -> String {
        let mut text = format!("{}:", self.scheme);
        if let Some(authority) = &self.authority {
            text.push_str("//");
            if let (true, Some(user)) = (with_user, &authority.user) {
                text.push_str(&encode_but(user, b"-._~"));
                text.push('@');
            }
            text.push_str(&encode_but(&authority.host, b":,.-_~[]"));
        }
        match self.path.strip_prefix("//") {
            // Written out, it would be the beginning of a host.
            Some(rest) if self.authority.is_none() => {
                text.push_str("%2F/");
                text.push_str(&encode(rest));
            }
            _ => text.push_str(&encode(&self.path)),
        }
        text
    }
}

/// Scheme, host and path: neither user nor password nor options.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place(false))
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

impl Authority {
    fn parse(text: &str) -> Result<Self, UrlError> {
        // The last `@`: a password may have one that its owner forgot to encode.
        let (login, host) = match text.rsplit_once('@') {
            Some((login, host)) => (Some(login), host),
            None => (None, text),
        };
        let (user, password) = match login.map(|login| login.split_once(':')) {
            Some(Some((user, password))) => (Some(user), Some(password)),
            Some(None) => (login, None),
            None => (None, None),
        };
        let password = password.filter(|password| !password.is_empty());
        Ok(Self {
            user: user
                .filter(|user| !user.is_empty())
                .map(decode)
                .transpose()?,
            password: password.map(decode).transpose()?.map(Secret::new),
            host: decode(host)?,
        })
    }
}

fn options_in(query: &str) -> Result<Vec<(String, Option<Secret>)>, UrlError> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| match part.split_once('=') {
            Some((key, value)) => Ok((decode(key)?, Some(Secret::new(decode(value)?)))),
            None => Ok((decode(part)?, None)),
        })
        .collect()
}

fn is_secret(key: &str) -> bool {
    SECRET_OPTIONS.contains(&key)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

fn no_control(text: &str) -> Result<(), UrlError> {
    match text.chars().find(|c| c.is_control()) {
        Some(found) => Err(UrlError::Control(u32::from(found))),
        None => Ok(()),
    }
}

fn decode(text: &str) -> Result<String, UrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or(UrlError::BadEscape)?;
        let digits = str::from_utf8(digits).map_err(|_| UrlError::BadEscape)?;
        // from_str_radix would take a sign.
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(UrlError::BadEscape);
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| UrlError::BadEscape)?);
        rest = after;
    }
    let decoded = String::from_utf8(bytes).map_err(|_| UrlError::BadEscape)?;
    no_control(&decoded)?;
    Ok(decoded)
}

/// `text` as it may stand in a path or an option; `/`, `:` and `,` are kept for the eye.
pub(crate) fn encode(text: &str) -> String {
    encode_but(text, b"/:,.-_~[]")
}

/// Letters, digits and `kept` stand for themselves. What ends a part of a URL may not be kept in that part.
fn encode_but(text: &str, kept: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
