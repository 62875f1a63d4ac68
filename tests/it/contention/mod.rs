//! Many who want one lease at once: nobody is let in beside another, whoever is killed, and everybody
//! gets a turn.

mod campaign;
mod contender;
mod cooldown;
mod counting;
mod course;
mod kills;
mod operators;
mod waiting;

use libtest_mimic::Trial;

pub(crate) use course::when_asked;

pub(crate) fn trials() -> Vec<Trial> {
    [
        cooldown::trials(),
        counting::trials(),
        course::trials(),
        kills::trials(),
        operators::trials(),
        waiting::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
