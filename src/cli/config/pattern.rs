//! Which leases a `match` means: `*` stands for any characters, everything else for itself.

/// Whether the whole name fits.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return rest.is_empty();
    };
    // The earliest place of each piece leaves the most room for those behind it.
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_characters_and_all_else_itself() {
        for (pattern, name, expected) in [
            ("nightly", "nightly", true),
            ("nightly", "nightly2", false),
            ("nightly", "a/nightly", false),
            ("backup/*", "backup/db1", true),
            ("backup/*", "backup/a/b", true),
            ("backup/*", "backup/", true),
            ("backup/*", "backup", false),
            ("*", "", true),
            ("*", "ü", true),
            ("*/db", "a/db", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "abbc", true),
            ("a*b*c", "acb", false),
            ("a*bc*bc", "abc", false),
            ("a**b", "axb", true),
            ("a?", "ab", false),
            ("[a]", "a", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_is_no_trap() {
        let pattern = "*a".repeat(200) + "b";
        assert!(!fits(&pattern, &"a".repeat(512)));
    }
}
