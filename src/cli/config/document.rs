//! One configuration file, read and checked as a whole, whatever lease it is about.

use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{self, Keys};
use super::place::{Lines, Place};
use super::stores::{self, NamedStore, StoreWish, Stores};
use super::value::{Setting, Value};
use crate::cli::{printable, quoted};
use crate::store::options::nearest;
use crate::store::url::StoreUrl;

const STORE: &str = "store";

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) stores: Stores,
    /// `[defaults]`, and the `store` of every lease.
    pub(super) defaults: Vec<Setting>,
    pub(super) rules: Vec<Rule>,
}

/// `[[lease]]`.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) pattern: String,
    pub(super) settings: Vec<Setting>,
}

type Item<'a> = Spanned<DeValue<'a>>;

impl Document {
    /// Reads `text`; `file` is its name, safe to print, and `private` whether nobody else can read it.
    pub(super) fn parse(
        text: &str,
        file: &str,
        private: bool,
        keys: &mut Keys,
    ) -> Result<Self, String> {
        let lines = Lines::of(file, text);
        let root = DeTable::parse(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            let place = lines.place(&span);
            let message = printable(&error.message().replace('\n', "; "));
            format!("{place}: this is not TOML: {message}; write KEY = VALUE or [TABLE]")
        })?;
        let mut reader = Reader {
            lines,
            private,
            keys,
        };
        reader.document(root.get_ref())
    }
}

struct Reader<'a> {
    lines: Lines<'a>,
    private: bool,
    keys: &'a mut Keys,
}

impl Reader<'_> {
    fn place(&self, span: &Range<usize>) -> Place {
        self.lines.place(span)
    }

    fn refuse<T>(&self, span: &Range<usize>, why: &str) -> Result<T, String> {
        Err(format!("{}: {why}", self.place(span)))
    }

    fn document(&mut self, root: &DeTable<'_>) -> Result<Document, String> {
        let mut document = Document::default();
        for (key, item) in root {
            match key.get_ref().as_ref() {
                STORE => document.defaults.push(self.store(&key.span(), item)?),
                "stores" => {
                    for (name, store) in self.table(item, "[stores.NAME]")? {
                        let named = self.named_store(&name.span(), name.get_ref(), store)?;
                        document.stores.insert(name.get_ref().to_string(), named);
                    }
                }
                "defaults" => {
                    let table = self.table(item, "[defaults]")?;
                    let settings = self.settings(table)?;
                    document.defaults.extend(settings);
                }
                "lease" => document.rules = self.rules(item)?,
                unknown => return self.refuse(&key.span(), &self.unknown_above(unknown)),
            }
        }
        Ok(document)
    }

    /// A key that no file has at its top.
    fn unknown_above(&self, key: &str) -> String {
        let shown = quoted(key);
        if self.keys.find(key).is_ok() {
            return format!("{shown} has no place here; write it below [defaults] or [[lease]]");
        }
        match nearest(key, &[STORE, "stores", "defaults", "lease"]) {
            Some(near) => format!("there is no {shown} here; did you mean {near}?"),
            None => format!(
                "there is no {shown} here; a file has store, [stores.NAME], [defaults] and [[lease]]"
            ),
        }
    }

    fn table<'i, 's>(&self, item: &'s Item<'i>, form: &str) -> Result<&'s DeTable<'i>, String> {
        match item.get_ref().as_table() {
            Some(table) => Ok(table),
            None => self.refuse(
                &item.span(),
                &format!("this has to be a table; write {form}"),
            ),
        }
    }

    fn string<'s>(&self, item: &'s Item<'_>, key: &str) -> Result<&'s str, String> {
        match item.get_ref().as_str() {
            Some(text) => Ok(text),
            None => self.refuse(&item.span(), &format!("{key} has to be a text in quotes")),
        }
    }

    fn store(&self, key: &Range<usize>, item: &Item<'_>) -> Result<Setting, String> {
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

    fn named_store(
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

    fn rules(&mut self, item: &Item<'_>) -> Result<Vec<Rule>, String> {
        let Some(items) = item.get_ref().as_array() else {
            return self.refuse(
                &item.span(),
                "this has to be a list of tables; write [[lease]]",
            );
        };
        let mut rules = Vec::new();
        for item in items {
            let table = self.table(item, "[[lease]]")?;
            let mut pattern = None;
            let mut own = DeTable::new();
            let mut settings = Vec::new();
            for (key, value) in table {
                match key.get_ref().as_ref() {
                    "match" => pattern = Some(self.pattern(value)?),
                    STORE => settings.push(self.store(&key.span(), value)?),
                    _ => {
                        own.insert(key.clone(), value.clone());
                    }
                }
            }
            let Some(pattern) = pattern else {
                return self.refuse(
                    &item.span(),
                    "this [[lease]] says of no lease that it is meant; write match = \"NAME\"",
                );
            };
            settings.extend(self.settings(&own)?);
            rules.push(Rule { pattern, settings });
        }
        Ok(rules)
    }

    fn pattern(&self, item: &Item<'_>) -> Result<String, String> {
        let text = self.string(item, "match")?;
        if text.is_empty() || text.contains(char::is_control) {
            return self.refuse(
                &item.span(),
                "match fits no lease; write a name, with * for any characters",
            );
        }
        Ok(text.to_owned())
    }

    /// The options of one table, each checked by itself and with the others.
    fn settings(&mut self, table: &DeTable<'_>) -> Result<Vec<Setting>, String> {
        let mut settings: Vec<Setting> = Vec::new();
        for (key, item) in table {
            let name = key.get_ref().as_ref();
            if name == STORE {
                return self.refuse(
                    &key.span(),
                    "store has no place here; write it above all tables, or below [[lease]]",
                );
            }
            let read = self
                .keys
                .find(name)
                .and_then(|option| Value::read(name, option, item));
            let value = match read {
                Ok(value) => value,
                // A key that is none is shown where it stands, a bad value there.
                Err(why) if self.keys.find(name).is_err() => return self.refuse(&key.span(), &why),
                Err(why) => return self.refuse(&item.span(), &why),
            };
            if let Err(why) = self.keys.check(name, &value.words(name)) {
                return self.refuse(&item.span(), &why);
            }
            let run = self.keys.run();
            let clash = settings.iter().find(|other| {
                let both = other.value.is_given() && value.is_given();
                both && keys::exclude_each_other(run, &other.key, name)
            });
            if let Some(other) = clash {
                let why = format!("{} and {name} exclude each other; keep one", other.key);
                return self.refuse(&key.span(), &why);
            }
            settings.push(Setting {
                key: name.to_owned(),
                value,
                place: self.place(&key.span()),
            });
        }
        Ok(settings)
    }
}
