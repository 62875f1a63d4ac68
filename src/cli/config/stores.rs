//! Stores that have a name, and the passwords of those that keep them in a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::place::Place;
use crate::cli::printable;
use crate::cli::trusted::{HIDDEN, Unusable, Wanted};
use crate::secret::Secret;
use crate::store::options::nearest;
use crate::store::url::StoreUrl;

/// The stores by name.
pub(super) type Stores = BTreeMap<String, NamedStore>;

/// `[stores.NAME]`.
#[derive(Clone, Debug)]
pub(super) struct NamedStore {
    pub(super) url: StoreUrl,
    /// The password's own file, and where it is named.
    pub(super) password_file: Option<(PathBuf, Place)>,
}

/// What `store` may be.
#[derive(Clone, Debug)]
pub(super) enum StoreWish {
    Named(String),
    Url(StoreUrl),
}

/// Whether a text is meant as the name of a store: every URL has a colon.
pub(super) fn is_name(text: &str) -> bool {
    !text.contains(':')
}

const PASSWORD: Wanted = Wanted {
    content: "the password",
    form: "the password on one line",
    longest: 16 * 1024,
    secret: true,
};

impl NamedStore {
    /// The URL, with the password in it when that is kept elsewhere.
    pub(super) fn url(&self) -> Result<StoreUrl, String> {
        match &self.password_file {
            None => Ok(self.url.clone()),
            Some((path, place)) => {
                let refuse = |why: String| {
                    let shown = printable(&path.to_string_lossy());
                    format!("{place}: the password file {shown} is refused: {why}")
                };
                let password = password(path).map_err(refuse)?;
                let url = self.url.with_password(password);
                url.map_err(|error| format!("{place}: {error}"))
            }
        }
    }
}

fn password(path: &Path) -> Result<Secret, String> {
    let content = PASSWORD.read(path).map_err(|unusable| match unusable {
        Unusable::Missing => "there is none; write the password into it, mode 0600".to_owned(),
        Unusable::Hidden => HIDDEN.to_owned(),
        Unusable::Because(why) => why,
    })?;
    let text = content.text;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() || line.contains(char::is_control) {
        return Err("it has to be the password on one line, and nothing else".to_owned());
    }
    Ok(Secret::new(line.to_owned()))
}

/// What to do about a name that no store has. The name is not repeated: it may be a password.
pub(super) fn those_there_are(stores: &Stores, wished: &str) -> String {
    let names: Vec<&str> = stores.keys().map(String::as_str).collect();
    let near = nearest(wished, &names);
    match (near, names.is_empty()) {
        (Some(near), _) => format!("did you mean {}?", printable(&near)),
        (None, true) => "write a URL such as file:, or add the name below [stores]".to_owned(),
        (None, false) => {
            let names = printable(&names.join(", "));
            format!("the stores are {names}; or write a URL such as file:")
        }
    }
}
