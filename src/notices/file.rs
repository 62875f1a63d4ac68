//! Notices out of a file that somebody else keeps: an agent of another cloud, an operator, a test. It has a
//! document as the metadata service answers it, and is replaced (renamed over) when something changes.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use nix::libc::O_NONBLOCK;
use nix::unistd::geteuid;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::differ::Differ;
use super::document::{LARGEST_DOCUMENT, Names, parse};
use super::source::{News, NotApproved, NoticeSource};
use crate::clock::{BootClock, Clock, Instant};

/// How often the file is looked at. Longer eats into the half minute that a Preempt gives; shorter costs.
const LOOK: Duration = Duration::from_secs(1);

/// Tells what a file says.
#[derive(Debug)]
pub struct FileSource {
    path: PathBuf,
    names: Names,
    look: Interval,
    differ: Differ,
    seen: Option<Vec<u8>>,
    good_at: Option<Instant>,
    incarnation: Option<i64>,
    told: Vec<String>,
    waiting: std::collections::VecDeque<News>,
}

impl FileSource {
    /// Looks at this file, for the machine of these names. Call inside the runtime.
    #[must_use]
    pub fn new(path: PathBuf, names: Names) -> Self {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            path,
            names,
            look,
            differ: Differ::default(),
            seen: None,
            good_at: None,
            incarnation: None,
            told: Vec::new(),
            waiting: std::collections::VecDeque::new(),
        }
    }

    fn look(&mut self) {
        let at = BootClock.now();
        let bytes = match read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) => return self.warn(error.to_string()),
        };
        if self.seen.as_ref() != Some(&bytes) {
            match parse(&bytes, &self.names) {
                Ok(document) => {
                    for warning in &document.warnings {
                        self.warn(warning.clone());
                    }
                    let first = self.good_at.is_none();
                    self.incarnation = document.incarnation;
                    let updates = self.differ.take(&document);
                    if first || !updates.is_empty() {
                        self.waiting.push_back(News::Updates(updates));
                    }
                    self.seen = Some(bytes);
                }
                // Whoever writes it in place is caught in the middle: the next look sees the rest.
                Err(error) => return self.warn(format!("it has no notices: {error}")),
            }
        }
        self.good_at = Some(at);
    }

    fn warn(&mut self, why: String) {
        if !self.told.contains(&why) {
            let path = self.path.display().to_string();
            let text = format!("the scheduled events in {path:?} are not all known: {why}");
            self.waiting.push_back(News::Warning(text));
            self.told.push(why);
        }
    }
}

#[async_trait]
impl NoticeSource for FileSource {
    async fn next(&mut self) -> News {
        loop {
            if let Some(news) = self.waiting.pop_front() {
                return news;
            }
            self.look.tick().await;
            self.look();
        }
    }

    fn good_at(&self) -> Option<Instant> {
        self.good_at
    }

    fn machine(&self) -> Option<String> {
        self.names.first().map(ToOwned::to_owned)
    }

    fn incarnation(&self) -> Option<i64> {
        self.incarnation
    }

    async fn approve(&mut self, _ids: &[String]) -> Result<(), NotApproved> {
        Err(NotApproved::Impossible)
    }
}

/// Reads a file that only root or we may write: whoever writes it stops our commands.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a fifo for reading would wait for a writer.
    let file = File::options()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(path)?;
    let stat = file.metadata()?;
    let refused = |why: &str| Err(io::Error::other(why.to_owned()));
    if !stat.is_file() {
        return refused("it is not a regular file");
    }
    if stat.uid() != 0 && stat.uid() != geteuid().as_raw() {
        return refused("it belongs to another user; it has to be root's or yours");
    }
    if stat.mode() & 0o022 != 0 {
        return refused("others may write it; take that right away from group and others");
    }
    let most = u64::try_from(LARGEST_DOCUMENT).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::notices::Change;

    const NONE: &str = "{\"Events\":[]}";
    const ONE: &str = "{\"Events\":[{\"EventId\":\"a\",\"Resources\":[\"web_0\"]}]}";

    /// A file in a directory of its own, replaced as a whole.
    struct Announced(tempfile::TempDir);

    impl Announced {
        fn path(&self) -> PathBuf {
            self.0.path().join("events")
        }

        fn put(&self, text: &str) {
            let new = self.0.path().join("new");
            fs::write(&new, text).unwrap();
            fs::rename(new, self.path()).unwrap();
        }
    }

    fn run<T>(test: impl AsyncFnOnce(Announced, FileSource) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let file = Announced(tempfile::tempdir().unwrap());
        runtime.block_on(async {
            let names = Names::new(["web_0".to_owned()]);
            let source = FileSource::new(file.path(), names);
            test(file, source).await
        })
    }

    fn changes(news: News) -> Vec<Change> {
        match news {
            News::Updates(updates) => updates.into_iter().map(|update| update.change).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_tells_what_becomes_of_events() {
        run(async |file: Announced, mut source: FileSource| {
            file.put(NONE);
            assert_eq!(source.good_at(), None);
            // The first good document is news, even an empty one.
            assert_eq!(changes(source.next().await), []);
            assert!(source.good_at().is_some());
            file.put(ONE);
            assert_eq!(changes(source.next().await), [Change::Appeared]);
            file.put(NONE);
            assert_eq!(changes(source.next().await), [Change::Gone]);
            assert_eq!(source.machine().as_deref(), Some("web_0"));
            let approved = source.approve(&["a".to_owned()]).await;
            assert_eq!(approved, Err(NotApproved::Impossible));
        });
    }

    #[test]
    fn a_file_that_cannot_be_believed_is_one_warning_and_no_end() {
        run(async |file: Announced, mut source: FileSource| {
            let warning = source.next().await;
            assert!(matches!(warning, News::Warning(_)), "{warning:?}");
            file.put(ONE);
            fs::set_permissions(file.path(), fs::Permissions::from_mode(0o666)).unwrap();
            let News::Warning(why) = source.next().await else {
                panic!("it was believed");
            };
            assert!(why.contains("others may write it"), "{why}");
            assert_eq!(source.good_at(), None);
            file.put("{\"Events\":[{\"Ev");
            assert!(matches!(source.next().await, News::Warning(_)));
            file.put(ONE);
            assert_eq!(changes(source.next().await), [Change::Appeared]);
            // Half a document is no reason to believe that an event is gone.
            file.put("{");
            assert!(matches!(source.next().await, News::Warning(_)));
            file.put(NONE);
            assert_eq!(changes(source.next().await), [Change::Gone]);
        });
    }
}
