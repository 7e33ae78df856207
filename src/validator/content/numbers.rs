//! Integers that JavaScript cannot represent: n8n stores another number.

use serde_json::{Number, Value};

use crate::document::definition::Definition;
use crate::document::finding::{Code, Finding, is_full};
use crate::document::json_path;
use crate::validator::content::strings::each_value;

pub(super) fn check(definition: &Definition, findings: &mut Vec<Finding>) {
    for (index, node) in definition.nodes.iter().enumerate() {
        let Some(parameters) = node.parameters() else { continue };
        each_value(parameters, |trail, value, _| {
            let Value::Number(number) = value else { return };
            if !is_rounded(number) || is_full(findings) {
                return;
            }
            let message = "JavaScript rounds integers beyond 2^53, so n8n stores another number; put it in quotes";
            let at = trail.path(&json_path::key(&json_path::index("nodes", index), "parameters"));
            findings.push(Finding::warning(Code::NumberRounded, at, message).at_node(node.name()));
        });
    }
}

/// Reports whether JavaScript writes the number with other digits.
fn is_rounded(number: &Number) -> bool {
    const EXACT: u64 = 1 << 53;
    if let Some(whole) = number.as_i64().map(i64::unsigned_abs).or_else(|| number.as_u64()) {
        return whole > EXACT && shown(whole) != whole.to_string();
    }
    // Integers that do not fit into 64 bits have already lost their digits here. From 1e21 on people write an exponent.
    number.as_f64().is_some_and(|float| float.fract() == 0.0 && (2f64.powi(63)..1e21).contains(&float.abs()))
}

/// Returns the digits with which JavaScript writes the number: the fewest that lead back to the same number, then zeros.
fn shown(whole: u64) -> String {
    let text = format!("{:e}", whole as f64);
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = digits.replace('.', "");
    let length = exponent.parse::<usize>().map_or(0, |exponent| exponent + 1);
    format!("{digits:0<length$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_rounded_where_javascript_writes_other_digits() {
        let rounded = |text: &str| is_rounded(&serde_json::from_str::<Number>(text).unwrap());
        for text in ["1497549923779084388", "9007199254740993", "-1497549923779084389", "18446744073709551615", "100000000000000000001"] {
            assert!(rounded(text), "{text}");
        }
        for text in ["9007199254740992", "9007199254740994", "1500000000000000000", "1e30", "1.5", "0", "-7", "123456789.25"] {
            assert!(!rounded(text), "{text}");
        }
    }
}
