//! Files laid over each other, key by key.

use super::document::Document;
use super::pattern;
use super::stores::{self, StoreWish, Stores};
use super::value::{Setting, Value};

/// The files, the one that counts most first.
#[derive(Debug, Default)]
pub(super) struct Layers {
    documents: Vec<Document>,
    stores: Stores,
}

impl Layers {
    /// Lays them over each other. Every store that is named in one of them has to be in one of them.
    pub(super) fn new(documents: Vec<Document>) -> Result<Self, String> {
        let mut all = Stores::new();
        for document in &documents {
            for (name, store) in &document.stores {
                // As a whole: the password of one place is not for the URL of another.
                all.entry(name.clone()).or_insert_with(|| store.clone());
            }
        }
        for document in &documents {
            let rules = document.rules.iter().flat_map(|rule| &rule.settings);
            for Setting { value, place, .. } in document.defaults.iter().chain(rules) {
                match value {
                    Value::Store(StoreWish::Named(name)) if !all.contains_key(name) => {
                        let those = stores::those_there_are(&all, name);
                        return Err(format!(
                            "{place}: store is no URL, and no store below [stores] has that name; {those}"
                        ));
                    }
                    _ => {}
                }
            }
        }
        Ok(Self {
            documents,
            stores: all,
        })
    }

    /// Whether there are no files.
    pub(super) const fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// The stores that have a name.
    pub(super) const fn stores(&self) -> &Stores {
        &self.stores
    }

    /// What is set for a lease, each key once, what counts most first. A `[[lease]]` of any file goes before
    /// the `[defaults]` of any: a personal default must not undo what the fleet says of one lease.
    pub(super) fn settings(&self, lease: Option<&str>) -> Vec<&Setting> {
        let rules = self.documents.iter().filter_map(|document| {
            let mut rules = document.rules.iter();
            rules.find(|rule| lease.is_some_and(|lease| pattern::fits(&rule.pattern, lease)))
        });
        let rules = rules.flat_map(|rule| &rule.settings);
        let defaults = self.documents.iter().flat_map(|one| &one.defaults);
        let mut settings: Vec<&Setting> = Vec::new();
        for setting in rules.chain(defaults) {
            if settings.iter().all(|known| known.key != setting.key) {
                settings.push(setting);
            }
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::config::keys::Keys;

    fn layers(files: &[(&str, &str)]) -> Result<Layers, String> {
        let mut keys = Keys::new();
        let documents = files
            .iter()
            .map(|(name, text)| Document::parse(text, name, true, &mut keys).unwrap());
        Layers::new(documents.collect())
    }

    fn found(layers: &Layers, lease: Option<&str>, key: &str) -> Option<(String, String)> {
        let settings = layers.settings(lease);
        let found = settings.iter().find(|one| one.key == key)?;
        Some((found.value.shown(), found.place.to_string()))
    }

    fn is(value: &str, place: &str) -> Option<(String, String)> {
        Some((value.to_owned(), place.to_owned()))
    }

    #[test]
    fn files_are_laid_over_each_other_key_by_key() {
        let layers = layers(&[
            ("own", "[defaults]\nttl = '1m'\n[[lease]]\nmatch = 'b'\nttl = '2m'"),
            (
                "all",
                "store = 'p'\n[stores.p]\nurl = 'memory:'\n[defaults]\nttl = '3m'\ngrace = '4m'\n\
                 [[lease]]\nmatch = 'a*'\nttl = '5m'\n[[lease]]\nmatch = 'ab'\nttl = '6m'\nnote = 'x'\n\
                 [[lease]]\nmatch = 'b'\nttl = '7m'\nnote = 'y'",
            ),
        ])
        .unwrap();
        assert_eq!(found(&layers, None, "ttl"), is("1m", "own:2:1"));
        assert_eq!(found(&layers, None, "grace"), is("4m", "all:6:1"));
        assert_eq!(found(&layers, None, "store"), is("p", "all:1:1"));
        assert_eq!(found(&layers, Some("c"), "ttl"), is("1m", "own:2:1"));
        // The first that fits, and no other; before the defaults of any file.
        assert_eq!(found(&layers, Some("ab"), "ttl"), is("5m", "all:9:1"));
        assert_eq!(found(&layers, Some("ab"), "note"), None);
        assert_eq!(found(&layers, Some("b"), "ttl"), is("2m", "own:5:1"));
        assert_eq!(found(&layers, Some("b"), "note"), is("y", "all:17:1"));
        assert!(!layers.is_empty() && Layers::default().is_empty());
    }

    #[test]
    fn a_store_is_laid_over_as_a_whole_and_has_to_be_there() {
        let both = [
            ("own", "store = 'p'\n[stores.p]\nurl = 'redis://own'"),
            (
                "all",
                "[stores.p]\nurl = 'redis://all'\npassword_file = '/p'",
            ),
        ];
        let layers_of_both = layers(&both).unwrap();
        let store = &layers_of_both.stores()["p"];
        assert!(store.password_file.is_none() && store.url.host() == "own");
        let other = [("own", "[[lease]]\nmatch = 'x'\nstore = 'pp'"), both[1]];
        let why = layers(&other).unwrap_err();
        assert!(why.starts_with("own:3:1: store is no URL"), "{why}");
        assert!(why.ends_with("did you mean p?"), "{why}");
        let why = layers(&other[..1]).unwrap_err();
        assert!(why.ends_with("or add the name below [stores]"), "{why}");
    }
}
