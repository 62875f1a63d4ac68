//! One configuration file, read and checked as a whole, whatever lease it is about.

use toml::de::DeTable;

use super::keys::{self, Keys};
use super::place::Lines;
use super::reader::{Item, Reader, STORE};
use super::stores::Stores;
use super::value::{Setting, Value};
use crate::cli::{printable, quoted};
use crate::store::options::nearest;

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

impl Reader<'_> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Document, String> {
        Document::parse(text, "f", false, &mut Keys::new())
    }

    #[test]
    fn a_file_is_read() {
        let document = parse(
            "store = 'prod'\n[stores.prod]\nurl = 'rediss://u@h'\npassword_file = '/p'\n[defaults]\n\
             ttl = '30s'\nquiet = true\nmax_drift = 0.2\n[[lease]]\nmatch = 'a*'\nheld_exit_code = 0x0\n\
             meta = { b = '1', a = '2' }\n[[lease]]\nmatch = 'b'\nstore = 'memory:'\n",
        )
        .unwrap();
        let words = |settings: &[Setting]| -> Vec<String> {
            let words = settings.iter().flat_map(|one| one.value.words(&one.key));
            words.collect()
        };
        let mut defaults = words(&document.defaults);
        defaults.sort();
        assert_eq!(defaults, ["--max-drift=0.2", "--quiet", "--ttl=30s"]);
        let [first, second] = &document.rules[..] else {
            panic!("{document:?}");
        };
        assert_eq!(
            words(&first.settings),
            ["--held-exit-code=0", "--meta=a=2", "--meta=b=1"]
        );
        assert_eq!(
            (first.pattern.as_str(), second.pattern.as_str()),
            ("a*", "b")
        );
        assert_eq!(second.settings[0].value.shown(), "memory:");
        assert_eq!(second.settings[0].place.to_string(), "f:15:1");
        assert!(document.stores["prod"].password_file.is_some());
    }

    /// Files, and how the error about them begins.
    const WRONG: &[(&str, &str)] = &[
        (
            "ttl = '3s'",
            "f:1:1: \"ttl\" has no place here; write it below",
        ),
        (
            "defualts = 1",
            "f:1:1: there is no \"defualts\" here; did you mean defaults?",
        ),
        ("x = ", "f:1:5: this is not TOML: "),
        (
            "[defaults]\n  tll = '3s'",
            "f:2:3: there is no setting \"tll\"; did you mean ttl?",
        ),
        (
            "[defaults]\nttl = 3",
            "f:2:7: ttl has to be a duration in quotes",
        ),
        (
            "[defaults]\nttl = '3'",
            "f:2:7: ttl \"3\" cannot be used: it needs a unit",
        ),
        (
            "[defaults]\nquiet = 'yes'",
            "f:2:9: quiet has to be true or false",
        ),
        (
            "[defaults]\nheld_exit_code = '0'",
            "f:2:18: held_exit_code has to be a whole number",
        ),
        (
            "[defaults]\nheld_exit_code = 256",
            "f:2:18: held_exit_code \"256\" cannot be used",
        ),
        (
            "[defaults]\nmeta = { a = 1 }",
            "f:2:8: meta has to be a table of texts",
        ),
        (
            "[defaults]\nnote = \"a\\u0000\"",
            "f:2:8: note has a NUL character",
        ),
        ("[defaults]\nstore = 'a:'", "f:2:1: store has no place here"),
        (
            "[defaults]\nquiet = true\nverbose = true",
            "f:3:1: quiet and verbose exclude",
        ),
        (
            "[defaults]\nrestart = 'always'\nwait = '1s'",
            "f:3:1: restart and wait exclude",
        ),
        (
            "defaults = 1",
            "f:1:12: this has to be a table; write [defaults]",
        ),
        (
            "[lease]\nmatch = 'a'",
            "f:1:1: this has to be a list of tables",
        ),
        (
            "[[lease]]\nttl = '3s'",
            "f:1:1: this [[lease]] says of no lease",
        ),
        ("[[lease]]\nmatch = ''", "f:2:9: match fits no lease"),
        (
            "[[lease]]\nmatch = 'a'\nlease = 'b'",
            "f:3:1: \"lease\" cannot be configured",
        ),
        ("store = 1", "f:1:9: store has to be a text in quotes"),
        ("store = ''", "f:1:9: store is empty"),
        (
            "store = 'redis://u:can/ary@h'",
            "f:1:9: the store URL has a `/`",
        ),
        (
            "store = 'redis://u:canary@h'",
            "f:1:9: the URL has a password, and others may read",
        ),
        ("[stores.a]", "f:1:9: the store has no url"),
        (
            "[stores.'a:b']\nurl = 'memory:'",
            "f:1:9: this cannot be the name of a store",
        ),
        (
            "[stores.a]\nurll = 'x:'",
            "f:2:1: a store has no \"urll\"; did you mean url?",
        ),
        (
            "[stores.a]\nurl = 'x:'\npassword_file = 'p'",
            "f:3:17: password_file is no absolute",
        ),
    ];

    #[test]
    fn what_is_wrong_is_said_with_line_and_column() {
        for (text, expected) in WRONG {
            let why = parse(text).unwrap_err();
            assert!(why.starts_with(expected), "{text}: {why}");
            assert!(!why.contains("ary"), "{why}");
        }
    }

    #[test]
    fn two_switches_of_which_one_is_off_are_no_clash() {
        assert!(parse("[defaults]\nquiet = true\nverbose = false").is_ok());
    }

    #[test]
    fn a_password_may_stand_where_nobody_else_reads() {
        let text = "store = 'redis://u:canary@h'";
        let document = Document::parse(text, "f", true, &mut Keys::new()).unwrap();
        assert!(!format!("{document:?}").contains("canary"));
        assert_eq!(document.defaults[0].value.shown(), "redis://u@h");
        let both = "[stores.a]\nurl = 'redis://u:canary@h'\npassword_file = '/p'";
        let why = Document::parse(both, "f", true, &mut Keys::new()).unwrap_err();
        assert!(
            why.starts_with("f:1:9: the store has a password_file and"),
            "{why}"
        );
    }
}
