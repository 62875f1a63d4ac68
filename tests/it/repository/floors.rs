//! Data flows down the floors and answers flow up: a file imports its own folder and strictly lower
//! floors. The table in the doc of `src/lib.rs` says which folder (a *room*) stands on which floor;
//! this reads the table, and every path that starts with `crate`, `super` or `self`.

use std::fs;
use std::path::Path;

use libtest_mimic::Trial;

use crate::support::source::{Word, files, root, words};

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        no_file_reaches_up_or_sideways,
        the_table_is_read,
        planted_violations_are_found,
        lawful_imports_pass,
    ]
}

/// Where a room's name may stand for any one folder.
const ANY: &str = "<kind>";

#[derive(Debug, PartialEq, Eq)]
struct Room {
    floor: u8,
    path: Vec<String>,
}

/// The module path and the words of one file.
struct File<'a> {
    module: Vec<String>,
    words: &'a [Word],
}

fn no_file_reaches_up_or_sideways() {
    let rooms = table(&fs::read_to_string(root().join("src/lib.rs")).unwrap());
    let mut found = Vec::new();
    for file in files("src", "rs") {
        let inside = file.strip_prefix(root().join("src")).unwrap();
        found.extend(violations(
            &rooms,
            inside,
            &fs::read_to_string(&file).unwrap(),
        ));
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Reads the rows `//! | 2 | `supervisor/`, `keeper.rs` | ... |`.
fn table(lib: &str) -> Vec<Room> {
    let mut rooms = Vec::new();
    for line in lib.lines().filter_map(|line| line.strip_prefix("//! |")) {
        let mut cells = line.split('|');
        let (Some(floor), Some(names)) = (cells.next(), cells.next()) else {
            continue;
        };
        let Ok(floor) = floor.trim().parse() else {
            continue;
        };
        // What stands between backticks is every second piece.
        rooms.extend(names.split('`').skip(1).step_by(2).map(|name| Room {
            floor,
            path: segments(name.trim_end_matches('/')),
        }));
    }
    rooms
}

fn segments(path: &str) -> Vec<String> {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.split('/').map(ToOwned::to_owned).collect()
}

/// The room that a module path lies in, and that room's own path. A room named in full goes before
/// one with a free name.
fn room_of<'a>(rooms: &[Room], path: &'a [String]) -> Option<(u8, &'a [String])> {
    let lies_in = |room: &&Room| {
        let mut pairs = room.path.iter().zip(path);
        room.path.len() <= path.len() && pairs.all(|(r, p)| r == p || r == ANY)
    };
    let free = |room: &&Room| room.path.iter().filter(|segment| *segment == ANY).count();
    let room = rooms.iter().filter(lies_in).min_by_key(free)?;
    Some((room.floor, &path[..room.path.len()]))
}

fn violations(rooms: &[Room], file: &Path, source: &str) -> Vec<String> {
    let name = file.display();
    // lib.rs declares the rooms, and main.rs is a crate of its own above all of them.
    if ["lib.rs", "main.rs"]
        .iter()
        .any(|root| file == Path::new(root))
    {
        return Vec::new();
    }
    let module = segments(&file.to_string_lossy());
    // The mod.rs of a folder of rooms (`store/mod.rs`) only declares them: a room of its own, on the
    // ground.
    let declares = rooms
        .iter()
        .any(|r| r.path.len() > module.len() && r.path.starts_with(&module));
    let own = match room_of(rooms, &module) {
        Some(room) => room,
        None if declares => (0, module.as_slice()),
        None => return vec![format!("{name}: has no floor; give it one in src/lib.rs")],
    };
    let words = words(source);
    let file = File {
        module: module.clone(),
        words: &words,
    };
    let mut found = Vec::new();
    for (line, target) in references(&file) {
        let written = target.join("::");
        match room_of(rooms, &target) {
            _ if target.starts_with(own.1) => {}
            Some((floor, _)) if floor < own.0 => {}
            Some((floor, _)) => found.push(format!(
                "{name}:{line}: `{written}` is on floor {floor}, this file on floor {}",
                own.0
            )),
            None => found.push(format!("{name}:{line}: `{written}` is on no floor")),
        }
    }
    found
}

/// Every path that says where it starts, resolved from the crate's root, with its line.
fn references(file: &File<'_>) -> Vec<(usize, Vec<String>)> {
    let text = |at: usize| file.words.get(at).map_or("", |word| word.text.as_str());
    let colons = |at: usize| text(at) == ":" && text(at + 1) == ":";
    let mut found = Vec::new();
    // The modules written out in this file around the current word, each with its depth of braces.
    let mut inner: Vec<(usize, String)> = Vec::new();
    let mut depth = 0;
    for (at, word) in file.words.iter().enumerate() {
        match word.text.as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inner.retain(|(outside, _)| *outside < depth);
            }
            "mod" if text(at + 2) == "{" => inner.push((depth, text(at + 1).to_owned())),
            _ => {}
        }
        let starts = at < 2 || !colons(at - 2);
        // `pub(in crate::here)` only narrows.
        if !colons(at + 1) || !starts || (at > 0 && text(at - 1) == "in") {
            continue;
        }
        let mut here = file.module.clone();
        here.extend(inner.iter().map(|(_, name)| name.clone()));
        let mut next = at + 3;
        match word.text.as_str() {
            "crate" => here.clear(),
            "self" => {}
            "super" => {
                here.pop();
                while text(next) == "super" {
                    here.pop();
                    next += 3;
                }
            }
            _ => continue,
        }
        let mut targets = Vec::new();
        tree(file.words, next, &here, &mut targets);
        found.extend(targets.into_iter().map(|target| (word.line, target)));
    }
    found
}

/// Reads a path or a tree of imports (`a::{b, c::*}`) from word `at` on; returns where it ends.
fn tree(words: &[Word], at: usize, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let text = |at: usize| words.get(at).map_or("", |word| word.text.as_str());
    match text(at) {
        "{" => {
            let mut at = at + 1;
            while !matches!(text(at), "}" | "") {
                // An empty step is a comma, or the `as name` after an import.
                at = if matches!(text(at), "," | "as") {
                    at + 1 + usize::from(text(at) == "as")
                } else {
                    tree(words, at, prefix, found)
                };
            }
            at + 1
        }
        name if name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name != "self" => {
            let mut path = prefix.to_vec();
            path.push(name.to_owned());
            if text(at + 1) == ":" && text(at + 2) == ":" {
                tree(words, at + 3, &path, found)
            } else {
                found.push(path);
                at + 1
            }
        }
        // `*`, `self` in braces, or the `<` of a type argument: the path so far is what is meant.
        _ => {
            found.push(prefix.to_vec());
            at + 1
        }
    }
}

const TABLE: &str = "
//! | floor | what | |
//! |---|---|---|
//! | 5 | `commands/` | |
//! | 3 | `store/<kind>/` | |
//! | 2 | `keeper.rs`, `process/`, `store/url.rs` | |
//! | 1 | `lease/` | |
//! | 0 | `clock.rs` | |";

fn the_table_is_read() {
    let rooms = table(TABLE);
    assert_eq!(rooms.len(), 7);
    let of =
        |path: &str| room_of(&rooms, &segments(path)).map(|(floor, room)| (floor, room.to_vec()));
    assert_eq!(of("store/file/wire.rs"), Some((3, segments("store/file"))));
    assert_eq!(of("store/url.rs"), Some((2, segments("store/url"))));
    assert_eq!(of("process/sys.rs"), Some((2, segments("process"))));
    assert_eq!(of("store/mod.rs"), None);
    assert!(!table(&fs::read_to_string(root().join("src/lib.rs")).unwrap()).is_empty());
}

#[track_caller]
fn assert_violations(file: &str, source: &str, count: usize) {
    let found = violations(&table(TABLE), Path::new(file), source);
    assert_eq!(found.len(), count, "{file}: {source}: {found:#?}");
}

fn planted_violations_are_found() {
    // Up, sideways, and between stores.
    assert_violations("lease/mod.rs", "use crate::process::Front;", 1);
    assert_violations("process/front.rs", "use crate::keeper::Keeper;", 1);
    assert_violations("keeper.rs", "fn f() { crate::process::go() }", 1);
    assert_violations(
        "store/file/store.rs",
        "use crate::store::memory::wire::X;",
        1,
    );
    assert_violations("store/file/mod.rs", "use super::memory;", 1);
    assert_violations("store/file/wire.rs", "use super::super::memory::wire;", 1);
    assert_violations("store/url.rs", "use crate::store::file;", 1);
    assert_violations("store/mod.rs", "use crate::commands::run;", 1);
    // In trees, in inner modules, and through the root.
    assert_violations(
        "keeper.rs",
        "use crate::{lease::{A, B}, process::{C, D}};",
        2,
    );
    assert_violations(
        "keeper.rs",
        "mod tests { use super::*; use super::super::process::X; }",
        1,
    );
    assert_violations("clock.rs", "use super::lease::Hold;", 1);
    assert_violations("clock.rs", "use crate::*;", 1);
    // A file without a floor.
    assert_violations("helpers.rs", "", 1);
}

fn lawful_imports_pass() {
    assert_violations("lib.rs", "pub use crate::commands::run;", 0);
    assert_violations("store/mod.rs", "pub mod file; pub mod url;", 0);
    assert_violations(
        "store/file/mod.rs",
        "use crate::store::url::{self, Url as U}; use self::wire::X;",
        0,
    );
    assert_violations(
        "store/file/wire.rs",
        "use super::config::Config; use crate::lease::Hold;",
        0,
    );
    assert_violations(
        "process/sys.rs",
        "pub(in crate::process) fn f() { crate::clock::now::<X>() }",
        0,
    );
    assert_violations(
        "keeper.rs",
        "mod tests { mod deep { use super::super::Keeper; } use super::*; }",
        0,
    );
    assert_violations(
        "commands/run.rs",
        "use crate::{clock::Clock, keeper, store::file::wire};",
        0,
    );
    assert_violations(
        "lease/mod.rs",
        "// crate::process::X\nconst A: &str = \"crate::process\";",
        0,
    );
}
