//! Nothing in the repository names a path of the machine that it was written on.

use std::fs;
use std::process::Command;

use libtest_mimic::Trial;

use crate::support::needs::needs;
use crate::support::source::root;

/// Taken apart, so that this file does not find itself.
const FORBIDDEN: [&str; 4] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/tmp/", "wt"),
    concat!(".lib", "rary"),
];

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        no_tracked_file_names_a_machine_path,
        a_planted_path_is_found
    ]
}

fn no_tracked_file_names_a_machine_path() {
    needs("git");
    // The repository may belong to another user (a container, sudo): that is no reason not to look.
    let listed = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        listed.status.success(),
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let names = String::from_utf8(listed.stdout).unwrap();
    let mut found = Vec::new();
    let mut read = 0;
    for name in names.split_terminator('\0') {
        // A file that is tracked and was just removed is not there to be read.
        let Ok(bytes) = fs::read(root().join(name)) else {
            continue;
        };
        read += 1;
        found.extend(named_in(name, &String::from_utf8_lossy(&bytes)));
    }
    assert!(read > 20, "git lists only {read} files");
    assert!(found.is_empty(), "{found:#?}");
}

fn named_in(name: &str, text: &str) -> Vec<String> {
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(at, line)| {
            let path = FORBIDDEN.iter().find(|path| line.contains(**path))?;
            Some(format!("{name}:{} names {path}", at + 1))
        })
        .collect()
}

fn a_planted_path_is_found() {
    let planted = format!("all is well\nsee {}notes\n", FORBIDDEN[0]);
    assert_eq!(named_in("x", &planted).len(), 1);
    assert!(named_in("x", "all is well").is_empty());
}
