//! Variables of n8n outside of `{{ }}`, which n8n takes for plain text.

use crate::document::javascript::{Goal, read};

/// Prefixes of n8n's variables, and whether the prefix alone is a variable. The others may be meant literally if nothing follows them:
/// `$input` is also a variable of GraphQL, and `$binary` a word of the Split Out node.
const VARIABLES: &[(&str, bool)] = &[
    ("$binary", false),
    ("$env", false),
    ("$execution", false),
    ("$fromAI", false),
    ("$input", false),
    ("$item", false),
    ("$itemIndex", true),
    ("$items", false),
    ("$json", true),
    ("$node", false),
    ("$now", true),
    ("$parameter", false),
    ("$prevNode", false),
    ("$runIndex", true),
    ("$secrets", false),
    ("$today", true),
    ("$vars", false),
    ("$workflow", false),
    ("$", false),
];

/// Maximum length of a text that is checked; paths are short.
const LONGEST: usize = 1_000;

/// Reports quickly whether a text can be a variable.
pub(super) fn may_be(text: &str) -> bool {
    own(text).starts_with('$')
}

/// Reports whether the whole text is an expression that begins with a variable of n8n, such as `$json.body.name` or
/// `$('Fetch').item.json.id`, with or without the `=` that has no effect by itself.
pub(super) fn is_variable(text: &str) -> bool {
    let own = own(text);
    if own.len() > LONGEST || own.contains("{{") {
        return false;
    }
    let name = own.find(|c: char| !c.is_ascii_alphanumeric() && c != '$' && c != '_').unwrap_or(own.len());
    let (name, rest) = own.split_at(name);
    let Some((_, alone)) = VARIABLES.iter().find(|(variable, _)| *variable == name) else { return false };
    if rest.is_empty() {
        return *alone;
    }
    let goes_on = match name {
        "$" | "$items" | "$fromAI" => ["('", "(\"", "(`"].iter().any(|open| rest.starts_with(open)),
        "$item" => rest.starts_with('('),
        _ => rest.starts_with(['.', '[', '?']) && !rest.starts_with(".."),
    };
    // Prose that begins with a variable does not parse.
    goes_on && read(own, Goal::Expression).is_ok()
}

fn own(text: &str) -> &str {
    text.strip_prefix('=').unwrap_or(text).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_variable_is_distinguished_from_text_that_begins_like_one() {
        for text in [
            "$json.body.name",
            "=$json.orderId",
            "= $json['a b'][0]?.c ",
            "$node['Start'].json.body",
            "$node.Start.json",
            "$input.first().json.id",
            "$execution.id",
            "$('Fetch').item.json.id",
            "$json.price * 2",
            "$json.name ?? 'nobody'",
            "$vars.region",
            "$json",
            "=$now",
        ] {
            assert!(may_be(text) && is_variable(text), "{text}");
        }
        for text in [
            "$100",
            "$name",
            "US$now",
            "$input",
            "$binary",
            "$.store.book",
            "$json.name is here",
            "$jsonata.x",
            "$now or never",
            "",
            "={{ $json.a }}",
            "$json.a {{ b }}",
            "$node",
            "$",
            "$(document).ready",
            "$json...",
            "$$ROOT",
            "$workflow.",
            "$env",
        ] {
            assert!(!is_variable(text), "{text}");
        }
    }
}
