//! What is said of each verb below its options, written once: `--help` prints it as it stands, and
//! `man_page.rs` makes the sections of the man page from it.
//!
//! The form: a line that ends in a colon and is not indented opens a section. Below it, by two spaces,
//! stand paragraphs, or a term, two spaces or more, and its meaning, which may go on further to the
//! right; by four spaces, what is typed.

/// Below `leasectl --help`.
pub(super) const LEASECTL: &str = "\
Exit codes:
  0    what was asked for was printed
  125  wrong usage, or it could not be printed
  The verb run passes the command's own code through, and has codes of its own.

Examples:
  Run a job; while it runs, a second start is refused:
    leasectl run --lease nightly -- ./job.sh
  See what an option does:
    leasectl run --help";

/// Below `leasectl run -h`.
pub(super) const RUN_HINT: &str = "\
Durations are written 30s, 5m, 1h30m. Exit codes, examples and more: --help";

/// Below `leasectl run --help`.
pub(super) const RUN: &str = "\
Exit codes:
  The command's own is passed through; killed by signal n: leasectl dies of n too. Otherwise:
  118  the machine is about to go away (--scheduled-events): handed over and the command was stopped,
       or nothing was run
  119  handed over: an operator asked for the lease (leasectl release); the command was stopped
  120  refused: held, paused or in its minimum hold; nothing was run (--held-exit-code changes it)
  121  lease lost or not renewed in time, or the guardian died; the command was stopped
  122  the command's processes could not be shown dead; the lease is left to run out
  123  store unreachable; nothing was run
  124  --run-timeout reached; the command was stopped
  125  usage, configuration, permission, a failed --on-acquired, or an internal error before the
       command started
  126  command not executable
  127  command not found

Environment:
  LEASECTL_STORE        the store's URL, when no option says which; a password is allowed
  LEASECTL_STORE_FILE   a file with that URL instead
  LEASECTL_CONFIG       the configuration, instead of the two files that are read otherwise
  The command gets all three, but of a URL never the password, and also:
  LEASECTL_LEASE        the name of the lease
  LEASECTL_TOKEN        its fencing token. It rises with every holder: have what you write to
                        refuse a lower one
  LEASECTL_HOLDER       who holds it, as label:pid
  LEASECTL_STORE_LABEL  the store, without credentials
  Hooks get these as well, and where it applies:
  LEASECTL_EVENT        acquired, doubt, lost or released
  LEASECTL_REASON       why the lease was lost
  LEASECTL_REMAINING_S  seconds until the command is stopped (doubt)
  LEASECTL_OUTCOME      how it ended (lost, released)
  LEASECTL_EXIT_CODE    the command's exit code

Files:
  /etc/leasectl/config.toml       settings of this machine (leasectl config)
  ~/.config/leasectl/config.toml  settings of this user, which go before those
  /var/lib/leasectl               the leases of root, when no store is chosen
  ~/.local/state/leasectl         those of another user; $XDG_STATE_HOME/leasectl when that is set

Examples:
  Run a job; while it runs, a second start gets exit code 120:
    leasectl run --lease nightly -- ./job.sh
  From cron: silent when it is held, and not again within ten minutes:
    leasectl run --lease nightly -E 0 --min-hold 10m -- ./job.sh
  Wait for the lease, and stop a command that hangs:
    leasectl run --lease deploy --wait 5m --run-timeout 1h -- ./deploy.sh
  A pipeline needs a shell:
    leasectl run --lease report -- sh -c './extract | ./load'";

/// Below `leasectl hold -h`.
pub(super) const HOLD_HINT: &str = "\
Durations are written 30s, 5m, 1h30m. Exit codes, examples and more: --help";

/// Below `leasectl hold --help`.
pub(super) const HOLD: &str = "\
Exit codes:
  0    held, and given back: after a signal, --for, or the end of --pid or of input
  118  the machine is about to go away (--scheduled-events): handed over and --pid was stopped, or
       nothing was held
  119  handed over: an operator asked for the lease (leasectl release); --pid was stopped
  120  refused: held, paused or in its minimum hold (--held-exit-code changes it), or nobody needed it
       any more while it was waited for
  121  lease lost or not renewed in time, or the guardian died; --pid was stopped
  122  --pid could not be shown dead; the lease is left to run out
  123  store unreachable; nothing is held
  125  usage, configuration, permission, or a failed --on-acquired
  A signal that ends the wait for the lease: leasectl dies of it, and nothing was held.

Environment:
  LEASECTL_STORE        the store's URL, when no option says which; a password is allowed
  LEASECTL_STORE_FILE   a file with that URL instead
  LEASECTL_CONFIG       the configuration, instead of the two files that are read otherwise
  With --background these are assigned by eval; export what your programs need:
  LEASECTL_LEASE        the name of the lease
  LEASECTL_TOKEN        its fencing token. It rises with every holder: have what you write to
                        refuse a lower one
  LEASECTL_HOLD_PID     the process that holds it: kill $LEASECTL_HOLD_PID gives it back

Examples:
  A section of a script; it is given back when the script ends, however it ends:
    eval \"$(leasectl hold --background --pid $$ --lease deploy)\"
  Give it back sooner:
    kill $LEASECTL_HOLD_PID
  A coprocess of bash, until its input is closed:
    coproc leasectl hold --lease deploy --pid $$ --until-eof
    read -r line <&\"${COPROC[0]}\" || exit 120
  At a terminal, until Ctrl-C:
    leasectl hold --lease nightly --note 'alice looks at the data'";

/// Below `leasectl status -h`.
pub(super) const STATUS_HINT: &str = "\
What the states mean, exit codes, examples and more: --help";

/// Below `leasectl status --help`.
pub(super) const STATUS: &str = "\
States:
  held      somebody has it
  free      nobody has it, and it can be had
  cooldown  nobody has it, and its minimum hold (run --min-hold) keeps everyone out
  paused    nobody has it, and an operator keeps everyone out (leasectl pause)
  With a question mark it may be wrong: this user may not look at what decides.

Exit codes:
  0    shown; with --check: held; with --until: it is so
  1    with --check: not held
  123  store unreachable; with --check: it cannot be told, and the reason is printed
  125  usage, configuration or permission

Examples:
  Everything there is, and one lease:
    leasectl status
    leasectl status nightly
  In a script:
    if leasectl status nightly --check; then echo busy; fi
  Wait until somebody else is done:
    leasectl status nightly --watch --until free >/dev/null
  A line whenever a holder is gone without having given its lease back:
    leasectl status --watch --only lost,expired
  From cron, for node_exporter:
    leasectl status --prometheus >leases.tmp && mv leases.tmp leases.prom";

/// Below `leasectl release --help`.
pub(super) const RELEASE: &str = "\
Exit codes:
  0    nobody holds it, or the one who was asked holds it no longer; perhaps the next one does
  120  still held when --wait ran out, or by another than --token
  123  store unreachable
  125  usage, configuration or permission, or the store takes nothing away (--force)

Examples:
  Take a job over:
    leasectl release nightly --reason 'moving it to web4'
  Stop it everywhere, until it is resumed:
    leasectl pause nightly && leasectl release nightly
  A holder that is cut off for good, in a store that can take a lease away:
    leasectl release nightly --force --token 1795224758205";

/// Below `leasectl scheduled-events -h`.
pub(super) const SCHEDULED_EVENTS_HINT: &str = "\
Exit codes, environment, files and examples: --help";

/// Below `leasectl scheduled-events --help`.
pub(super) const SCHEDULED_EVENTS: &str = "\
Exit codes:
  0    it was listed, watched, or approved
  123  the metadata service cannot be reached, or gave no answer that can be used
  125  usage, or the service refused to approve

Approving:
  ack lets an event begin before its time: the service is told that it need not wait. That counts for all
  resources of the event, not only for this machine. ack --all approves the events of this machine that
  --types and --min-duration let through; with --all-resources also those of others.

Sharing:
  Root's poller keeps its cache in /run/leasectl/scheduled-events, and it serves all users. While there is
  none, each user's processes share ~/.local/state/leasectl/scheduled-events.

Examples:
  What is announced for this machine:
    leasectl scheduled-events
  For everybody in the set, as JSON:
    leasectl scheduled-events list --all-resources --json
  Drain before an eviction:
    leasectl scheduled-events watch --types preempt --exec ./drain.sh
  Let the events of this machine begin now:
    leasectl scheduled-events ack --all";

/// Below `leasectl pause --help`.
pub(super) const PAUSE: &str = "\
Exit codes:
  0    all of them are paused
  123  store unreachable
  125  usage, configuration or permission
  With several names, each is tried; the code is that of the first that failed.

Examples:
  For half an hour, and who is refused is told why:
    leasectl pause nightly backup --for 30m --reason 'disk, ask alice'
  Until somebody resumes it:
    leasectl pause nightly";

/// Below `leasectl resume --help`.
pub(super) const RESUME: &str = "\
Exit codes:
  0    none of them is paused or in a minimum hold
  123  store unreachable
  125  usage, configuration or permission
  With several names, each is tried; the code is that of the first that failed.

Examples:
  After maintenance:
    leasectl resume nightly backup/db1";

/// Below `leasectl config --help`.
pub(super) const CONFIG: &str = "\
Settings:
  A key is a long option of run, with _ for -. What is typed goes before the environment, that before the
  files, and those before the defaults. Of the files the first [[lease]] whose match fits goes before
  [defaults], and the file of the user before that of the machine. A lease, a command and what is for one
  call (--force, --pid) cannot be configured.

Exit codes:
  0    the settings were printed
  125  usage, or a file is wrong; the line says where

Environment:
  LEASECTL_STORE        the store's URL, when no option says which; a password is allowed
  LEASECTL_STORE_FILE   a file with that URL instead
  LEASECTL_CONFIG       the configuration, instead of the two files that are read otherwise

Files:
  /etc/leasectl/config.toml       settings of this machine
  ~/.config/leasectl/config.toml  settings of this user, which go before those

Examples:
  See what holds for a lease:
    leasectl config backup/db1
  Check a file before it is installed:
    leasectl config --config new.toml";

/// Below `leasectl doctor --help`.
pub(super) const DOCTOR: &str = "\
What is examined:
  store         what it promises, and what breaks exclusion all the same
  server        how it is set, where there is one, as far as it lets us read that
  live check    a lease of its own, through its whole life; no other is touched
  this machine  how a command is kept together, the clocks, and who asks for scheduled events

How it is rated:
  ok    as promised
  weak  it works, but not for everything, or not as well as it could; what to do is said
  BAD   a promise is not kept; what to do is said

Exit codes:
  0    nothing is BAD
  123  the store is unreachable, or answers otherwise than it promises
  125  a setting or a permission is missing, or this machine does not keep what is promised

Examples:
  Before the first job of a new machine:
    leasectl doctor
  The store of the fleet, as the user that will run the job:
    sudo -u app leasectl doctor --store-file /etc/leasectl/store";

/// Below `leasectl completions --help`.
pub(super) const COMPLETIONS: &str = "\
Files:
  bash  ~/.local/share/bash-completion/completions/leasectl, where the package bash-completion is
        installed; elsewhere any file, with \"source FILE\" in ~/.bashrc
  zsh   ~/.zfunc/_leasectl, with \"fpath+=~/.zfunc\" in ~/.zshrc above compinit
  fish  ~/.config/fish/completions/leasectl.fish

Examples:
  For fish:
    leasectl completions fish >~/.config/fish/completions/leasectl.fish
  For this bash alone:
    source <(leasectl completions bash)";

/// Below `leasectl man --help`.
pub(super) const MAN: &str = "\
Examples:
  Read a page without installing it:
    leasectl man run | man -l -
  Install it for everyone:
    leasectl man run >/usr/local/share/man/man1/leasectl-run.1";
