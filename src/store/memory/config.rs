//! From `memory:?OPTIONS` to a configuration; opens nothing.

use crate::store::url::{StoreUrl, UrlError};

/// What a memory store is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Fault drill: how many requests it answers; `None`: all.
    pub answers: Option<u64>,
    /// Fault drill: how many renewals succeed before the lease is lost; `None`: all.
    pub lost_after: Option<u64>,
}

impl Config {
    /// Reads the URL.
    ///
    /// # Errors
    /// When it has a host, a path, a credential or an option that is not one of the drills.
    pub fn from_url(url: &StoreUrl) -> Result<Self, UrlError> {
        let empty = url.host().is_empty() && url.path().is_empty();
        if !empty || url.user().is_some() || url.password().is_some() {
            return Err(UrlError::Unfit(
                "the memory store has no host, path, user or password; write memory:".to_owned(),
            ));
        }
        let mut options = url.options();
        let config = Self {
            answers: options.take_number("answers")?,
            lost_after: options.take_number("lost-after")?,
        };
        options.finish()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, UrlError> {
        Config::from_url(&StoreUrl::parse(text).unwrap())
    }

    #[test]
    fn the_url_carries_the_drills() {
        assert_eq!(read("memory:"), Ok(Config::default()));
        let drills = Config {
            answers: Some(3),
            lost_after: Some(0),
        };
        assert_eq!(read("memory:?lost-after=0&answers=3"), Ok(drills));
    }

    #[test]
    fn anything_else_is_refused() {
        assert!(read("memory://host").is_err());
        assert!(read("memory:/path").is_err());
        assert!(read("memory://:secret@").is_err());
        assert!(read("memory:?answers=-1").is_err());
        assert_eq!(
            read("memory:?answer=1").unwrap_err().to_string(),
            r#"unknown option "answer" in the store URL; did you mean "answers"?"#
        );
    }
}
