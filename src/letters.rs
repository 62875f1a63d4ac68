//! Letters that a terminal obeys, or shows as if they were not there. Foreign text is shown without them, so that
//! it cannot be taken for what it is not.

/// Whether a terminal would obey it, write on in another direction, or show nothing: control characters, all
/// that has one of Unicode's properties `Bidi_Control` and `Default_Ignorable_Code_Point` (as of version 14), the
/// separators of lines and paragraphs, and the marks around annotations.
pub(crate) fn acts_on_a_terminal(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            // Tags, with which a whole text can be written that nobody sees, and further variation selectors.
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_known() {
        let seen: Vec<char> = "\u{1b}\n\u{7f}\u{9b}\u{ad}\u{34f}\u{61c}\u{115f}\u{180b}\u{180e}\u{200b}\u{200d}\u{200f}\u{2028}\
            \u{202e}\u{2060}\u{2069}\u{3164}\u{fe0f}\u{feff}\u{ffa0}\u{fff9}\u{1bca0}\u{1d173}\u{e0000}\u{e0001}\u{e0041}\
            \u{e007f}\u{e0100}\u{e01ef}"
            .chars()
            .filter(|letter| !acts_on_a_terminal(*letter))
            .collect();
        assert!(seen.is_empty(), "{seen:?}");
    }

    #[test]
    fn what_can_be_seen_is_left_alone() {
        let text = "a -~ grün e\u{301} 日本 ไทย हिन्दी עברית العربية 🙂 \u{2027}\u{2030}\u{205f}\u{2070}\u{fffd}";
        assert_eq!(
            text.chars().find(|letter| acts_on_a_terminal(*letter)),
            None
        );
    }
}
