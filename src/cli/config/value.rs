//! A configured value, and how it would be typed.

use toml::Spanned;
use toml::de::DeValue;

use super::keys::{self, Kind};
use super::place::Place;
use super::stores::StoreWish;
use crate::cli::{printable, quoted};

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) key: String,
    pub(super) value: Value,
    /// Of the key.
    pub(super) place: Place,
}

/// What a key is set to.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Switch(bool),
    /// One for each time that the option is given.
    Texts(Vec<String>),
    Store(StoreWish),
}

impl Value {
    /// Reads what stands behind a key.
    pub(super) fn read(
        key: &str,
        option: &clap::Arg,
        item: &Spanned<DeValue<'_>>,
    ) -> Result<Self, String> {
        let kind = keys::kind(option);
        let value = match (kind, item.get_ref()) {
            (Kind::Switch, DeValue::Boolean(on)) => Some(Self::Switch(*on)),
            (Kind::Text, DeValue::String(text)) => Some(Self::text(text.to_string())),
            (Kind::Integer | Kind::Number, DeValue::Integer(number)) => {
                let number = i64::from_str_radix(number.as_str(), number.radix()).ok();
                number.map(|number| Self::text(number.to_string()))
            }
            (Kind::Number, DeValue::Float(number)) => Some(Self::text(number.as_str().to_owned())),
            (Kind::Table, DeValue::Table(table)) => {
                let pairs = table.iter().map(|(name, text)| {
                    let text = text.get_ref().as_str()?;
                    Some(format!("{}={text}", name.get_ref()))
                });
                let pairs: Option<Vec<String>> = pairs.collect();
                // `a=b` as a key would become another one.
                let odd = table.keys().any(|name| name.get_ref().contains('='));
                pairs.filter(|_| !odd).map(Self::Texts)
            }
            (Kind::List, DeValue::Array(list)) => {
                let texts = list.iter();
                let texts = texts.map(|text| text.get_ref().as_str().map(str::to_owned));
                texts.collect::<Option<Vec<String>>>().map(Self::Texts)
            }
            _ => None,
        };
        match value {
            None => Err(format!("{key} has to be {}", keys::form(kind, option))),
            Some(Self::Texts(texts)) if texts.iter().any(|text| text.contains('\0')) => Err(
                format!("{key} has a NUL character, which nothing can be given; remove it"),
            ),
            Some(value) => Ok(value),
        }
    }

    fn text(text: String) -> Self {
        Self::Texts(vec![text])
    }

    /// Whether it is typed at all: a switch that is off is not.
    pub(super) fn is_given(&self) -> bool {
        match self {
            Self::Switch(on) => *on,
            Self::Texts(texts) => !texts.is_empty(),
            Self::Store(_) => true,
        }
    }

    /// Whether it says the same. Two URLs do only when they are one: what is in them may not be compared.
    pub(super) fn is_the_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Switch(one), Self::Switch(two)) => one == two,
            (Self::Texts(one), Self::Texts(two)) => one == two,
            (Self::Store(StoreWish::Named(one)), Self::Store(StoreWish::Named(two))) => one == two,
            (Self::Store(_), Self::Store(_)) => std::ptr::eq(self, other),
            _ => false,
        }
    }

    /// As it would be typed. A store is not: its URL may hold a password.
    pub(super) fn words(&self, key: &str) -> Vec<String> {
        let option = keys::option_of(key);
        match self {
            Self::Switch(true) => vec![option],
            Self::Switch(false) | Self::Store(_) => Vec::new(),
            Self::Texts(texts) => {
                let words = texts.iter().map(|text| format!("{option}={text}"));
                words.collect()
            }
        }
    }

    /// For people, without a password.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Switch(on) => on.to_string(),
            Self::Texts(texts) if texts.is_empty() => "-".to_owned(),
            Self::Texts(texts) => {
                let shown = texts.iter().map(|text| {
                    let plain = !text.is_empty() && !text.contains(char::is_whitespace);
                    if plain { printable(text) } else { quoted(text) }
                });
                shown.collect::<Vec<_>>().join(" ")
            }
            Self::Store(StoreWish::Named(name)) => printable(name),
            Self::Store(StoreWish::Url(url)) => printable(&url.without_password()),
        }
    }
}
