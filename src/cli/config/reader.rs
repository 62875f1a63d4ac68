//! What every part of a configuration file is read with, and the stores in it.

use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::Keys;
use super::place::{Lines, Place};
use super::stores::{self, NamedStore, StoreWish};
use super::value::{Setting, Value};
use crate::cli::quoted;
use crate::store::options::nearest;
use crate::store::url::StoreUrl;

/// The key of a store.
pub(super) const STORE: &str = "store";

pub(super) type Item<'a> = Spanned<DeValue<'a>>;

/// A file that is being read.
pub(super) struct Reader<'a> {
    pub(super) lines: Lines<'a>,
    /// Whether nobody else can read it.
    pub(super) private: bool,
    pub(super) keys: &'a mut Keys,
}

impl Reader<'_> {
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        self.lines.place(span)
    }

    pub(super) fn refuse<T>(&self, span: &Range<usize>, why: &str) -> Result<T, String> {
        Err(format!("{}: {why}", self.place(span)))
    }

    pub(super) fn table<'i, 's>(
        &self,
        item: &'s Item<'i>,
        form: &str,
    ) -> Result<&'s DeTable<'i>, String> {
        match item.get_ref().as_table() {
            Some(table) => Ok(table),
            None => self.refuse(
                &item.span(),
                &format!("this has to be a table; write {form}"),
            ),
        }
    }

    pub(super) fn string<'s>(&self, item: &'s Item<'_>, key: &str) -> Result<&'s str, String> {
        match item.get_ref().as_str() {
            Some(text) => Ok(text),
            None => self.refuse(&item.span(), &format!("{key} has to be a text in quotes")),
        }
    }

    pub(super) fn store(&self, key: &Range<usize>, item: &Item<'_>) -> Result<Setting, String> {
        let text = self.string(item, STORE)?;
        let wish = if text.is_empty() {
            return self.refuse(
                &item.span(),
                "store is empty; write a name or a URL, or nothing",
            );
        } else if stores::is_name(text) {
            StoreWish::Named(text.to_owned())
        } else {
            StoreWish::Url(self.url(item, text)?)
        };
        Ok(Setting {
            key: STORE.to_owned(),
            value: Value::Store(wish),
            place: self.place(key),
        })
    }

    fn url(&self, item: &Item<'_>, text: &str) -> Result<StoreUrl, String> {
        let url = match StoreUrl::parse(text) {
            Ok(url) => url,
            Err(error) => return self.refuse(&item.span(), &error.to_string()),
        };
        if url.has_password() && !self.private {
            return self.refuse(
                &item.span(),
                "the URL has a password, and others may read this file; chmod it to 0600, or use \
                 password_file",
            );
        }
        Ok(url)
    }

    pub(super) fn named_store(
        &self,
        span: &Range<usize>,
        name: &str,
        item: &Item<'_>,
    ) -> Result<NamedStore, String> {
        if !stores::is_name(name) || name.is_empty() || name.contains(char::is_control) {
            return self.refuse(
                span,
                "this cannot be the name of a store: write a word without `:`",
            );
        }
        let (mut url, mut password_file) = (None, None);
        for (key, value) in self.table(item, "[stores.NAME]")? {
            match key.get_ref().as_ref() {
                "url" => url = Some(self.url(value, self.string(value, "url")?)?),
                "password_file" => {
                    let path = PathBuf::from(self.string(value, "password_file")?);
                    if !path.is_absolute() {
                        return self.refuse(
                            &value.span(),
                            "password_file is no absolute path; write it from / on",
                        );
                    }
                    password_file = Some((path, self.place(&value.span())));
                }
                other => {
                    let near = nearest(other, &["url", "password_file"]);
                    let near = near.unwrap_or_else(|| "url or password_file".to_owned());
                    let why = format!("a store has no {}; did you mean {near}?", quoted(other));
                    return self.refuse(&key.span(), &why);
                }
            }
        }
        let Some(url) = url else {
            return self.refuse(
                span,
                "the store has no url; write url = \"file:\" or another",
            );
        };
        if url.has_password() && password_file.is_some() {
            return self.refuse(
                span,
                "the store has a password_file and a password in its url; keep one of the two",
            );
        }
        Ok(NamedStore { url, password_file })
    }
}
