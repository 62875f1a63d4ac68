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
