//! Whatever is typed, configured, or was written by others and is shown.

use super::held;
use super::status::fuzzing::table;
use super::values;
use crate::clock::WallTime;
use crate::fuzzing::checks::one_line;
use crate::lease::{LeaseName, Observation, RefusedWhy, StoreLabel};
use crate::supervisor::Wait;

pub(crate) use super::config::fuzzing::configuration;

/// What people are shown of leases, line by line and without colours.
pub(crate) fn printed(store: &StoreLabel, now: WallTime, seen: &[Observation]) -> Vec<String> {
    let mut lines = table(store, now, seen);
    for seen in seen {
        for why in [RefusedWhy::Held, RefusedWhy::Cooldown, RefusedWhy::Paused] {
            lines.push(held::describe(why, Some(seen)));
        }
    }
    lines
}

/// A value of an option: refused in one line, or taken as what it says.
pub(crate) fn command_line(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    match values::duration(text) {
        Ok(span) => {
            let written = humantime::format_duration(span).to_string();
            assert_eq!(values::duration(&written), Ok(span), "{text:?}");
            assert_eq!(values::wait(text), Ok(Wait::For(span)));
        }
        Err(why) => one_line(&why),
    }
    if let Ok(name) = LeaseName::new(text) {
        assert_eq!(name.as_str(), text);
    }
    let refusals = [
        values::some_duration(text).err(),
        values::pause(text).err(),
        values::token(text).err(),
        values::count(text).err(),
        values::wait(text).err(),
        values::fraction(text).err(),
        values::events(text).err(),
        values::event_types(text).err(),
        values::types_to_leave_for(text).err(),
        values::endpoint(text).err(),
        values::api_version(text).err(),
        values::some_text(text).err(),
        values::pid(text).err(),
        values::descriptor(text).err(),
        values::exit_code(text).err(),
        values::stop_signal(text).err(),
        values::key_value(text).err(),
        values::note(text).err(),
        values::label(text).err(),
        LeaseName::new(text).err().map(|why| why.to_string()),
    ];
    refusals.iter().flatten().for_each(|why| one_line(why));
    if let Ok(endpoint) = values::endpoint(text) {
        assert_eq!(values::endpoint(&endpoint.to_string()), Ok(endpoint));
    }
    if let Ok(label) = values::label(text) {
        assert!(!label.contains(char::is_control));
    }
}
