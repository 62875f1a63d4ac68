//! What is said when the machine is about to go away.

use super::phrases::Told;
use super::printable;
use crate::commands::events::LogLevel;
use crate::commands::run::News;
use crate::notices::{Change, Notice};

/// That it is, and because of which event.
pub(super) fn about_to_go(event: Option<&Notice>) -> String {
    let what = event.map_or_else(String::new, |event| format!(" ({})", in_words(event)));
    format!("this machine is about to go away{what}")
}

/// Its type, when, and by what name.
fn in_words(event: &Notice) -> String {
    let kind = printable(&event.event_type);
    let id = printable(&event.id);
    let when = match event.not_before {
        _ if event.has_started() => " has started".to_owned(),
        Some(at) => format!(" at {at}"),
        None => " at any moment".to_owned(),
    };
    format!("{kind}{when}, event {id}")
}

/// What is heard of the machine.
pub(super) fn of_the_machine(news: &News<'_>) -> Told {
    Some(match news {
        News::ScheduledEvent { update, ahead } => {
            let event = in_words(&update.notice);
            let text = match (&update.change, ahead) {
                (Change::Gone, _) => format!("no longer announced: {event}"),
                (Change::Appeared | Change::Changed(_), true) => {
                    let text = format!("announced for this machine: {event}");
                    return Some((LogLevel::Info, text));
                }
                (change, _) => format!("{}: {event}", change.word()),
            };
            (LogLevel::Debug, text)
        }
        News::Notices { role, why } => {
            let text = format!("scheduled events: {} ({})", role.word(), printable(why));
            (LogLevel::Debug, text)
        }
        News::NoticesDoubtful { why, again: true } => (LogLevel::Debug, (*why).to_owned()),
        News::NoticesDoubtful { why, again: false } => (LogLevel::Warn, (*why).to_owned()),
        News::NoticesSilent => {
            let text = "nobody has said yet whether this machine is about to go away (scheduled events); \
                        going on without knowing, and still asking";
            (LogLevel::Warn, text.to_owned())
        }
        _ => return None,
    })
}
