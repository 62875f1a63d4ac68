//! The only folder with `unsafe`: what the kernel offers and `nix` does not, wrapped once, here.
//!
//! Everything the guardian uses on its way to a SIGKILL (`reap`, `send`, `list_processes`,
//! `write_all`) allocates nothing and takes no lock (P11).

mod children;
mod descriptors;
mod errno;
mod processes;
mod program;
mod signals;

pub use children::Change;
pub(super) use children::{
    Fork, Reaped, exit_now, fork, fork_alone, fork_into, has_children, has_ended, reap,
};
pub(super) use descriptors::{
    receive_datagram, send_bytes, send_datagram, take_descriptor, write_all,
};
pub use descriptors::{rename_if_absent, watch};
use errno::check;
pub(super) use processes::list_processes;
pub(super) use program::{Image, c_text, overwrite_arguments};
pub(super) use signals::{
    Disposition, is_ignored, let_interrupt, pidfd_open, pidfd_send, send, send_group, send_self,
    set_disposition, sigchld_was_ignored, sigpipe_was_ignored, wake,
};

/// A process id, as the kernel counts them.
pub type Pid = i32;
