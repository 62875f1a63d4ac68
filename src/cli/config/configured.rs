//! What the configuration said to a verb, for whoever opens the store and for errors.

use super::place::Place;
use super::stores::{self, StoreWish, Stores};
use crate::store::url::StoreUrl;

/// What was configured for the verb and the lease that were typed.
#[derive(Debug, Default)]
pub(in crate::cli) struct Configured {
    pub(super) stores: Stores,
    pub(super) store: Option<(StoreWish, Place)>,
    /// The options that were given to the verb without being typed.
    pub(super) options: Vec<(String, Place)>,
}

impl Configured {
    /// The store that is configured, and where.
    pub(in crate::cli) fn store(&self) -> Result<Option<(StoreUrl, String)>, String> {
        let Some((wish, place)) = &self.store else {
            return Ok(None);
        };
        let place = place.to_string();
        match wish {
            StoreWish::Url(url) => Ok(Some((url.clone(), place))),
            StoreWish::Named(name) => Ok(self.named(name, &place)?.map(|url| (url, place))),
        }
    }

    /// The store of that name; nothing when the text is meant as a URL. `origin` says whose word it is.
    pub(in crate::cli) fn named(
        &self,
        text: &str,
        origin: &str,
    ) -> Result<Option<StoreUrl>, String> {
        match self.stores.get(text) {
            Some(store) => store.url().map(Some),
            // Without any store that has a name, a URL without its scheme is what was typed.
            None if !stores::is_name(text) || self.stores.is_empty() => Ok(None),
            None => {
                let those = stores::those_there_are(&self.stores, text);
                Err(format!(
                    "{origin} is neither a URL nor the name of a configured store; {those}"
                ))
            }
        }
    }

    /// An error, with the places of the options that it speaks of and that nobody typed.
    pub(in crate::cli) fn explain(&self, why: String) -> String {
        let mut explained = why.clone();
        for (option, place) in &self.options {
            let names = why.split(option.as_str()).skip(1);
            // `--wait` is not `--wait-for`.
            let is_named =
                |rest: &str| !rest.starts_with(|c: char| c == '-' || c.is_alphanumeric());
            if names.into_iter().any(is_named) {
                explained.push_str(&format!("; {option} is from {place}"));
            }
        }
        explained
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::config::place::Lines;

    #[test]
    fn an_error_names_the_places_of_what_nobody_typed() {
        let place = Lines::of("f", "").place(&(0..0));
        let configured = Configured {
            options: vec![
                ("--ttl".to_owned(), place.clone()),
                ("--wait".to_owned(), place),
            ],
            ..Configured::default()
        };
        let explain = |why: &str| configured.explain(why.to_owned());
        assert_eq!(
            explain("--ttl 3s is short"),
            "--ttl 3s is short; --ttl is from f:1:1"
        );
        assert_eq!(explain("--waiting is none"), "--waiting is none");
    }
}
