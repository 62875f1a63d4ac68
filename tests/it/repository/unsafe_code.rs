//! All `unsafe` stands in one module, and every test stands in a list.

use std::fs;

use libtest_mimic::Trial;

use crate::support::source::{files, shown, words};

/// The only module that may be unsafe, as a file or as a folder.
const ALLOWED: [&str; 2] = ["src/process/sys.rs", "src/process/sys/"];

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        unsafe_stands_in_one_module,
        integration_tests_are_not_lost_to_the_harness,
    ]
}

fn unsafe_stands_in_one_module() {
    let mut found = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for file in files(folder, "rs") {
            let name = shown(&file);
            let source = fs::read_to_string(&file).unwrap();
            let unsafes = words(&source)
                .into_iter()
                .filter(|word| word.text == "unsafe");
            if !ALLOWED.iter().any(|allowed| name.starts_with(allowed)) {
                found.extend(unsafes.map(|word| format!("{name}:{}", word.line)));
            }
        }
    }
    assert!(found.is_empty(), "`unsafe` outside {ALLOWED:?}: {found:?}");
}

/// The harness of `tests/it` runs what the `trials!` lists name. The compiler drops a function under
/// `#[test]` there without a word.
fn integration_tests_are_not_lost_to_the_harness() {
    for file in files("tests", "rs") {
        let words = words(&fs::read_to_string(&file).unwrap());
        let lost = words.windows(4).find(|four| {
            let text: Vec<&str> = four.iter().map(|word| word.text.as_str()).collect();
            text == ["#", "[", "test", "]"]
        });
        if let Some([first, ..]) = lost {
            panic!(
                "{}:{}: `#[test]` is never run here; name the function in `trials![]`",
                shown(&file),
                first.line
            );
        }
    }
}
