//! What happens, for programs: `leasectl.event/1` (INTERFACES, "Events").
//!
//! One line of JSON for each event, made from the same [`News`](super::run::News) that people are
//! told of. Nothing here decides or waits: a line that cannot be written at once is dropped, and the gap
//! in `seq` tells of it.

mod body;
mod line;
mod log;
mod stream;

pub use body::LogLevel;
pub use log::{EventLog, NOT_RENEWED};
pub use stream::{Heading, Stream};
