//! From a plain function to a named test that can end in "ignored, because ...".

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use libtest_mimic::{Completion, Failed, Trial};

use super::alone::among_others;
use super::needs::Missing;
use super::times;

/// The tests of a module, by the names of their functions: `trials![first, second]`.
macro_rules! trials {
    ($($name:ident),* $(,)?) => {
        vec![$($crate::support::trial::trial(
            concat!(module_path!(), "::", stringify!($name)),
            $name,
        )),*]
    };
}

/// One test. `path` is its full path; the name of the crate is left out.
///
/// Tests that are made in a loop (one per store and statement) call this with a name of their own:
/// `trial(&format!("it::conformance::{store}::{statement}"), move || check(store))`.
pub(crate) fn trial(path: &str, body: impl FnOnce() + Send + 'static) -> Trial {
    let name = path.split_once("::").map_or(path, |(_, rest)| rest);
    let told = name.to_owned();
    Trial::ignorable_test(name, move || {
        let began = Instant::now();
        let finished = finish(body);
        times::note(&told, began.elapsed());
        finished
    })
}

/// Runs the body. A panic that carries [`Missing`] is not a failure but a test that cannot run here.
fn finish(body: impl FnOnce()) -> Result<Completion, Failed> {
    let Err(payload) = among_others(|| catch_unwind(AssertUnwindSafe(body))) else {
        return Ok(Completion::Completed);
    };
    match payload.downcast::<Missing>() {
        Ok(missing) => Ok(Completion::ignored_with(missing)),
        // The panic has been reported; the harness counts it.
        Err(payload) => resume_unwind(payload),
    }
}
