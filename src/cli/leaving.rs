//! What is said when the machine is about to go away.

use super::phrases::Told;
use super::{printable, quoted};
use crate::commands::events::LogLevel;
use crate::commands::run::{News, Unapproved};
use crate::notices::{Change, Endpoint, Notice};

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
        News::Approved { event } => {
            let event = in_words(event);
            (
                LogLevel::Info,
                format!("approved: {event}; it may begin now"),
            )
        }
        News::NotApproved { event, why } => not_approved(event, why),
        _ => return None,
    })
}

/// That it begins at its time, and why.
fn not_approved(event: &Notice, why: &Unapproved<'_>) -> (LogLevel, String) {
    let shown = in_words(event);
    match why {
        Unapproved::OfOthersToo(endpoint) => {
            let resources: Vec<_> = event.resources.iter().map(|name| quoted(name)).collect();
            let endpoint = if **endpoint == Endpoint::default() {
                String::new()
            } else {
                format!(" --endpoint {endpoint}")
            };
            // What somebody is to type must not be more than a word, whatever the service says.
            let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
            let id = Some(&event.id).filter(|id| id.chars().all(plain));
            let text = format!(
                "not approved: {shown}: it is about {}, and an approval is one for all of them; once all are \
                 ready: leasectl scheduled-events ack {}{endpoint}",
                resources.join(", "),
                id.map_or("EVENT_ID", String::as_str)
            );
            (LogLevel::Info, text)
        }
        Unapproved::NotTheLast => {
            let text =
                format!("not approved: {shown}: others of this machine have not left for it yet");
            (LogLevel::Debug, text)
        }
        Unapproved::NotGivenBack => {
            let text = format!(
                "not approved: {shown}: the store has not confirmed that the lease was given back; it \
                 begins at its time"
            );
            (LogLevel::Warn, text)
        }
        Unapproved::NotWaitedFor => {
            let text = format!("not approved: {shown}: a signal came first; it begins at its time");
            (LogLevel::Info, text)
        }
        Unapproved::Failed(error) => {
            let why = printable(&error.to_string());
            let text = format!("not approved: {shown}: {why}; it begins at its time");
            (LogLevel::Warn, text)
        }
    }
}
