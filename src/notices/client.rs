//! The metadata service of Azure: what is asked, and what each answer means.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

use super::http::{Answer, NoAnswer, exchange};
use super::source::NotApproved;

/// The version of the service's interface that is asked for by default.
pub const API_VERSION: &str = "2020-07-01";
/// The version that is asked for the name: scheduled events have others.
const NAME_VERSION: &str = "2021-02-01";
/// How long an answer may take: the service is switched on by the first request of a machine, and may take
/// two minutes over it.
pub(super) const FIRST_LIMIT: Duration = Duration::from_secs(130);
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// Asks one service.
#[derive(Clone, Debug)]
pub struct Client {
    address: SocketAddr,
    api_version: String,
}

/// Why there is no document. Each is treated in its own way (`Pacing`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// 400, 405: it is asked in a way that it does not understand.
    #[error("the metadata service refuses the request with status {status}: {text}")]
    Misunderstood {
        /// The status.
        status: u16,
        /// What it says, escaped.
        text: String,
    },
    /// 401, 403, 404, a redirect: other clouds have other services at the same address.
    #[error(
        "there are no Azure scheduled events here: the metadata service answers with status {0}"
    )]
    NotHere(u16),
    /// 410: it is being changed, for up to 70 seconds.
    #[error("the metadata service is being updated")]
    Updating,
    /// 429: more than five requests in a second, of whomever.
    #[error("the metadata service is asked too often")]
    TooOften {
        /// What it wants us to wait.
        retry_after: Option<Duration>,
    },
    /// 5xx and everything else.
    #[error("the metadata service fails with status {0}")]
    Failing(u16),
    /// What came is no document.
    #[error("the metadata service's answer cannot be used: {0}")]
    Garbled(String),
    /// No answer: refused, unreachable, too late.
    #[error("the metadata service cannot be reached: {0}")]
    Silent(String),
}

impl Trouble {
    /// Whether somebody answered at all.
    pub(super) const fn is_an_answer(&self) -> bool {
        !matches!(self, Self::Silent(_))
    }
}

impl Client {
    /// A client for the service at this address.
    #[must_use]
    pub const fn new(address: SocketAddr, api_version: String) -> Self {
        Self {
            address,
            api_version,
        }
    }

    /// The bytes of a document, not looked at yet.
    pub(super) async fn events(&self, limit: Duration) -> Result<Vec<u8>, Trouble> {
        let path = format!("/metadata/scheduledevents?api-version={}", self.api_version);
        let answer = exchange(self.address, &self.request("GET", &path, ""), limit).await;
        document(answer)
    }

    /// By which name the service knows this machine.
    pub(super) async fn name(&self) -> Result<String, Trouble> {
        let path =
            format!("/metadata/instance/compute/name?api-version={NAME_VERSION}&format=text");
        let answer = exchange(self.address, &self.request("GET", &path, ""), LIMIT).await;
        let body = document(answer)?;
        let name = String::from_utf8(body).unwrap_or_default();
        let name = name.trim();
        let fits = name.len() <= 256 && !name.contains(char::is_control);
        fits.then(|| name.to_owned())
            .ok_or_else(|| Trouble::Garbled("it is not a name".to_owned()))
    }

    /// Lets events begin.
    pub(super) async fn approve(&self, ids: &[String]) -> Result<(), NotApproved> {
        let path = format!("/metadata/scheduledevents?api-version={}", self.api_version);
        let requests: Vec<_> = ids.iter().map(|id| json!({"EventId": id})).collect();
        let body = json!({"StartRequests": requests}).to_string();
        let request = self.request("POST", &path, &body);
        match exchange(self.address, &request, LIMIT).await {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => {
                let text = excerpt(&answer.body);
                Err(NotApproved::Refused(format!(
                    "status {}: {text}",
                    answer.status
                )))
            }
            Err(error) => Err(NotApproved::Unanswered(error.to_string())),
        }
    }

    fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let host = self.address;
        let length = body.len();
        let about_body = if method == "POST" {
            format!("Content-Type: application/json\r\nContent-Length: {length}\r\n")
        } else {
            String::new()
        };
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nMetadata: true\r\nAccept: */*\r\n\
             User-Agent: leasectl/{}\r\n{about_body}Connection: close\r\n\r\n{body}",
            env!("CARGO_PKG_VERSION")
        )
        .into_bytes()
    }
}

fn document(answer: Result<Answer, NoAnswer>) -> Result<Vec<u8>, Trouble> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(NoAnswer::Silent(why)) => return Err(Trouble::Silent(why)),
        Err(error) => return Err(Trouble::Garbled(error.to_string())),
    };
    match answer.status {
        200 => Ok(answer.body),
        status @ (400 | 405) => Err(Trouble::Misunderstood {
            status,
            text: excerpt(&answer.body),
        }),
        // Redirects are not followed: nobody else is to tell us when to stop.
        status @ (300..=399 | 401 | 403 | 404) => Err(Trouble::NotHere(status)),
        410 => Err(Trouble::Updating),
        429 => Err(Trouble::TooOften {
            retry_after: answer.retry_after,
        }),
        status => Err(Trouble::Failing(status)),
    }
}

/// The beginning of a foreign text, escaped.
fn excerpt(body: &[u8]) -> String {
    const LONGEST: usize = 160;
    let text: String = String::from_utf8_lossy(body)
        .chars()
        .take(LONGEST)
        .collect();
    format!("{:?}", text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16) -> Result<Vec<u8>, Trouble> {
        document(Ok(Answer {
            status,
            retry_after: None,
            body: b"why\x1b".to_vec(),
        }))
    }

    #[test]
    fn each_answer_is_treated_in_its_own_way() {
        assert!(of(200).is_ok());
        for status in [400, 405] {
            let trouble = of(status).unwrap_err();
            assert!(trouble.to_string().contains("\\u{1b}"), "{trouble}");
            assert!(matches!(trouble, Trouble::Misunderstood { .. }));
        }
        for status in [302, 401, 403, 404] {
            assert_eq!(of(status), Err(Trouble::NotHere(status)));
        }
        assert_eq!(of(410), Err(Trouble::Updating));
        assert_eq!(of(429), Err(Trouble::TooOften { retry_after: None }));
        for status in [204, 418, 500, 503] {
            assert_eq!(of(status), Err(Trouble::Failing(status)));
        }
        let silent = document(Err(NoAnswer::Silent("x".to_owned()))).unwrap_err();
        assert!(!silent.is_an_answer());
        assert!(
            document(Err(NoAnswer::TooLarge))
                .unwrap_err()
                .is_an_answer()
        );
    }

    #[test]
    fn a_request_says_what_it_has_to_and_no_more() {
        let client = Client::new("127.0.0.1:80".parse().unwrap(), API_VERSION.to_owned());
        let request = String::from_utf8(client.request("GET", "/x", "")).unwrap();
        assert!(request.starts_with("GET /x HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("\r\nMetadata: true\r\n"), "{request}");
        assert!(!request.to_ascii_lowercase().contains("forwarded"));
        let request = String::from_utf8(client.request("POST", "/x", "{}")).unwrap();
        assert!(request.contains("\r\nContent-Length: 2\r\n") && request.ends_with("\r\n\r\n{}"));
    }
}
