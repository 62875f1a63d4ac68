//! `AZURE_STORAGE_CONNECTION_STRING`, as the portal shows it. Pure.

use super::place;
use crate::secret::Secret;
use crate::store::url::UrlError;

/// The parts of a connection string that are about blobs.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectionString {
    account: Option<String>,
    endpoint: Option<String>,
    key: Option<Secret>,
    sas: Option<Secret>,
}

impl ConnectionString {
    /// Takes it apart. Parts about other services are left alone.
    pub(super) fn parse(text: &Secret) -> Result<Self, UrlError> {
        let mut read = Self::default();
        let (mut protocol, mut suffix) = ("https".to_owned(), "core.windows.net".to_owned());
        let mut development = false;
        for part in text.expose().split(';').map(str::trim) {
            if part.is_empty() {
                continue;
            }
            let (key, value) = part.split_once('=').ok_or_else(broken)?;
            let value = value.trim().to_owned();
            match key.trim().to_ascii_lowercase().as_str() {
                "accountname" => read.account = Some(value),
                "accountkey" => read.key = Some(Secret::new(value)),
                "sharedaccesssignature" => read.sas = Some(Secret::new(value)),
                "blobendpoint" => read.endpoint = Some(value.trim_end_matches('/').to_owned()),
                "defaultendpointsprotocol" => protocol = value,
                "endpointsuffix" => suffix = value,
                "usedevelopmentstorage" => development = value.eq_ignore_ascii_case("true"),
                _ => {}
            }
        }
        if development {
            return Ok(Self::development());
        }
        if let (None, Some(account)) = (&read.endpoint, &read.account) {
            read.endpoint = Some(format!("{protocol}://{account}.blob.{suffix}"));
        }
        Ok(read)
    }

    /// An Azurite at its usual place.
    fn development() -> Self {
        Self {
            account: Some("devstoreaccount1".to_owned()),
            endpoint: Some("http://127.0.0.1:10000/devstoreaccount1".to_owned()),
            key: Some(place::emulator_key()),
            sas: None,
        }
    }

    pub(super) fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    pub(super) fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    /// The account key, and the SAS.
    pub(super) fn into_secrets(self) -> (Option<Secret>, Option<Secret>) {
        (self.key, self.sas)
    }
}

fn broken() -> UrlError {
    UrlError::Unfit(
        "AZURE_STORAGE_CONNECTION_STRING is no list of NAME=VALUE; copy it from the portal or from az storage \
         account show-connection-string"
            .to_owned(),
    )
}
