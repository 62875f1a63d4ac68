//! Many who want one lease at once: nobody is let in beside another, whoever is killed, and everybody
//! gets a turn.

mod counting;
mod course;

use libtest_mimic::Trial;

pub(crate) use course::when_asked;

pub(crate) fn trials() -> Vec<Trial> {
    [counting::trials(), course::trials()]
        .into_iter()
        .flatten()
        .collect()
}
