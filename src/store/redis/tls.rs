//! TLS for `rediss://`: rustls with ring. A certificate that is not trusted is an error, and there is no option
//! that trusts it all the same.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::config::Tls;
use super::speech::NO_TLS;
use super::trouble::Trouble;
use crate::lease::Effect;

/// A handshake that can begin: whose certificates are trusted has been read.
pub(super) struct Handshake {
    with: ServerName<'static>,
    connector: TlsConnector,
}

impl Handshake {
    /// With a server that has to prove to be `host`.
    pub(super) fn new(host: &str, how: &Tls) -> Result<Self, Trouble> {
        let with = ServerName::try_from(host.to_owned())
            .map_err(|_| unfit("the host in the URL is no name that a certificate can have"))?;
        let connector = TlsConnector::from(Arc::new(config(how)?));
        Ok(Self { with, connector })
    }

    /// Turns a connection into one that is encrypted.
    pub(super) async fn shake(self, stream: TcpStream) -> Result<TlsStream<TcpStream>, Trouble> {
        let shaken = self.connector.connect(self.with, stream).await;
        shaken.map_err(|error| refused(&error))
    }
}

fn config(how: &Tls) -> Result<ClientConfig, Trouble> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let begun = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unfit(&error.to_string()))?
        .with_root_certificates(roots(how.ca.as_deref())?);
    match &how.client {
        None => Ok(begun.with_no_client_auth()),
        Some((certificate, key)) => begun
            .with_client_auth_cert(certificates(certificate)?, private(key)?)
            .map_err(|error| unfit(&format!("the client certificate cannot be used: {error}"))),
    }
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, Trouble> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = ca {
        for certificate in certificates(file)? {
            let added = roots.add(certificate);
            added.map_err(|error| unreadable(file, &error.to_string()))?;
        }
        return Ok(roots);
    }
    let found = rustls_native_certs::load_native_certs();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        return Err(unfit(
            "this machine trusts no certificate authority; install ca-certificates, or name a file with \
             ?ca=FILE",
        ));
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.map_err(|error| unreadable(file, &error.to_string()))?;
    if read.is_empty() {
        return Err(unreadable(file, "there is no certificate in it"));
    }
    Ok(read)
}

fn private(file: &Path) -> Result<PrivateKeyDer<'static>, Trouble> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| unreadable(file, &error.to_string()))
}

fn unreadable(file: &Path, why: &str) -> Trouble {
    unfit(&format!(
        "{} cannot be used for TLS: {why}; it has to be a readable PEM file",
        file.display()
    ))
}

fn unfit(why: &str) -> Trouble {
    Trouble::Unfit(why.to_owned())
}

/// What a handshake that failed means.
fn refused(error: &io::Error) -> Trouble {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(why @ rustls::Error::InvalidCertificate(_)) => unfit(&format!(
            "its certificate is not trusted ({why}); name its authority with ?ca=FILE"
        )),
        Some(rustls::Error::InvalidMessage(_)) => unfit(NO_TLS),
        Some(why @ rustls::Error::AlertReceived(_)) => Trouble::refused_by_tls(&why.to_string()),
        Some(why) => Trouble::Silent(Effect::None, format!("the TLS handshake failed: {why}")),
        None => Trouble::Silent(Effect::None, format!("the TLS handshake failed: {error}")),
    }
}
