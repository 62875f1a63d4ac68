//! Many who want one lease at once: nobody is let in beside another, whoever is killed, and everybody
//! gets a turn.

mod campaign;
mod contender;
mod counting;
mod course;
mod kills;

use libtest_mimic::Trial;

pub(crate) use course::when_asked;

pub(crate) fn trials() -> Vec<Trial> {
    [counting::trials(), course::trials(), kills::trials()]
        .into_iter()
        .flatten()
        .collect()
}
