//! Whatever the metadata service answers: nobody panics, and no event is about a machine that it does not name.

#![no_main]

use leasectl::notices::{Differ, Names, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let name = "a name that nobody has";
    if let Ok(document) = parse(bytes, &Names::new([name.to_owned()])) {
        for notice in &document.notices {
            let named = notice.resources.iter().any(|one| one.eq_ignore_ascii_case(name));
            assert_eq!(notice.ours, named);
        }
        let mut differ = Differ::default();
        differ.take(&document);
        // The same again is no news.
        assert_eq!(differ.take(&document), []);
    }
});
