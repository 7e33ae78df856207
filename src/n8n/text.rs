//! Text from outside, made fit to be shown: one line, bounded, without control characters.

/// The longest message of n8n that an error carries, in characters.
pub(super) const MESSAGE_CHARS: usize = 500;

/// One line of at most `max` characters. Runs of whitespace and control characters become one space; characters
/// that reorder or hide text are dropped; what was cut is marked by an ellipsis within the limit.
pub(super) fn one_line(text: &str, max: usize) -> String {
    let mut line = String::new();
    let mut length = 0;
    let mut gap = false;
    for character in text.chars().filter(|c| !is_deceptive(*c)) {
        if character.is_control() || character.is_whitespace() {
            gap = length > 0;
            continue;
        }
        let needed = 1 + usize::from(gap);
        if length + needed > max {
            while length >= max {
                line.pop();
                length -= 1;
            }
            line.push('…');
            return line;
        }
        if gap {
            line.push(' ');
            gap = false;
        }
        line.push(character);
        length += needed;
    }
    line
}

/// Zero-width and bidirectional formatting characters.
fn is_deceptive(character: char) -> bool {
    matches!(
        character,
        '\u{00AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
    )
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn control_characters_and_newlines_become_single_spaces() {
        assert_eq!(one_line("  a\n\n b\u{1b}[31mc\t", 50), "a b [31mc");
        assert_eq!(one_line("pay\u{202E}load\u{200B}", 50), "payload");
    }

    #[test]
    fn a_long_text_is_cut_within_the_limit() {
        assert_eq!(one_line("abcdef", 6), "abcdef");
        assert_eq!(one_line("abcdefg", 6), "abcde…");
        assert_eq!(one_line("abcde fg", 6), "abcde…");
        for max in 1..20 {
            let cut = one_line("ä b  c dd eeee fffff ggggggg", max);
            assert!(cut.chars().count() <= max, "{max}: {cut}");
        }
    }
}
