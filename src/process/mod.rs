//! Front, guardian and command: who starts, signals, reaps and kills whom (DESIGN section 3).
//!
//! ```text
//! leasectl (front)      terminal, signals, store client, renewal
//!    └─ lease-guard     the guardian: parent and reaper of the command, kills on time
//!         └─ command    and its whole tree, daemons included
//! ```
//!
//! [`Guard::fork`] splits off the guardian, [`Front`] talks to it. All `unsafe` is in `sys/`.

mod alarm;
mod background;
mod birth;
mod cgroup;
mod channel;
mod charge;
mod event;
mod execution;
mod front;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod guard;
mod guardian;
mod heartbeat;
mod hook;
pub mod identity;
mod message;
mod orders;
mod outbox;
mod outlet;
mod service_manager;
mod signals;
mod sleeper;
mod survivor;
mod sweep;
mod sys;
mod terminal;
mod tree;

pub use alarm::Alarm;
pub use background::{Parted, Parting, keep_output_clean, part};
pub use cgroup::why_no_cgroup;
pub use charge::Charge;
pub use event::FrontEvent;
pub use front::Front;
pub use guard::{
    Containment, Guard, Guarded, HookImage, Subject, has_terminal, proc_is_ours,
    somebody_can_continue_us,
};
pub use outlet::{LONGEST_LINE, Outlet, nobody_reads};
pub use service_manager::{NotTold, NotifySocket, ServiceManager, Told};
pub use signals::{
    Heard, InheritedSignals, JobControl, SignalName, SignalStream, ask_ourselves_to_stop, die_of,
    end_ourselves, leave_no_core, name_of, stop_as_asked, stop_ourselves,
};
pub use sleeper::Sleeper;
pub use survivor::Survivor;
pub use sys::{Change, Pid, rename_if_absent, watch};
