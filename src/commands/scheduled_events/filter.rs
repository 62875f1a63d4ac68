//! Which events are meant.

use std::time::Duration;

use crate::notices::Notice;

/// The types that are meant: `all`, or a list of them, in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Types {
    /// Also those that nobody has heard of yet.
    All,
    /// These.
    Only(Vec<String>),
}

/// Which events are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Of which types.
    pub types: Types,
    /// Also those of other machines.
    pub all_resources: bool,
    /// None that are shorter. One of unknown duration is never too short.
    pub min_duration: Duration,
}

impl Filter {
    /// Whether an event is meant.
    #[must_use]
    pub fn wants(&self, notice: &Notice) -> bool {
        let of_type = match &self.types {
            Types::All => true,
            Types::Only(types) => {
                let mut types = types.iter();
                types.any(|one| one.eq_ignore_ascii_case(&notice.event_type))
            }
        };
        let long = !notice.is_shorter_than(self.min_duration);
        of_type && long && (notice.ours || self.all_resources)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notices::{Names, parse};

    #[test]
    fn events_are_chosen_by_type_resource_and_duration() {
        let text = br#"{"Events":[{"EventId":"a","EventType":"Freeze","Resources":["web_0"],
            "DurationInSeconds":9},{"EventId":"b","EventType":"Reboot","DurationInSeconds":-1}]}"#;
        let document = parse(text, &Names::new(["web_0".to_owned()])).unwrap();
        let [freeze, reboot] = document.notices.as_slice() else {
            panic!("{document:?}");
        };
        let all = Filter {
            types: Types::All,
            all_resources: false,
            min_duration: Duration::ZERO,
        };
        assert!(all.wants(freeze) && !all.wants(reboot));
        let everyone = Filter {
            all_resources: true,
            ..all.clone()
        };
        assert!(everyone.wants(reboot));
        let types = Types::Only(vec!["reboot".to_owned()]);
        let reboots = Filter {
            types,
            ..everyone.clone()
        };
        assert!(reboots.wants(reboot) && !reboots.wants(freeze));
        let long = Filter {
            min_duration: Duration::from_secs(10),
            ..everyone
        };
        assert!(long.wants(reboot) && !long.wants(freeze));
    }
}
