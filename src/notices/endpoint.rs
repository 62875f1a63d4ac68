//! Where notices come from: an address or a file. Nothing is opened here.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// The link-local address at which every machine of Azure has its metadata service.
const AZURE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80);

/// Where notices come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A metadata service. Always a literal address: a name would have to be looked up, and whoever
    /// answers that could stop our commands.
    Service(SocketAddr),
    /// A file that holds a document.
    File(PathBuf),
}

impl Default for Endpoint {
    fn default() -> Self {
        Self::Service(AZURE)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(address) if address.port() == 80 => write!(f, "http://{}", address.ip()),
            Self::Service(address) => write!(f, "http://{address}"),
            Self::File(path) => write!(f, "file://{}", path.display()),
        }
    }
}

/// Why a text names no endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "write http://ADDRESS[:PORT] with a literal address, as in http://127.0.0.1:8080, or file:///PATH"
)]
pub struct NoEndpoint;

impl FromStr for Endpoint {
    type Err = NoEndpoint;

    fn from_str(text: &str) -> Result<Self, NoEndpoint> {
        if let Some(path) = text.strip_prefix("file://") {
            let path = PathBuf::from(path);
            return if path.is_absolute() {
                Ok(Self::File(path))
            } else {
                Err(NoEndpoint)
            };
        }
        let rest = text.strip_prefix("http://").ok_or(NoEndpoint)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let bare = rest
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let address = rest.parse().or_else(|_| {
            let address: Result<IpAddr, _> = bare.unwrap_or(rest).parse();
            address.map(|address| SocketAddr::new(address, 80))
        });
        address.map(Self::Service).map_err(|_| NoEndpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_literal_address_or_a_file() {
        for (text, shown) in [
            ("http://169.254.169.254", "http://169.254.169.254"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("http://[::1]:9", "http://[::1]:9"),
            ("file:///run/notices.json", "file:///run/notices.json"),
        ] {
            let read: Endpoint = text.parse().unwrap();
            assert_eq!(read.to_string(), shown);
        }
        assert_eq!("http://169.254.169.254".parse(), Ok(Endpoint::default()));
        for text in [
            "",
            "169.254.169.254",
            "https://127.0.0.1",
            "http://localhost:80",
            "http://127.0.0.1/x",
            "http://user@127.0.0.1",
            "file://relative",
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(NoEndpoint), "{text}");
        }
    }
}
