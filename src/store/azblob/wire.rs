//! Requests and answers of the Blob service, as values. No I/O.

use std::collections::BTreeMap;

use azure_core::time::parse_rfc7231;
use reqwest::Method;
use reqwest::header::HeaderMap;

use super::metadata::Metadata;

/// The version of the service's interface: the oldest that has all we use.
pub(super) const VERSION: &str = "2021-12-02";
/// What the names of metadata headers begin with.
const META: &str = "x-ms-meta-";

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    /// After the container: empty, or `/` and a blob's name. Nothing in it that a URL would encode.
    pub(super) path: String,
    /// In the order of their names.
    pub(super) query: BTreeMap<&'static str, String>,
    /// In lower case and in order, as they are signed.
    pub(super) headers: BTreeMap<String, String>,
}

impl Request {
    fn new(method: Method, blob: &str) -> Self {
        let path = match blob {
            "" => String::new(),
            blob => format!("/{blob}"),
        };
        let headers = [("x-ms-version".to_owned(), VERSION.to_owned())];
        Self {
            method,
            path,
            query: BTreeMap::new(),
            headers: headers.into(),
        }
    }

    fn query(mut self, name: &'static str, value: &str) -> Self {
        self.query.insert(name, value.to_owned());
        self
    }

    /// With a header.
    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    fn metadata(mut self, metadata: &Metadata) -> Self {
        for (key, value) in metadata.all() {
            self.headers.insert(format!("{META}{key}"), value.clone());
        }
        self
    }

    /// Looks at a blob.
    pub(super) fn head(blob: &str) -> Self {
        Self::new(Method::HEAD, blob)
    }

    /// Makes an empty blob where there is none.
    pub(super) fn create(blob: &str, metadata: &Metadata) -> Self {
        Self::new(Method::PUT, blob)
            .header("x-ms-blob-type", "BlockBlob")
            .header("if-none-match", "*")
            .metadata(metadata)
    }

    /// Replaces the metadata of a blob that is as it was seen.
    pub(super) fn set_metadata(blob: &str, metadata: &Metadata, etag: &str) -> Self {
        Self::new(Method::PUT, blob)
            .query("comp", "metadata")
            .header("if-match", etag)
            .metadata(metadata)
    }

    /// Removes a blob.
    pub(super) fn delete(blob: &str) -> Self {
        Self::new(Method::DELETE, blob)
    }

    fn lease(blob: &str, action: &str) -> Self {
        Self::new(Method::PUT, blob)
            .query("comp", "lease")
            .header("x-ms-lease-action", action)
    }

    /// Takes the lease of a blob that is as it was seen.
    pub(super) fn acquire(blob: &str, id: &str, seconds: u64, etag: &str) -> Self {
        Self::lease(blob, "acquire")
            .header("x-ms-lease-duration", &seconds.to_string())
            .header("x-ms-proposed-lease-id", id)
            .header("if-match", etag)
    }

    /// Renews a lease.
    pub(super) fn renew(blob: &str, id: &str) -> Self {
        Self::lease(blob, "renew").header("x-ms-lease-id", id)
    }

    /// Releases a lease.
    pub(super) fn release(blob: &str, id: &str) -> Self {
        Self::lease(blob, "release").header("x-ms-lease-id", id)
    }

    /// Breaks the lease of a blob that is as it was seen; `period` `None`: it runs out.
    pub(super) fn break_lease(blob: &str, period: Option<u64>, etag: &str) -> Self {
        let request = Self::lease(blob, "break").header("if-match", etag);
        match period {
            Some(period) => request.header("x-ms-lease-break-period", &period.to_string()),
            None => request,
        }
    }

    /// Looks at the container.
    pub(super) fn head_container() -> Self {
        Self::new(Method::HEAD, "").query("restype", "container")
    }

    /// Makes the container.
    pub(super) fn create_container() -> Self {
        Self::new(Method::PUT, "").query("restype", "container")
    }

    /// A page of the blobs whose names begin with `prefix`.
    pub(super) fn list(prefix: &str, marker: &str) -> Self {
        let request = Self::new(Method::GET, "")
            .query("restype", "container")
            .query("comp", "list")
            .query("include", "metadata");
        let request = match prefix {
            "" => request,
            prefix => request.query("prefix", prefix),
        };
        match marker {
            "" => request,
            marker => request.query("marker", marker),
        }
    }
}

/// One answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// `x-ms-error-code`; the answer to HEAD has no other place for it.
    pub(super) code: Option<String>,
    pub(super) headers: HeaderMap,
    /// Of an answer that has something in it.
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether it says that we are not whom we say, rather than that we may not do this.
    pub(super) fn refuses_who_asks(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        self.status == 401 || matches!(code, "AuthenticationFailed" | "InvalidAuthenticationInfo")
    }

    /// A header with an instant, in seconds since 1970.
    pub(super) fn instant(&self, name: &str) -> Option<u64> {
        let instant = parse_rfc7231(self.header(name)?).ok()?;
        u64::try_from(instant.unix_timestamp()).ok()
    }

    /// The id of the lease that was acquired or renewed.
    pub(super) fn is_of(&self, id: &str) -> bool {
        self.header("x-ms-lease-id") == Some(id)
    }

    /// The metadata, unless it is not text.
    pub(super) fn metadata(&self) -> Option<Metadata> {
        let mut metadata = Metadata::default();
        for (name, value) in &self.headers {
            if let Some(key) = name.as_str().strip_prefix(META) {
                metadata.put(key, value.to_str().ok()?.to_owned());
            }
        }
        Some(metadata)
    }
}
