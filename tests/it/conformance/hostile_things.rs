//! What somebody may put in the place of a lease's files.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};

pub(super) fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// What the error says of a hostile thing, and how to put it there.
pub(super) type Thing = (&'static str, Box<dyn Fn()>);

/// Puts each hostile thing under `file`; what it is called and what the error says of it.
pub(super) fn hostile(path: &Path, file: &str) -> Vec<Thing> {
    let file = path.join(file);
    let aside = path.join("aside");
    let put = move |make: fn(&Path, &Path)| -> Box<dyn Fn()> {
        let (file, aside) = (file.clone(), aside.clone());
        Box::new(move || make(&file, &aside))
    };
    let mut things = vec![
        (
            "symbolic link",
            put(|file, aside| symlink(aside, file).unwrap()),
        ),
        (
            "no regular file",
            put(|file, _| mkfifo(file, Mode::S_IRWXU).unwrap()),
        ),
        ("directory", put(|file, _| fs::create_dir(file).unwrap())),
        (
            "2 names",
            put(|file, aside| {
                fs::write(aside, "").unwrap();
                chmod(aside, 0o600);
                fs::hard_link(aside, file).unwrap();
            }),
        ),
        (
            "mode 0644",
            put(|file, _| {
                fs::write(file, "").unwrap();
                chmod(file, 0o644);
            }),
        ),
    ];
    if geteuid().is_root() {
        let foreign = put(|file, _| {
            fs::write(file, "").unwrap();
            chmod(file, 0o600);
            chown(file, Some(4711), None).unwrap();
        });
        things.push(("user 4711", foreign));
    }
    things
}

pub(super) fn clear(path: &Path) {
    for entry in path.read_dir().unwrap() {
        let path = entry.unwrap().path();
        fs::remove_file(&path)
            .or_else(|_| fs::remove_dir(&path))
            .unwrap();
    }
}
