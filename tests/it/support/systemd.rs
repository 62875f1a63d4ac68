//! A real systemd: the manager of a user's services, in namespaces and a cgroup of its own, so that it
//! runs where PID 1 is something else, and sees nothing of the machine's own units.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::lab::{Ended, Lab, PATIENCE, Running};
use super::needs::{needs, own_cgroup};
use super::processes::{comes_true, descendants, name, wait_until};

/// Makes the surroundings and starts the manager. systemd asks for `/run/systemd/system` to know that it
/// was booted, and has the first cgroup hierarchy that it finds for its own.
const START: &str = "set -e
    mount --make-rprivate /
    mount -t tmpfs none /run
    mkdir -p /run/systemd/system /run/user
    umount -R /sys/fs/cgroup || :
    mount -t cgroup2 none /sys/fs/cgroup
    systemd=/usr/lib/systemd/systemd
    test -x $systemd || systemd=/lib/systemd/systemd
    $systemd --user --unit=basic.target; :";

/// The manager. It goes with the value, and so does all that it started.
pub(crate) struct Systemd {
    pid: u32,
    cgroup: PathBuf,
    unshare: Running,
}

impl Systemd {
    /// Starts one that knows the units in the lab's `units`. Ends the test as ignored where it cannot be
    /// had.
    pub(crate) fn start(lab: &Lab) -> Self {
        ["root", "cgroup2", "pidns", "nsenter", "systemctl"]
            .iter()
            .for_each(|what| needs(what));
        let cgroup_name = lab.path("").file_name().unwrap().to_owned();
        let cgroup = own_cgroup().unwrap().join(cgroup_name);
        fs::create_dir(&cgroup).unwrap_or_else(|error| panic!("no cgroup: {error}"));
        let enter = "echo $$ >\"$CGROUP/cgroup.procs\"; exec unshare --mount --pid --cgroup --fork \
                     --mount-proc --kill-child sh -c \"$START\"";
        let mut command = lab.sh(enter);
        let units = format!("{}:/usr/lib/systemd/user", lab.path("units").display());
        command
            .env("CGROUP", &cgroup)
            .env("START", START)
            .env("XDG_RUNTIME_DIR", "/run/user")
            .env("SYSTEMD_UNIT_PATH", units)
            .env_remove("LEASECTL_STORE");
        let mut started = Self {
            pid: 0,
            cgroup,
            unshare: lab.spawn(&mut command),
        };
        let unshare = started.unshare.id();
        wait_until(PATIENCE, "systemd runs", || {
            let found = descendants(unshare)
                .into_iter()
                .find(|&pid| name(pid).as_deref() == Some("systemd"));
            started.pid = found.unwrap_or(0);
            found.is_some()
        });
        wait_until(PATIENCE, "systemd answers", || {
            started
                .systemctl(lab, &["is-active", "basic.target"])
                .code()
                == Some(0)
        });
        started
    }

    /// `systemctl --user ARGS`.
    pub(crate) fn systemctl(&self, lab: &Lab, args: &[&str]) -> Ended {
        let mut nsenter: Command = lab.command("nsenter");
        nsenter
            .args(["--target", &self.pid.to_string()])
            .args(["--mount", "--pid", "--cgroup", "systemctl", "--user"])
            .args(args)
            .env("XDG_RUNTIME_DIR", "/run/user");
        lab.run(&mut nsenter)
    }

    /// One property of a unit.
    pub(crate) fn show(&self, lab: &Lab, unit: &str, property: &str) -> String {
        let ended = self.systemctl(lab, &["show", "--value", "-p", property, unit]);
        ended.expect_code(0).stdout.trim_end().to_owned()
    }

    /// Waits until a property begins so; what it is then.
    #[track_caller]
    pub(crate) fn wait_for(&self, lab: &Lab, unit: &str, property: &str, start: &str) -> String {
        let mut last = String::new();
        let came = comes_true(PATIENCE, || {
            last = self.show(lab, unit, property);
            last.starts_with(start)
        });
        assert!(came, "{property} of {unit} is {last:?}, never {start:?}");
        last
    }

    /// The processes of a unit, those in cgroups below its own included, by their numbers here.
    pub(crate) fn processes(&self, lab: &Lab, unit: &str) -> Vec<(u32, PathBuf)> {
        let group = self.show(lab, unit, "ControlGroup");
        let mut found = Vec::new();
        collect(&self.cgroup.join(group.trim_start_matches('/')), &mut found);
        found
    }
}

fn collect(cgroup: &Path, found: &mut Vec<(u32, PathBuf)>) {
    let members = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    found.extend(
        members
            .lines()
            .map(|pid| (pid.parse().unwrap(), cgroup.to_owned())),
    );
    below(cgroup).iter().for_each(|child| collect(child, found));
}

fn below(cgroup: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(cgroup).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.is_dir()).collect()
}

fn remove(cgroup: &Path) {
    below(cgroup).iter().for_each(|child| remove(child));
    // One that is still in use is the machine's to keep; nothing runs in it for long.
    comes_true(Duration::from_secs(5), || fs::remove_dir(cgroup).is_ok());
}

impl Drop for Systemd {
    fn drop(&mut self) {
        fs::write(self.cgroup.join("cgroup.kill"), "1").ok();
        remove(&self.cgroup);
    }
}
