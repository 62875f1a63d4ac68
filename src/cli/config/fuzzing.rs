//! Whatever stands in a configuration file.

use std::cell::RefCell;

use super::document::Document;
use super::keys::Keys;
use super::pattern::fits;
use super::stores::StoreWish;
use super::value::{Setting, Value};
use crate::fuzzing::checks::{one_line, tame};
use crate::store::url::StoreUrl;

/// A password in files of the corpus.
const CANARY: &str = "canary";

thread_local! {
    /// Every option of `run`: made once, because that takes longer than a file does.
    static KEYS: RefCell<Keys> = RefCell::new(Keys::new());
}

/// A file: refused in one line with its place, or read as settings that can be typed and shown. A password in
/// it is in no text, and needs a file that nobody else reads.
pub(crate) fn configuration(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    KEYS.with_borrow_mut(|keys| {
        for private in [true, false] {
            match Document::parse(text, "f", private, keys) {
                Err(why) => {
                    assert!(why.starts_with("f:"), "{why}");
                    one_line(&why);
                }
                Ok(document) => {
                    read(&document, private, keys);
                    if text.matches(CANARY).count() == 1 {
                        keeps_the_password(&document);
                    }
                }
            }
        }
    });
}

fn read(document: &Document, private: bool, keys: &mut Keys) {
    let shows = |url: &StoreUrl| assert!(private || !url.has_password());
    document.stores.values().for_each(|store| shows(&store.url));
    let rules = document.rules.iter().flat_map(|rule| &rule.settings);
    for Setting { key, value, .. } in document.defaults.iter().chain(rules) {
        tame(&value.shown());
        if let Value::Store(StoreWish::Url(url)) = value {
            shows(url);
        }
        let words = value.words(key);
        assert!(
            words
                .iter()
                .all(|word| word.starts_with("--") && !word.contains('\0'))
        );
        assert_eq!(keys.check(key, &words), Ok(()));
    }
    for rule in &document.rules {
        assert!(fits(&rule.pattern, &rule.pattern), "{:?}", rule.pattern);
    }
}

/// A text that is in a file once, as a password, is in nothing that is shown of it.
fn keeps_the_password(document: &Document) {
    let settings = || {
        document
            .rules
            .iter()
            .flat_map(|rule| &rule.settings)
            .chain(&document.defaults)
    };
    let urls = settings().filter_map(|setting| match &setting.value {
        Value::Store(StoreWish::Url(url)) => Some(url),
        _ => None,
    });
    let mut urls = urls.chain(document.stores.values().map(|store| &store.url));
    if urls.any(|url| {
        url.password()
            .is_some_and(|password| password.expose().contains(CANARY))
    }) {
        let shown: String = settings().map(|setting| setting.value.shown()).collect();
        let shown = format!("{shown} {document:?}");
        assert!(!shown.contains(CANARY), "{shown}");
    }
}
