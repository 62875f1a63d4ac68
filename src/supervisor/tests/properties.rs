//! The promises, over random runs.
//!
//! `PROPTEST_CASES` says how many (CI: 100,000). What each promise is checked against stands in
//! `checks.rs`, `orders.rs` and `endings.rs`, and is computed from what the world saw, never from what the machine says.

use std::cell::RefCell;

use proptest::collection::vec;
use proptest::num::u32::ANY;
use proptest::test_runner::{Config, TestRunner};

use super::coverage::Coverage;
use super::world::World;

const LOCAL_CASES: u32 = 4_000;

#[test]
fn the_promises_hold_whatever_happens_and_whenever() {
    let asked = std::env::var("PROPTEST_CASES");
    let cases = asked.map_or(LOCAL_CASES, |text| text.parse().unwrap());
    let coverage = RefCell::new(Coverage::new());
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&(ANY, vec(ANY, 0..48)), |(choice, moves)| {
        World::new(choice, &mut coverage.borrow_mut()).play(&moves);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    // The rarest branch is met five times as often: chance alone does not fail this.
    let missing = coverage.borrow().missing(u64::from(cases / 1_000));
    assert!(missing.is_empty(), "hardly ever reached: {missing:?}");
}
