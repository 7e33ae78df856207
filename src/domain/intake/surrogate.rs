//! Halves of characters (lone surrogates) in the escapes of JSON.

/// The text with each half of a character replaced by the one for what is unreadable, of the same length, and the line of the first;
/// `None` where there is none.
pub(super) fn replaced(text: &str) -> Option<(String, usize)> {
    let mut mended = text.as_bytes().to_vec();
    let mut first = None;
    let mut at = 0;
    while at < mended.len() {
        if mended[at] != b'\\' {
            at += 1;
            continue;
        }
        let unit = |at: usize| escape(text.get(at..at + 6)?);
        match (unit(at), unit(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => at += 12,
            (Some(0xd800..=0xdfff), _) => {
                mended[at..at + 6].copy_from_slice(b"\\ufffd");
                first = first.or(Some(at));
                at += 6;
            }
            _ => at += 2,
        }
    }
    let line = text.get(..first?)?.matches('\n').count() + 1;
    Some((String::from_utf8(mended).ok()?, line))
}

/// The unit of UTF-16 that `\uXXXX` stands for.
fn escape(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u").filter(|digits| !digits.starts_with('+'))?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_replaced_and_whole_characters_and_escaped_backslashes_stay() {
        let of = |text: &str| replaced(text).map(|(text, line)| format!("{line} {text}"));
        assert_eq!(of(r#""a\ud83d b""#).as_deref(), Some(r#"1 "a\ufffd b""#));
        assert_eq!(of("\n\"\\udE00\\ud83d\\ude00\"").as_deref(), Some("2 \n\"\\ufffd\\ud83d\\ude00\""));
        assert_eq!(of(r#""\ud83d\ud83d\ude00""#).as_deref(), Some(r#"1 "\ufffd\ud83d\ude00""#));
        for text in [r#""\ud83d\ude00""#, r#""\\ud83d""#, "", "\\", "\"\\u00e9\"", "\"\\ud8", "ü\\u"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
