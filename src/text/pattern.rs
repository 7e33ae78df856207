//! Patterns in which `*` stands for any characters.

/// Reports whether a text matches a pattern.
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, fitting) in [
            ("n8n-nodes-acme.send", "n8n-nodes-acme.send", true),
            ("n8n-nodes-acme.send", "n8n-nodes-acme.sender", false),
            ("n8n-nodes-acme.*", "n8n-nodes-acme.send", true),
            ("n8n-nodes-acme.*", "n8n-nodes-acme2.send", false),
            ("*", "anything.atAll", true),
            ("n8n-*.s*d", "n8n-nodes-acme.send", true),
            ("n8n-*.s*d", "n8n-nodes-acme.sends", false),
            ("a*a", "a", false),
            ("a**b", "ab", true),
            ("*.example.com", "api.example.com", true),
            ("*.example.com", "example.com", false),
        ] {
            assert_eq!(matches(pattern, text), fitting, "{pattern} {text}");
        }
    }
}
