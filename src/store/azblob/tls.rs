//! TLS: rustls with ring. A certificate that is not trusted is an error, and there is no option that trusts it
//! all the same.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::trouble::Trouble;

/// Whom we trust: the authorities in the file, or those of this machine.
///
/// Reading those of this machine takes milliseconds, so that it is left out where there is no TLS.
pub(super) fn config(ca: Option<&Path>, needed: bool) -> Result<Arc<ClientConfig>, Trouble> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let begun = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Trouble::Unfit(error.to_string()))?;
    let config = begun.with_root_certificates(if needed {
        roots(ca)?
    } else {
        RootCertStore::empty()
    });
    Ok(Arc::new(config.with_no_client_auth()))
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, Trouble> {
    let mut roots = RootCertStore::empty();
    let Some(file) = ca else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    let unreadable = |why: String| {
        let file = file.display();
        Trouble::Unfit(format!(
            "{file} cannot be used for TLS: {why}; it has to be a readable PEM file"
        ))
    };
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.map_err(|error| unreadable(error.to_string()))?;
    if read.is_empty() {
        return Err(unreadable("there is no certificate in it".to_owned()));
    }
    for certificate in read {
        let added = roots.add(certificate);
        added.map_err(|error| unreadable(error.to_string()))?;
    }
    Ok(roots)
}
