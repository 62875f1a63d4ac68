//! Fakes of the services that give tokens, which nobody can have for a test, and an Azurite that wants tokens.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::azurite::Azurite;
use crate::support::lab::PATIENCE;
use crate::support::needs::needs;
use crate::support::processes::{Killed, wait_until};
use crate::support::source::root;

/// Whom tokens for storage are for.
pub(super) const STORAGE: &str = "https://storage.azure.com";

/// An Azurite that wants tokens, and the authority that its certificate is of.
pub(super) fn secured(before: Vec<String>) -> (Azurite, TempDir) {
    needs("openssl");
    const SCRIPT: &str = "
        key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
        openssl req -x509 $key -days 3 -subj /CN=ca -keyout ca.key -out ca.crt
        openssl req $key -subj /CN=server -keyout server.key -out server.csr
        echo 'subjectAltName=IP:127.0.0.1' >server.ext
        openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 3 \\
            -extfile server.ext -out server.crt";
    let keys = tempfile::tempdir().unwrap();
    let mut sh = Command::new("sh");
    let made = sh
        .args(["-euc", SCRIPT])
        .current_dir(keys.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let file = |name: &str| keys.path().join(name).display().to_string();
    let options = [
        "--inMemoryPersistence",
        "--oauth",
        "basic",
        "--cert",
        &file("server.crt"),
        "--key",
        &file("server.key"),
    ];
    (Azurite::start_on(before, &options), keys)
}

/// A token as Azurite wants it, which looks at no signature, good for so many seconds.
pub(super) fn token(audience: &str, seconds: u64) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let payload = json!({
        "aud": audience,
        "iss": "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/",
        "nbf": now - 60, "iat": now - 60, "exp": now + seconds,
    });
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let head = encode(r#"{"alg":"none","typ":"JWT"}"#.to_owned());
    format!("{head}.{}.canary", encode(payload.to_string()))
}

/// The service. It goes with its value.
pub(super) struct Identity {
    directory: TempDir,
    _process: Killed,
}

impl Identity {
    /// Listens on an address and a port, or on any. `tls`: where the certificate is.
    pub(super) fn start(
        before: &[String],
        address: (&str, u16),
        tls: Option<&Path>,
        config: &Value,
    ) -> Self {
        needs("python3");
        let directory = tempfile::tempdir().unwrap();
        let mut words = before.to_vec();
        words.push("python3".to_owned());
        words.push(
            root()
                .join("tests/it/azblob/identity.py")
                .display()
                .to_string(),
        );
        words.push(directory.path().display().to_string());
        words.extend([address.0.to_owned(), address.1.to_string()]);
        let files = ["server.crt", "server.key"];
        words.extend(
            tls.into_iter()
                .flat_map(|keys| files.map(|file| keys.join(file).display().to_string())),
        );
        set(directory.path(), config);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null());
        let process = Killed::spawn(&mut command).unwrap();
        wait_until(PATIENCE, "the identity service to listen", || {
            directory.path().join("port").exists()
        });
        Self {
            directory,
            _process: process,
        }
    }

    /// What it answers from now on.
    pub(super) fn set(&self, config: &Value) {
        set(self.directory.path(), config);
    }

    pub(super) fn port(&self) -> u16 {
        let port = fs::read_to_string(self.directory.path().join("port")).unwrap();
        port.parse().unwrap()
    }

    /// What it was asked so far.
    pub(super) fn requests(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.directory.path().join("requests")).unwrap_or_default();
        let lines = log.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }
}

fn set(directory: &Path, config: &Value) {
    let new = directory.join("config.new");
    fs::write(&new, config.to_string()).unwrap();
    fs::rename(new, directory.join("config")).unwrap();
}
