//! Tokens from Microsoft Entra, kept until they are about to end.
//!
//! The libraries sign in; what we add is an order of ways, a reason for each that failed, and that a token which
//! is still good is used while the next one cannot be had: a hold must not end before it has to.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use azure_core::credentials::{AccessToken, TokenCredential};
use azure_core::error::ErrorKind;
use azure_core::http::{ClientOptions, RetryOptions, Transport};
use azure_core::time::OffsetDateTime;
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertionCredentialOptions,
    ClientSecretCredential, ClientSecretCredentialOptions, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use reqwest::Client;
use rustls::ClientConfig;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::az::Az;
use super::link;
use super::sign_in::TokenFrom;
use super::trouble::{Trouble, shown};
use crate::lease::Effect;
use crate::secret::Secret;

/// What the tokens are for, in every cloud.
const SCOPE: &str = "https://storage.azure.com/.default";
/// A token is replaced so long before its end.
const EARLY: Duration = Duration::from_secs(300);
/// The metadata service answers within milliseconds, and elsewhere than on Azure never.
const MANAGED: Duration = Duration::from_secs(1);
/// While the old token is good, the next one is asked for no longer than this, and not again for a while: the
/// request that waits for it has a lease to renew.
const REFRESH: Duration = Duration::from_millis(500);
const REFRESH_AGAIN: Duration = Duration::from_secs(30);

/// Where tokens come from, and the one we have.
#[derive(Debug)]
pub(super) struct Tokens {
    ways: Vec<Way>,
    client: Client,
    direct: Client,
    az: Arc<Az>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    token: Option<AccessToken>,
    /// The way that worked, and stays the way.
    way: Option<Way>,
    from: Option<Arc<dyn TokenCredential>>,
    refused_at: Option<Instant>,
}

#[derive(Clone, Debug)]
enum Way {
    Workload,
    Secret,
    Managed(Option<String>),
    Cli,
}

impl Way {
    const fn name(&self) -> &'static str {
        match self {
            Self::Workload => "workload identity",
            Self::Secret => "client secret",
            Self::Managed(_) => "managed identity",
            Self::Cli => "Azure CLI",
        }
    }
}

/// Why one way did not work.
struct Why {
    passing: bool,
    text: String,
}

impl Tokens {
    pub(super) fn new(from: &TokenFrom, tls: &Arc<ClientConfig>) -> Result<Self, Trouble> {
        let ways = match from {
            TokenFrom::Auto => vec![Way::Workload, Way::Secret, Way::Managed(None), Way::Cli],
            TokenFrom::ManagedIdentity(id) => vec![Way::Managed(id.clone())],
            TokenFrom::WorkloadIdentity => vec![Way::Workload],
            TokenFrom::ClientSecret => vec![Way::Secret],
            TokenFrom::Cli => vec![Way::Cli],
        };
        Ok(Self {
            ways,
            client: link::client(tls, true)?,
            // The metadata service is on the machine: a proxy would ask for another machine's identity.
            direct: link::client(tls, false)?,
            az: Arc::default(),
            kept: Mutex::default(),
        })
    }

    /// A token that is good now.
    pub(super) async fn get(&self) -> Result<Secret, Trouble> {
        let mut kept = self.kept.lock().await;
        let now = OffsetDateTime::now_utc();
        let good = kept.token.clone().filter(|token| token.expires_on > now);
        if let Some(token) = &good {
            let recent = |at: Instant| at.elapsed() < REFRESH_AGAIN;
            if token.expires_on > now + EARLY || kept.refused_at.is_some_and(recent) {
                return Ok(secret(token));
            }
            match timeout(REFRESH, self.fresh(&mut kept)).await {
                Ok(Ok(token)) => return Ok(token),
                Ok(Err(_)) | Err(_) => kept.refused_at = Some(Instant::now()),
            }
            return Ok(secret(token));
        }
        self.fresh(&mut kept).await
    }

    /// The service does not take it, whatever it says of its own end: the next request has a new one. The library
    /// keeps it too, so that it has to begin anew.
    pub(super) async fn distrust(&self) {
        let mut kept = self.kept.lock().await;
        (kept.token, kept.from, kept.refused_at) = (None, None, None);
    }

    async fn fresh(&self, kept: &mut Kept) -> Result<Secret, Trouble> {
        if let Some(way) = kept.way.clone() {
            let failed = |why| trouble(vec![(way.name(), why)]);
            let from = match kept.from.clone() {
                Some(from) => from,
                None => self.credential(&way).map_err(failed)?,
            };
            kept.from = Some(Arc::clone(&from));
            let token = from.get_token(&[SCOPE], None).await;
            let token = token.map_err(|error| failed(why(&error)))?;
            kept.token = Some(token.clone());
            return Ok(secret(&token));
        }
        let mut reasons = Vec::new();
        for way in &self.ways {
            let tried = async {
                let from = self.credential(way)?;
                let limit = async {
                    match way {
                        Way::Managed(_) => tokio::time::sleep(MANAGED).await,
                        _ => pending().await,
                    }
                };
                tokio::select! {
                    token = from.get_token(&[SCOPE], None) => {
                        let token = token.map_err(|error| why(&error))?;
                        Ok((from, token))
                    }
                    () = limit => Err(Why {
                        passing: true,
                        text: "the metadata service gave no token within 1s; is this a machine of Azure, with an identity?".to_owned(),
                    }),
                }
            };
            match tried.await {
                Ok((from, token)) => {
                    (kept.way, kept.from) = (Some(way.clone()), Some(from));
                    kept.token = Some(token.clone());
                    return Ok(secret(&token));
                }
                Err(why) => reasons.push((way.name(), why)),
            }
        }
        Err(trouble(reasons))
    }

    fn credential(&self, way: &Way) -> Result<Arc<dyn TokenCredential>, Why> {
        let options = |client: &Client| ClientOptions {
            retry: RetryOptions::none(),
            transport: Some(Transport::new(Arc::new(client.clone()))),
            ..ClientOptions::default()
        };
        let made: azure_core::Result<Arc<dyn TokenCredential>> = match way {
            Way::Workload => {
                WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                    credential_options: ClientAssertionCredentialOptions {
                        client_options: options(&self.client),
                    },
                    ..WorkloadIdentityCredentialOptions::default()
                }))
                .map(|made| -> Arc<dyn TokenCredential> { made })
            }
            Way::Secret => {
                let secret = variable("AZURE_CLIENT_SECRET")?;
                let client_options = options(&self.client);
                ClientSecretCredential::new(
                    &variable("AZURE_TENANT_ID")?,
                    variable("AZURE_CLIENT_ID")?,
                    secret.into(),
                    Some(ClientSecretCredentialOptions { client_options }),
                )
                .map(|made| -> Arc<dyn TokenCredential> { made })
            }
            Way::Managed(id) => {
                ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                    user_assigned_id: id.clone().map(UserAssignedId::ClientId),
                    client_options: options(&self.direct),
                }))
                .map(|made| -> Arc<dyn TokenCredential> { made })
            }
            Way::Cli => AzureCliCredential::new(Some(AzureCliCredentialOptions {
                executor: Some(Arc::<Az>::clone(&self.az)),
                ..AzureCliCredentialOptions::default()
            }))
            .map(|made| -> Arc<dyn TokenCredential> { made }),
        };
        made.map_err(|error| why(&error))
    }
}

fn variable(name: &str) -> Result<String, Why> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    value.ok_or_else(|| Why {
        passing: false,
        text: format!("{name} is not set"),
    })
}

fn secret(token: &AccessToken) -> Secret {
    Secret::new(token.token.secret().to_owned())
}

fn why(error: &azure_core::Error) -> Why {
    let mut passing = false;
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(now) = cause {
        if let Some(error) = now.downcast_ref::<azure_core::Error>() {
            passing |= match error.kind() {
                ErrorKind::Io | ErrorKind::Connection => true,
                ErrorKind::HttpResponse { status, .. } => {
                    u16::from(*status) == 429 || u16::from(*status) >= 500
                }
                _ => false,
            };
        }
        cause = now.source();
    }
    let text = error.to_string().replace('\t', " ");
    Why {
        passing,
        text: shown(&text),
    }
}

/// No way worked. It is worth asking again where one of them only did not answer.
fn trouble(reasons: Vec<(&'static str, Why)>) -> Trouble {
    let passing = reasons.iter().any(|(_, why)| why.passing);
    let each = reasons.iter();
    let each = each.map(|(name, why)| format!("{name}: {}", why.text));
    let all = each.collect::<Vec<_>>().join("; ");
    let text = format!("signing in failed ({all})");
    if passing {
        Trouble::Silent(Effect::None, text)
    } else {
        Trouble::Denied(text)
    }
}
