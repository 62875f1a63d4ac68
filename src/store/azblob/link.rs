//! The way to the service: one HTTP client, no redirects, no retries, one signature per request.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use azure_core::time::{OffsetDateTime, to_rfc7231};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Url};
use rustls::ClientConfig;

use super::config::Config;
use super::shared_key::authorization;
use super::sign_in::SignIn;
use super::tls;
use super::tokens::Tokens;
use super::trouble::Trouble;
use super::wire::{Answer, Request};
use crate::lease::Effect;
use crate::run_id::run_id;

/// A connection that was idle for longer is not used again: Azurite closes it after 5 s, and whoever renews
/// every 6 s would meet a dead socket each time.
const IDLE: Duration = Duration::from_secs(4);
/// More than any answer that we read.
const LARGEST: usize = 32 * 1024 * 1024;

/// A client of one container.
#[derive(Debug)]
pub(super) struct Link {
    client: Client,
    /// The container's URL.
    base: Url,
    account: String,
    sign_in: Signing,
}

#[derive(Debug)]
enum Signing {
    Key(super::sign_in::AccountKey),
    Sas(crate::secret::Secret),
    Token(Tokens),
}

impl Link {
    /// A client that has not connected yet. Certificates are read only where there is TLS.
    pub(super) fn new(config: &Config) -> Result<Self, Trouble> {
        let place = &config.place;
        let base = Url::parse(&format!("{}/{}", place.endpoint, place.container));
        let base = base.map_err(|error| Trouble::Unfit(format!("no URL: {error}")))?;
        let tls = tls::config(config.ca.as_deref(), place.is_https())?;
        let client = client(&tls, place.is_https())?;
        let sign_in = match &config.sign_in {
            SignIn::Key(key) => Signing::Key(key.clone()),
            SignIn::Sas(sas) => Signing::Sas(sas.clone()),
            SignIn::Token(from) => Signing::Token(Tokens::new(from, &tls)?),
        };
        Ok(Self {
            client,
            base,
            account: place.account.clone(),
            sign_in,
        })
    }

    /// Sends it once.
    pub(super) async fn send(&self, request: &Request) -> Result<Answer, Trouble> {
        // By this the account's logs can be matched with our events.
        let request = &request.clone().header("x-ms-client-request-id", run_id());
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", self.base.path(), request.path));
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            put(&mut headers, name, value)?;
        }
        self.sign(request, &mut url, &mut headers).await?;
        let mut sent = self
            .client
            .request(request.method.clone(), url)
            .headers(headers);
        if request.method == Method::PUT {
            sent = sent.header("content-length", "0");
        }
        let response = sent.send().await.map_err(|error| Trouble::of(&error))?;
        let answer = read(request, response).await?;
        if let Signing::Token(tokens) = &self.sign_in
            && answer.refuses_who_asks()
        {
            tokens.distrust().await;
        }
        Ok(answer)
    }

    async fn sign(
        &self,
        request: &Request,
        url: &mut Url,
        headers: &mut HeaderMap,
    ) -> Result<(), Trouble> {
        let date = to_rfc7231(&OffsetDateTime::from(SystemTime::now()));
        put(headers, "x-ms-date", &date)?;
        let value = match &self.sign_in {
            Signing::Key(key) => {
                let resource = (self.account.as_str(), url.path());
                authorization(request, resource, &date, key)
            }
            Signing::Sas(sas) => {
                // It is encoded already: taken apart and put together again it might be another.
                let query = match url.query() {
                    Some(query) => format!("{query}&{}", sas.expose()),
                    None => sas.expose().to_owned(),
                };
                url.set_query(Some(&query));
                return Ok(());
            }
            Signing::Token(tokens) => format!("Bearer {}", tokens.get().await?.expose()),
        };
        put(headers, "authorization", &value)?;
        if let Some(value) = headers.get_mut("authorization") {
            value.set_sensitive(true);
        }
        Ok(())
    }
}

async fn read(request: &Request, response: reqwest::Response) -> Result<Answer, Trouble> {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut response = response;
    let mut body = Vec::new();
    // The answer to HEAD has none, and what comes with a yes is only wanted of a list.
    while let Some(part) = response.chunk().await.map_err(|error| {
        // It was carried out, whatever became of its answer.
        Trouble::of(&error).after_an_effect()
    })? {
        if body.len() + part.len() > LARGEST {
            return Err(Trouble::Garbled("its answer has no end".to_owned()));
        }
        body.extend_from_slice(&part);
    }
    Ok(answer(&request.method, status, headers, body))
}

/// The answer to a request of this kind.
pub(super) fn answer(method: &Method, status: u16, headers: HeaderMap, body: Vec<u8>) -> Answer {
    let code = headers.get("x-ms-error-code");
    let code = code.and_then(|code| code.to_str().ok()).map(str::to_owned);
    let in_body = || (method != Method::HEAD).then(|| code_in(&body)).flatten();
    Answer {
        status,
        code: code.or_else(in_body),
        headers,
        body,
    }
}

/// The code in the body of an error, where no header has it.
fn code_in(body: &[u8]) -> Option<String> {
    let text = str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let plain = code.len() <= 80 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then(|| code.to_owned())
}

fn put(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), Trouble> {
    let name = HeaderName::from_bytes(name.as_bytes());
    let value = HeaderValue::from_str(value);
    match (name, value) {
        (Ok(name), Ok(value)) => {
            headers.insert(name, value);
            Ok(())
        }
        _ => Err(Trouble::Unfit(
            "the blob's metadata has a name or a value that cannot be sent back".to_owned(),
        )),
    }
}

/// A proxy from the environment serves https only: over http it would see what is signed.
pub(super) fn client(tls: &Arc<ClientConfig>, by_proxy: bool) -> Result<Client, Trouble> {
    let mut builder = Client::builder()
        .tls_backend_preconfigured(ClientConfig::clone(tls))
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(1)
        .user_agent(concat!("leasectl/", env!("CARGO_PKG_VERSION")));
    if !by_proxy {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| {
        let why = io::Error::other(error);
        Trouble::Silent(Effect::None, format!("no HTTP client: {why}"))
    })
}
