//! Looking disturbs nobody: not one acquisition is refused because somebody looked.

use libtest_mimic::Trial;

use super::{holder, ran};
use crate::support::lab::{LEASECTL, Lab, PATIENCE};
use crate::support::needs::needs;
use crate::support::witness::Witness;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        a_thousand_looks_refuse_nobody,
        a_look_takes_no_lock_and_makes_no_file,
    ]
}

/// A thousand looks, in every form, at the leases that are fought for.
const LOOKS: &str = "n=0
while [ $n -lt 100 ]; do
    leasectl status || exit 1
    leasectl status alone || exit 1
    leasectl status --json || exit 1
    leasectl status --prometheus || exit 1
    leasectl status --by-holder || exit 1
    for lease in alone fought; do
        leasectl status $lease --check; [ $? -le 1 ] || exit 1
        leasectl status $lease >/dev/null || exit 1
    done
    leasectl status --watch --count 1 || exit 1
    n=$((n + 1))
done >/dev/null
touch looked";

fn a_thousand_looks_refuse_nobody() {
    let lab = Lab::new();
    // Nobody else wants it: whoever is refused was refused because of a look.
    let alone = "n=0
        while ! [ -e looked ]; do leasectl run --lease alone -E 77 -- true || exit 1; n=$((n + 1)); done
        echo $n";
    let alone = lab.spawn(&mut lab.sh(alone));
    let witness = Witness::new(lab.path("witness"));
    let fought = "while ! [ -e looked ]; do
            leasectl run -q --lease fought --wait 1m -- \"$@\" || exit 1
        done";
    let fighters: Vec<_> = (0..3)
        .map(|_| {
            let mut sh = lab.sh(fought);
            sh.arg("sh").args(witness.over(["true"]));
            lab.spawn(&mut sh)
        })
        .collect();
    let looks = lab.spawn(&mut lab.sh(LOOKS));
    let ended = looks.wait(PATIENCE * 5).expect_code(0);
    assert_eq!(ended.stderr, "", "{ended}");
    let ended = alone.wait(PATIENCE).expect_code(0);
    assert_eq!(ended.stderr, "", "{ended}");
    let runs: u32 = ended.stdout.trim().parse().unwrap();
    assert!(runs >= 100, "only {runs} acquisitions met the looks");
    for fighter in fighters {
        fighter.wait(PATIENCE).expect_code(0);
    }
    assert_eq!(witness.overlaps(), [""; 0]);
}

fn a_look_takes_no_lock_and_makes_no_file() {
    needs("strace");
    let lab = Lab::new();
    ran(&lab, "a", &[], "true").expect_code(0);
    let _held = holder(&lab, "b", &[]);
    for words in ["", "a b", "--json", "--prometheus", "b --check --here"] {
        let script = format!(
            "exec strace -f -o trace -e trace=fcntl,openat,mkdir,mkdirat,rename,renameat2,unlinkat,flock \
             {LEASECTL} status {words}"
        );
        lab.run(&mut lab.sh(&script)).expect_code(0);
        let trace = lab.read("trace");
        assert!(trace.contains("F_OFD_GETLK"), "{words}: {trace}");
        for forbidden in [
            "F_OFD_SETLK",
            "F_SETLK",
            "flock(",
            "mkdir",
            "rename",
            "unlink",
            "O_CREAT",
            "O_RDWR",
            "O_WRONLY",
        ] {
            assert!(
                !trace.contains(forbidden),
                "{words}: {forbidden} in {trace}"
            );
        }
    }
}
