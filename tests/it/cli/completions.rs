//! The completion scripts in the shells that they are for: something is typed, TAB is pressed, and the
//! line is looked at. A script that is only read may be perfect and complete nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use libtest_mimic::Trial;

use crate::support::lab::Lab;
use crate::support::needs::needs;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        bash_completes_what_is_typed,
        zsh_completes_what_is_typed,
        fish_completes_what_is_typed,
    ]
}

/// What is typed, and what a TAB makes of it. A space or an equals sign at the end is each shell's own
/// business. In the lab are a file `some-file` and a command `some-command`.
const LINES: &[(&str, &str)] = &[
    ("leasectl ru", "leasectl run"),
    ("leasectl com", "leasectl completions"),
    ("leasectl completions z", "leasectl completions zsh"),
    ("leasectl man com", "leasectl man completions"),
    ("leasectl run --lea", "leasectl run --lease"),
    (
        "leasectl run --lease x --held",
        "leasectl run --lease x --held-exit-code",
    ),
    ("leasectl run --record a", "leasectl run --record args"),
    (
        "leasectl run --leftovers=l",
        "leasectl run --leftovers=leave",
    ),
    (
        "leasectl run --store-file some-f",
        "leasectl run --store-file some-file",
    ),
    // What is hidden.
    ("leasectl run --non", "leasectl run --non"),
    ("leasectl run --confl", "leasectl run --confl"),
    // Leases come from the store, whatever is the verb and wherever their names are taken apart.
    ("leasectl run --lease nigh", "leasectl run --lease nightly"),
    (
        "leasectl run -w 1m -l nigh",
        "leasectl run -w 1m -l nightly",
    ),
    (
        "leasectl hold --pid 1 --lease nigh",
        "leasectl hold --pid 1 --lease nightly",
    ),
    ("leasectl run --lease=nigh", "leasectl run --lease=nightly"),
    ("leasectl status backup/", "leasectl status backup/db1"),
    (
        "leasectl status --json backup/",
        "leasectl status --json backup/db1",
    ),
    ("leasectl status x odd:n", "leasectl status x odd:name=1"),
    ("leasectl status odd:name=", "leasectl status odd:name=1"),
    ("leasectl release nigh", "leasectl release nightly"),
    (
        "leasectl pause --for 1h nigh",
        "leasectl pause --for 1h nightly",
    ),
    ("leasectl resume -q nigh", "leasectl resume -q nightly"),
    // An option's value is no lease, and neither is what an option of another store has none of.
    (
        "leasectl status --prefix nigh",
        "leasectl status --prefix nigh",
    ),
    (
        "leasectl status --store file:///LAB/other oth",
        "leasectl status --store file:///LAB/other other-one",
    ),
    (
        "leasectl run --store=file:///LAB/other --lease oth",
        "leasectl run --store=file:///LAB/other --lease other-one",
    ),
    (
        "leasectl status --store file:///LAB/missing nigh",
        "leasectl status --store file:///LAB/missing nigh",
    ),
    (
        "leasectl status --store nonsense: nigh",
        "leasectl status --store nonsense: nigh",
    ),
    // A lease is no file.
    ("leasectl run --lease some-f", "leasectl run --lease some-f"),
    // After the dashes it is the command's turn.
    (
        "leasectl run --lease x -- some-c",
        "leasectl run --lease x -- some-command",
    ),
    (
        "leasectl run --lease x -- some-command some-f",
        "leasectl run --lease x -- some-command some-file",
    ),
    (
        "leasectl run --lease x -- some-command --lea",
        "leasectl run --lease x -- some-command --lea",
    ),
];

fn lab_with_things_to_find() -> Lab {
    let lab = Lab::new();
    fs::write(lab.path("some-file"), "").unwrap();
    let command = lab.path("bin/some-command");
    fs::write(&command, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&command, fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["nightly", "backup/db1", "odd:name=1"] {
        let run = lab.run(&mut lab.leasectl(["run", "--lease", name, "--", "true"]));
        run.expect_code(0);
    }
    let other = format!("file://{}", lab.path("other").display());
    let run = [
        "run",
        "--store",
        &other,
        "--lease",
        "other-one",
        "--",
        "true",
    ];
    lab.run(&mut lab.leasectl(run)).expect_code(0);
    lab
}

/// Prints the script for a shell into the file where that shell looks for it.
fn install(lab: &Lab, shell: &str, file: &str) {
    let path = lab.path(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let ended = lab.run(&mut lab.leasectl(["completions", shell]));
    let ended = ended.expect_code(0);
    assert_eq!(ended.stderr, "");
    fs::write(path, ended.stdout).unwrap();
}

/// What each line became in a shell on a terminal.
fn typed_into(lab: &Lab, shell: &[&str]) -> Vec<String> {
    let mut python = lab.command("python3");
    python.args(["-c", include_str!("shell.py")]);
    python.args(LINES.iter().map(|(typed, _)| in_lab(lab, typed)));
    python.arg("--").args(shell).env("TERM", "xterm");
    let ended = lab.run(&mut python).expect_code(0);
    ended.stdout.lines().map(ToOwned::to_owned).collect()
}

fn in_lab(lab: &Lab, line: &str) -> String {
    line.replace(
        "/LAB",
        lab.path("").display().to_string().trim_end_matches('/'),
    )
}

#[track_caller]
fn assert_completed(lab: &Lab, became: &[String]) {
    assert_eq!(became.len(), LINES.len(), "{became:#?}");
    for ((typed, expected), became) in LINES.iter().zip(became) {
        let became = became.trim_end_matches([' ', '=']);
        assert_eq!(became, in_lab(lab, expected), "after {typed:?} and TAB");
    }
    assert!(!lab.path("missing").exists());
}

fn bash_completes_what_is_typed() {
    needs("python3");
    needs("bash");
    let lab = lab_with_things_to_find();
    install(&lab, "bash", "leasectl.bash");
    let start = "source ./leasectl.bash\n\
                 note() { printf '%s\\n' \"$READLINE_LINE\" >>lines; READLINE_LINE=; READLINE_POINT=0; }\n\
                 bind -x '\"\\C-g\": note'\n\
                 PROMPT_COMMAND=': >ready'\n";
    fs::write(lab.path("start"), start).unwrap();
    let bash = ["bash", "--noprofile", "--rcfile", "start", "-i"];
    assert_completed(&lab, &typed_into(&lab, &bash));
}

fn zsh_completes_what_is_typed() {
    needs("python3");
    needs("zsh");
    let lab = lab_with_things_to_find();
    install(&lab, "zsh", "home/.zfunc/_leasectl");
    let start = "fpath+=~/.zfunc\n\
                 autoload -Uz compinit && compinit -u -D\n\
                 note() { print -r -- \"$BUFFER\" >>lines; BUFFER= }\n\
                 zle -N note\n\
                 bindkey '^G' note\n\
                 precmd() { : >ready }\n";
    fs::write(lab.path("home/.zshrc"), start).unwrap();
    assert_completed(&lab, &typed_into(&lab, &["zsh", "-d", "-i"]));
}

/// fish answers without a terminal: it lists what it would offer.
fn fish_completes_what_is_typed() {
    needs("fish");
    let lab = lab_with_things_to_find();
    install(&lab, "fish", "home/.config/fish/completions/leasectl.fish");
    let mut became = Vec::new();
    for (typed, _) in LINES {
        let typed = in_lab(&lab, typed);
        let mut fish = lab.command("fish");
        fish.args(["-c", "complete -C $argv[1]", &typed]);
        let ended = lab.run(&mut fish).expect_code(0);
        assert_eq!(ended.stderr, "", "{typed}");
        // One a line, with its description behind a tab; it stands for the last word.
        let offers: Vec<&str> = ended
            .stdout
            .lines()
            .filter_map(|line| line.split('\t').next())
            .collect();
        became.push(match (offers.as_slice(), typed.rsplit_once(' ')) {
            ([only], Some((before, _))) => format!("{before} {only}"),
            _ => typed,
        });
    }
    assert_completed(&lab, &became);
}
