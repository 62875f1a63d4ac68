//! The ways to sign in, and the variables that they are told by. Pure but for reading those variables.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::secret::Secret;
use crate::store::url::UrlError;

/// What a shared access signature consists of.
pub(super) const SAS_FIELDS: [&str; 22] = [
    "sv", "ss", "srt", "sp", "st", "se", "spr", "sig", "sr", "sip", "si", "sdd", "skoid", "sktid",
    "skt", "ske", "sks", "skv", "saoid", "suoid", "scid", "ses",
];

/// The variables of Azure's tools that can be secrets.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// `AZURE_STORAGE_CONNECTION_STRING`.
    pub connection_string: Option<Secret>,
    /// `AZURE_STORAGE_KEY`.
    pub key: Option<Secret>,
    /// `AZURE_STORAGE_SAS_TOKEN`.
    pub sas: Option<Secret>,
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        let secret = |name| {
            let value = std::env::var(name).ok();
            value.filter(|value| !value.is_empty()).map(Secret::new)
        };
        Self {
            connection_string: secret("AZURE_STORAGE_CONNECTION_STRING"),
            key: secret("AZURE_STORAGE_KEY"),
            sas: secret("AZURE_STORAGE_SAS_TOKEN"),
        }
    }
}

/// How requests are made ours.
#[derive(Clone, Debug)]
pub enum SignIn {
    /// Each is signed with the account's key.
    Key(AccountKey),
    /// Each carries the signature that somebody made for us.
    Sas(Secret),
    /// Each carries a token that we ask for.
    Token(TokenFrom),
}

/// Where tokens come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFrom {
    /// Whichever works first: workload identity, client secret, managed identity, Azure CLI.
    Auto,
    /// The identity of this virtual machine or app; with the client id of one that a user assigned.
    ManagedIdentity(Option<String>),
    /// A Kubernetes service account's.
    WorkloadIdentity,
    /// An application's, with a secret.
    ClientSecret,
    /// Whoever is signed in with `az login`.
    Cli,
}

/// The bytes of an account's key.
#[derive(Clone)]
pub struct AccountKey(pub(super) Vec<u8>);

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl SignIn {
    pub(super) fn key(text: &Secret) -> Result<Self, UrlError> {
        let bytes = STANDARD.decode(text.expose().trim());
        let bytes = bytes.ok().filter(|bytes| !bytes.is_empty());
        bytes.map(AccountKey).map(Self::Key).ok_or_else(|| {
            UrlError::Unfit(
                "the account key is no base64; copy it from the portal or from az storage account keys list"
                    .to_owned(),
            )
        })
    }

    pub(super) fn sas(text: &Secret) -> Result<Self, UrlError> {
        let query = text.expose().trim();
        let query = query.strip_prefix('?').unwrap_or(query);
        let signed = query.split('&').any(|pair| pair.starts_with("sig="));
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        if !signed || !query.bytes().all(plain) {
            return Err(UrlError::Unfit(
                "the SAS has no signature (sig=); copy all of it, with every & that is in it"
                    .to_owned(),
            ));
        }
        Ok(Self::Sas(Secret::new(query.to_owned())))
    }
}
