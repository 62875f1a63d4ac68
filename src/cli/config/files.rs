//! Which files are read.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::document::Document;
use super::keys::Keys;
use super::layers::Layers;
use crate::cli::printable;
use crate::cli::trusted::{HIDDEN, Unusable, Wanted};
use crate::registry::OpenContext;

const SYSTEM: &str = "/etc/leasectl/config.toml";
const PERSONAL: &str = ".config/leasectl/config.toml";
const VARIABLE: &str = "LEASECTL_CONFIG";
const DEFAULT: &str = "default";
const OPTION: &str = "--config";

const CONFIGURATION: Wanted = Wanted {
    content: "the configuration",
    form: "a configuration of at most 1 MB of UTF-8",
    longest: 1_000_000,
    secret: false,
};

/// A file that was read, and who named it.
#[derive(Debug)]
pub(super) struct Source {
    /// Safe to print.
    pub(super) file: String,
    pub(super) origin: &'static str,
}

/// Reads the file that was typed, or the one of the environment, or those of user and system.
pub(super) fn load(typed: Option<&Path>) -> Result<(Layers, Vec<Source>), String> {
    let (paths, origin) = chosen(typed, std::env::var_os(VARIABLE))?;
    // Made for the first file: without any, a start has to be as quick as ever.
    let mut keys = None;
    let (mut documents, mut sources) = (Vec::new(), Vec::new());
    for path in paths {
        let file = printable(&path.to_string_lossy());
        let refuse = |why: &str| format!("the configuration {file} is refused: {why}");
        let content = match CONFIGURATION.read(&path) {
            Ok(content) => content,
            Err(Unusable::Missing) if origin == DEFAULT => continue,
            Err(Unusable::Missing) => {
                let why = format!("there is none, and {origin} names it; write it");
                return Err(refuse(&why));
            }
            // `runuser` and its like leave HOME as it was, which is not this user's then.
            Err(Unusable::Hidden) if origin == DEFAULT && path != Path::new(SYSTEM) => continue,
            Err(Unusable::Hidden) => return Err(refuse(HIDDEN)),
            Err(Unusable::Because(why)) => return Err(refuse(&why)),
        };
        let keys = keys.get_or_insert_with(Keys::new);
        documents.push(Document::parse(
            &content.text,
            &file,
            content.private,
            keys,
        )?);
        sources.push(Source { file, origin });
    }
    Ok((Layers::new(documents)?, sources))
}

/// The files, the one that counts most first, and who chose them.
fn chosen(
    typed: Option<&Path>,
    variable: Option<OsString>,
) -> Result<(Vec<PathBuf>, &'static str), String> {
    match (typed, variable) {
        (Some(path), _) => Ok((vec![path.to_owned()], OPTION)),
        (None, Some(path)) if path.is_empty() => Err(format!(
            "{VARIABLE} is set and empty: unset it, or set it to a configuration file"
        )),
        (None, Some(path)) => Ok((vec![PathBuf::from(path)], VARIABLE)),
        (None, None) => {
            let around = OpenContext::of_this_process();
            let home = around.home.map(PathBuf::from);
            let home = home.filter(|home| home.is_absolute());
            let personal = home.or(around.passwd_home).map(|home| home.join(PERSONAL));
            Ok((
                personal.into_iter().chain([SYSTEM.into()]).collect(),
                DEFAULT,
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_is_named_or_two_are_looked_for() {
        let typed = Path::new("a.toml");
        let (paths, origin) = chosen(Some(typed), Some("b.toml".into())).unwrap();
        assert_eq!((paths, origin), (vec![PathBuf::from("a.toml")], OPTION));
        let (paths, origin) = chosen(None, Some("b.toml".into())).unwrap();
        assert_eq!((paths, origin), (vec![PathBuf::from("b.toml")], VARIABLE));
        assert!(
            chosen(None, Some("".into()))
                .unwrap_err()
                .contains("set and empty")
        );
        let (paths, origin) = chosen(None, None).unwrap();
        assert_eq!(origin, DEFAULT);
        assert_eq!(paths.last(), Some(&PathBuf::from(SYSTEM)));
    }
}
