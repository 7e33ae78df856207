//! Text from outside, made safe to show to people: in conditions, events, logs and on terminals it can neither begin a line of its own nor
//! hide, reverse or colour the text beside it.

pub mod pattern;
pub mod sha256;
pub mod similar;

/// Returns one line of at most `max` characters. Runs of whitespace and control characters become one space; characters that reorder or
/// hide text are dropped; a truncation is marked by an ellipsis within the limit.
pub fn one_line(text: &str, max: usize) -> String {
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

/// Returns the text with U+FFFD in place of each character that could control a terminal, so that all other characters keep their column.
pub fn shown(text: &str) -> String {
    let plain = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() || is_deceptive(c) || matches!(c, '\u{2028}' | '\u{2029}') => '\u{fffd}',
        c => c,
    };
    text.chars().map(plain).collect()
}

/// Reports whether a character is invisible and changes how others are shown: those of Unicode's category Cf, and blanks that count as
/// letters.
pub fn is_deceptive(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Joins texts by commas: the first ones, and the number of the others.
pub fn listed(texts: &[impl AsRef<str>], most: usize) -> String {
    let shown = texts.iter().take(most).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    match texts.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Reports whether a text consists of lower case letters, digits and hyphens, and neither begins nor ends with a hyphen, as a DNS label does.
pub fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(inner) && text.ends_with(inner) && text.chars().all(|c| inner(c) || c == '-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_and_newlines_become_single_spaces() {
        assert_eq!(one_line("  a\n\n b\u{1b}[31mc\t", 50), "a b [31mc");
        assert_eq!(one_line("pay\u{202E}load\u{200B}", 50), "payload");
        assert_eq!(one_line("a\u{2028}Ready: True\u{85}x\u{61c}\u{e0041}\u{3164}", 50), "a Ready: True x");
        assert_eq!(shown("a\tb\u{1b}\u{9b}\u{202e}\nc"), "a b\u{fffd}\u{fffd}\u{fffd}\u{fffd}c");
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

    proptest! {
        #[test]
        fn whatever_is_made_one_line_is_one_and_stays_as_it_is(text in "\\PC{0,40}|[\\x00-\\x{3000}]{0,80}|.{0,40}") {
            let line = one_line(&text, 30);
            prop_assert!(line.chars().all(|c| !c.is_control() && !is_deceptive(c) && (c == ' ' || !c.is_whitespace())), "{line:?}");
            prop_assert_eq!(one_line(&line, 30), line);
        }
    }
}
