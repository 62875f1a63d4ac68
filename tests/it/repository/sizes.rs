//! Files of at most 400 lines and functions of at most 50, so that each is read in one sitting.

use std::fs;

use libtest_mimic::Trial;

use crate::support::source::{Word, files, shown, words};

const LONGEST_FILE: usize = 400;
const LONGEST_FUNCTION: usize = 50;

/// What may be longer: `path` or `path::function`, and why. An entry that is no longer needed is
/// itself a failure.
const EXCEPTIONS: &[(&str, &str)] = &[(
    "src/lease/timing.rs::impossible_settings_are_refused_with_the_arithmetic",
    "a table of refusals, read row by row",
)];

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        files_and_functions_stay_readable,
        a_long_function_is_found,
        functions_are_measured_from_their_name_to_their_end,
    ]
}

fn files_and_functions_stay_readable() {
    let mut long = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for file in files(folder, "rs") {
            let source = fs::read_to_string(&file).unwrap();
            long.extend(too_long(&shown(&file), &source));
        }
    }
    let excused = |name: &str| EXCEPTIONS.iter().any(|(excused, _)| *excused == name);
    let failures: Vec<_> = long.iter().filter(|(name, _)| !excused(name)).collect();
    assert!(failures.is_empty(), "too long (lines): {failures:#?}");
    for (name, reason) in EXCEPTIONS {
        assert!(!reason.is_empty(), "{name} is excused without a reason");
        assert!(
            long.iter().any(|(found, _)| found == name),
            "{name} needs no excuse any more"
        );
    }
}

fn too_long(name: &str, source: &str) -> Vec<(String, usize)> {
    let mut long = Vec::new();
    let lines = source.lines().count();
    if lines > LONGEST_FILE {
        long.push((name.to_owned(), lines));
    }
    for (function, lines) in functions(&words(source)) {
        if lines > LONGEST_FUNCTION {
            long.push((format!("{name}::{function}"), lines));
        }
    }
    long
}

/// Every function with a body, and how many lines it has from `fn` to its closing brace.
fn functions(words: &[Word]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let Some(name) = words.get(at + 1).filter(|_| word.text == "fn") else {
            continue;
        };
        // `fn(u8)` is a type.
        if name.text != "("
            && let Some(end) = end_of_body(&words[at..])
        {
            found.push((name.text.clone(), end - word.line + 1));
        }
    }
    found
}

/// The line of the brace that closes the first block; none when the declaration ends without one.
fn end_of_body(words: &[Word]) -> Option<usize> {
    let (mut brackets, mut braces) = (0_usize, 0_usize);
    for word in words {
        match word.text.as_str() {
            "(" | "[" => brackets += 1,
            ")" | "]" => brackets -= 1,
            ";" if brackets == 0 && braces == 0 => return None,
            "{" => braces += 1,
            "}" => {
                braces = braces.checked_sub(1)?;
                if braces == 0 {
                    return Some(word.line);
                }
            }
            _ => {}
        }
    }
    None
}

fn a_long_function_is_found() {
    let body = "    step();\n".repeat(LONGEST_FUNCTION);
    let source = format!("fn short() {{}}\n\nfn long() {{\n{body}}}\n");
    assert_eq!(
        too_long("x.rs", &source),
        [("x.rs::long".to_owned(), LONGEST_FUNCTION + 2)]
    );
    let file = "// one\n".repeat(LONGEST_FILE + 1);
    assert_eq!(
        too_long("x.rs", &file),
        [("x.rs".to_owned(), LONGEST_FILE + 1)]
    );
}

fn functions_are_measured_from_their_name_to_their_end() {
    let source = "trait T { fn a(&self) -> [u8; 2]; }\nfn b(c: fn(u8)) {\n  \"}\";\n  { }\n}\n";
    assert_eq!(functions(&words(source)), [("b".to_owned(), 4)]);
}
