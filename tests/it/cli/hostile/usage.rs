//! What is missing on the command line, stands in the wrong place, or is unknown.

use super::{Row, options, prepared};

pub(super) const ROWS: &[Row] = &[
    // What is missing.
    prepared(
        "no verb",
        |lab| lab.leasectl::<&str>([]),
        125,
        "no verb was given; write leasectl run --lease NAME -- COMMAND",
    ),
    prepared(
        "an unknown verb",
        |lab| lab.leasectl(["rnu"]),
        125,
        "there is no verb \"rnu\"; write leasectl run --lease NAME -- COMMAND",
    ),
    prepared(
        "nothing after run",
        |lab| lab.leasectl(["run"]),
        125,
        "neither a lease nor a command was given; write leasectl run --lease NAME -- COMMAND",
    ),
    prepared(
        "no command",
        |lab| lab.leasectl(["run", "--lease", "x"]),
        125,
        "no command was given; write leasectl run --lease NAME -- COMMAND",
    ),
    prepared(
        "no command after the dashes",
        |lab| lab.leasectl(["run", "--lease", "x", "--"]),
        125,
        "no command was given; write leasectl run --lease NAME -- COMMAND",
    ),
    options(
        "no lease",
        &[],
        "no --lease was given; write leasectl run --lease NAME -- COMMAND",
    ),
    prepared(
        "no dashes",
        |lab| lab.leasectl(["run", "--lease", "x", "touch", "ran"]),
        125,
        "\"touch\" was not expected; a command goes after --; write: leasectl run --lease x -- touch \
            ran",
    ),
    prepared(
        "no dashes and a word in two",
        |lab| lab.leasectl(["run", "--lease", "a b", "touch", "it's"]),
        125,
        "\"touch\" was not expected; a command goes after --; write: leasectl run --lease 'a b' -- \
            touch 'it'\\''s'",
    ),
    prepared(
        "no dashes and a password",
        |lab| lab.leasectl(["run", "--lease", "x", "touch", "--password", "ran"]),
        125,
        "\"touch\" was not expected; a command goes after --: write leasectl run --lease NAME \
            -- COMMAND",
    ),
    prepared(
        "neither dashes nor a lease",
        |lab| lab.leasectl(["run", "touch", "ran"]),
        125,
        "\"touch\" was not expected; no --lease was given, and a command goes after --; write: \
            leasectl run --lease NAME -- touch ran",
    ),
    prepared(
        "a lease without its option",
        |lab| lab.leasectl(["run", "nightly", "--", "touch", "ran"]),
        125,
        "\"nightly\" was not expected; a lease is named by --lease; write: leasectl run --lease \
            nightly -- touch ran",
    ),
    prepared(
        "the lease after the command",
        |lab| lab.leasectl(["run", "touch", "--lease", "x", "ran"]),
        125,
        "\"touch\" was not expected; a command goes after --: write leasectl run --lease NAME \
            -- COMMAND",
    ),
    prepared(
        "options of run without run",
        |lab| lab.leasectl(["--lease", "x", "--", "touch", "ran"]),
        125,
        "no verb was given; write: leasectl run --lease x -- touch ran",
    ),
    prepared(
        "options of run without run and without dashes",
        |lab| lab.leasectl(["--lease", "x", "touch", "ran"]),
        125,
        "no verb was given; write leasectl run --lease NAME -- COMMAND",
    ),
    prepared(
        "nearly a verb",
        |lab| lab.leasectl(["completion", "bash"]),
        125,
        "there is no verb \"completion\"; did you mean completions?",
    ),
    options(
        "a time-out that may be either",
        &["--lease", "x", "--timeout", "5s"],
        "there is no option --timeout; write --wait DURATION for how long to wait for the lease, \
            --run-timeout DURATION for the longest run of the command",
    ),
    options(
        "a time-out that may be either, with a sign",
        &["--lease", "x", "--timeout=5"],
        "there is no option --timeout; write --wait DURATION for how long to wait for the lease, \
            --run-timeout DURATION for the longest run of the command",
    ),
    prepared(
        "no shell",
        |lab| lab.leasectl(["completions"]),
        125,
        "<SHELL> was not given; see leasectl completions --help",
    ),
    prepared(
        "an unknown shell",
        |lab| lab.leasectl(["completions", "tcsh"]),
        125,
        "<SHELL> \"tcsh\" cannot be used: it is one of bash, zsh, fish",
    ),
    prepared(
        "the page of an unknown verb",
        |lab| lab.leasectl(["man", "rnu"]),
        125,
        "there is no verb \"rnu\"; it is one of ...run...",
    ),
    prepared(
        "the pages of two verbs",
        |lab| lab.leasectl(["man", "run", "run"]),
        125,
        "\"run\" was not expected; see leasectl man --help",
    ),
    prepared(
        "an unknown option of another verb",
        |lab| lab.leasectl(["man", "--all"]),
        125,
        "there is no option --all; see leasectl man --help",
    ),
    options(
        "a value that was an empty variable",
        &["--lease"],
        "--lease has no value before --; is a variable empty? write leasectl run --lease NAME \
            -- COMMAND",
    ),
    options(
        "a duration that was an empty variable",
        &["--lease", "x", "--ttl"],
        "--ttl has no value before --; is a variable empty? write leasectl run --lease NAME \
            -- COMMAND",
    ),
    prepared(
        "an empty command",
        |lab| lab.leasectl(["run", "--lease", "x", "--", ""]),
        127,
        "\"\" was not found in any directory of PATH; nothing was run",
    )
    .leaves(X),
    // What is unknown, or too much.
    options(
        "an unknown option",
        &["--lease", "x", "--tll", "5s"],
        "there is no option --tll; did you mean --ttl?",
    ),
    options(
        "a wholly unknown option",
        &["--lease", "x", "--xyzzy"],
        "there is no option --xyzzy; see leasectl run --help",
    ),
    options(
        "an option twice",
        &["--lease", "x", "--lease", "y"],
        "--lease is given twice; give it once",
    ),
    options(
        "quiet and verbose",
        &["--lease", "x", "-q", "-v"],
        "--quiet and --verbose exclude each other; give one of them",
    ),
    options(
        "a value for a switch",
        &["--lease", "x", "--quiet=yes"],
        "--quiet takes no value; write only --quiet",
    ),
];

/// The files of lease `x`.
const X: &[&str] = &["x.lock", "x.record", "x.token"];
