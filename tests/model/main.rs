//! The lease protocol as a small machine, every history of it within bounds: not some, as in `tests/simulation`,
//! but of a protocol that is written here once more and not of the code.
//!
//! Modelled: two or three machines, each with an own clock that may miss one tick in every ttl; take-over after
//! expiry by the store's clock; owner ids and fencing tokens; requests and answers that are lost, delayed as long
//! as one likes, overtaken and doubled; attempts that are given up at any time; the deadline counted from the
//! request; a guardian that stops at one tick before the end and has killed at the end; release after the tree's
//! end; withdrawal; SIGKILL of the front at any time (the guardian goes on); a front that does nothing; a power
//! failure (that is the front's end and the tree's); suspend and waking too late; a store that loses its data
//! once, keeps its tokens and grants nothing for one ttl.
//!
//! Not modelled: time finer than a tick, queues of waiters, operators (stop, pause, force), grace, restart of the
//! command, a guardian that is killed or stopped, a store whose clock jumps.
//!
//! ```sh
//! cargo test --test model                                                     what CI explores
//! LEASECTL_MODEL="machines=3 messages=3" cargo test --release --test model    as far as memory goes
//! ```

#![expect(
    clippy::expect_used,
    reason = "all of this is tests, which clippy cannot see without `#[test]`"
)]

mod answers;
mod bounds;
mod checker;
mod mistakes;
mod properties;
mod protocol;
mod state;

use std::process::ExitCode;
use std::time::Instant;

use libtest_mimic::{Arguments, Trial};

use bounds::Bounds;
use checker::explore;
use mistakes::Mistake;
use properties::Broken;
use protocol::Protocol;

fn main() -> ExitCode {
    let mut trials = vec![Trial::test("model::every_promise_is_kept", || {
        every_promise_is_kept();
        Ok(())
    })];
    for mistake in mistakes::ALL {
        let name = format!("model::has_a_counterexample::{mistake:?}");
        trials.push(Trial::test(name, move || {
            has_a_counterexample(mistake);
            Ok(())
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn every_promise_is_kept() {
    let protocol = Protocol {
        bounds: Bounds::from_environment(),
        mistake: None,
    };
    let started = Instant::now();
    let explored = explore(&protocol, &Broken::ALL);
    println!(
        "{:?}: {} states, {} steps, depth {}, {} s",
        protocol.bounds,
        explored.states,
        explored.steps,
        explored.depth,
        started.elapsed().as_secs()
    );
    if let Some((broken, steps)) = explored.counterexample {
        panic!("{broken} after {} steps: {steps:#?}", steps.len());
    }
    let missing = explored.seen.missing();
    assert!(missing.is_empty(), "INVALID: never happened: {missing:?}");
}

/// What a mistake has to break.
const fn breaks(mistake: Mistake) -> Broken {
    match mistake {
        Mistake::TokenNotDurable => Broken::TokenTwice,
        Mistake::Regained => Broken::Regained,
        _ => Broken::Overlap,
    }
}

fn has_a_counterexample(mistake: Mistake) {
    let protocol = Protocol {
        bounds: Bounds::FOR_MISTAKES,
        mistake: Some(mistake),
    };
    let explored = explore(&protocol, &[breaks(mistake)]);
    let (broken, steps) = explored
        .counterexample
        .expect("no counterexample: the model cannot see this mistake");
    println!(
        "{mistake:?}: {broken} after {} steps, in {} states",
        steps.len(),
        explored.states
    );
    for (action, _) in steps {
        println!("    {action:?}");
    }
}
