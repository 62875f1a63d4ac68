//! The documents from which the fuzz target starts, and those that it has found, without a fuzzer.

use std::fs;
use std::path::Path;

use leasectl::notices::{Differ, Names, parse};
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    trials![every_document_of_the_corpus_is_read_or_refused]
}

fn every_document_of_the_corpus_is_read_or_refused() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/scheduled_events");
    let mut read = 0;
    let mut all = 0;
    for file in fs::read_dir(corpus).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        all += 1;
        // As the target does, from each place at which an answer may end.
        for end in 0..=bytes.len() {
            let name = "a name that nobody has";
            if let Ok(document) = parse(&bytes[..end], &Names::new([name.to_owned()])) {
                assert!(document.notices.iter().all(|notice| !notice.ours));
                let mut differ = Differ::default();
                differ.take(&document);
                assert_eq!(differ.take(&document), []);
                read += 1;
            }
        }
    }
    // Of both kinds there are some.
    assert!(read > 3 && all > read, "{read} of {all}");
}
