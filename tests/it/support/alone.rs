//! Tests that want the machine for themselves: a storm would make every other test wait, and what is
//! measured beside other work says little.

use std::cell::RefCell;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Shared by the tests that run, for one alone when it asks.
static MACHINE: RwLock<()> = RwLock::new(());

thread_local! {
    static AMONG_OTHERS: RefCell<Option<RwLockReadGuard<'static, ()>>> = const { RefCell::new(None) };
}

/// Runs a test beside others, unless it asks for more.
pub(super) fn among_others<T>(test: impl FnOnce() -> T) -> T {
    // A test that failed has said so itself.
    let shared = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
    AMONG_OTHERS.set(Some(shared));
    let done = test();
    AMONG_OTHERS.take();
    done
}

/// Waits until no other test runs, and keeps them waiting. To be called first in a test, on its own thread.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    AMONG_OTHERS.take();
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}
