//! What programs are told: `--events`, and the messages of `--log-format json`.

mod kinds;
mod log;
mod stream;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [kinds::trials(), log::trials(), stream::trials()]
        .into_iter()
        .flatten()
        .collect()
}
