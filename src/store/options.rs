//! The options of a store's URL: taken one by one by whoever knows them, and what is left is an error.

use std::fmt;

use super::url::UrlError;
use crate::secret::Secret;

/// The options of a URL that nobody has taken yet.
#[derive(Debug)]
#[must_use]
pub struct Options {
    left: Vec<(String, Option<Secret>)>,
    asked: Vec<&'static str>,
}

impl Options {
    pub(super) const fn new(left: Vec<(String, Option<Secret>)>) -> Self {
        Self {
            left,
            asked: Vec::new(),
        }
    }

    /// Takes option `name`, given as `name=value`.
    ///
    /// # Errors
    /// When it is given twice or without a value.
    pub fn take_param(&mut self, name: &'static str) -> Result<Option<Secret>, UrlError> {
        match self.take(name)? {
            Some(None) => Err(UrlError::NeedsValue(name.to_owned(), "a value")),
            Some(Some(value)) => Ok(Some(value)),
            None => Ok(None),
        }
    }

    /// Takes option `name`, a whole number.
    ///
    /// # Errors
    /// When it is given twice, without a value, or is no such number.
    pub fn take_number(&mut self, name: &'static str) -> Result<Option<u64>, UrlError> {
        let number = |value: Secret| {
            let parsed = value.expose().parse();
            parsed.map_err(|_| UrlError::NeedsValue(name.to_owned(), "a whole number"))
        };
        self.take_param(name)?.map(number).transpose()
    }

    /// Takes option `name`, a switch that is on when it is there.
    ///
    /// # Errors
    /// When it is given twice or with a value.
    pub fn take_switch(&mut self, name: &'static str) -> Result<bool, UrlError> {
        match self.take(name)? {
            Some(Some(_)) => Err(UrlError::TakesNoValue(name.to_owned())),
            Some(None) => Ok(true),
            None => Ok(false),
        }
    }

    /// Refuses an option that nobody took.
    ///
    /// # Errors
    /// [`UrlError::UnknownOption`], with the nearest of those that were asked for.
    pub fn finish(self) -> Result<(), UrlError> {
        match self.left.into_iter().next() {
            Some((key, _)) => {
                let near = nearest(&key, &self.asked);
                Err(UrlError::UnknownOption(key, near))
            }
            None => Ok(()),
        }
    }

    fn take(&mut self, name: &'static str) -> Result<Option<Option<Secret>>, UrlError> {
        self.asked.push(name);
        let Some(at) = self.left.iter().position(|(key, _)| key == name) else {
            return Ok(None);
        };
        let (_, value) = self.left.remove(at);
        if self.left.iter().any(|(key, _)| key == name) {
            return Err(UrlError::Twice(name.to_owned()));
        }
        Ok(Some(value))
    }
}

/// `; did you mean "x"?`, or nothing.
pub(crate) struct DidYouMean<'a>(pub(crate) &'a Option<String>);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(near) => write!(f, "; did you mean {near:?}?"),
            None => Ok(()),
        }
    }
}

/// The candidate that `typed` is probably a misspelling of.
pub(crate) fn nearest(typed: &str, candidates: &[&str]) -> Option<String> {
    candidates
        .iter()
        .map(|known| (strsim::damerau_levenshtein(typed, known), *known))
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
        .min()
        .map(|(_, known)| known.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::url::StoreUrl;

    fn parse(text: &str) -> StoreUrl {
        StoreUrl::parse(text).unwrap()
    }

    #[test]
    fn what_is_left_or_doubled_is_an_error() {
        let mut options = parse("x:?tmieout=1").options();
        assert!(options.take_param("timeout").unwrap().is_none());
        assert_eq!(
            options.finish().unwrap_err().to_string(),
            r#"unknown option "tmieout" in the store URL; did you mean "timeout"?"#
        );
        let mut options = parse("x:?n=1&n=2").options();
        assert_eq!(
            options.take_number("n").unwrap_err(),
            UrlError::Twice("n".into())
        );
        let mut options = parse("x:?n=canary&shared=yes&m").options();
        let error = options.take_number("n").unwrap_err().to_string();
        assert_eq!(error, r#"option "n" in the store URL needs a whole number"#);
        assert!(options.take_switch("shared").is_err());
        assert!(options.take_param("m").is_err());
        options.finish().unwrap();
    }
}
