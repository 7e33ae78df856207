//! Amounts of money in manifests: decimal numbers as strings, such as `"2.50"`, in a currency that the prices define.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// An amount of money, exact to a millionth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

/// Millionths of one unit of the currency.
const UNIT: i64 = 1_000_000;

/// Pattern of an amount; part of the CRD.
pub const PATTERN: &str = r"^[0-9]{1,9}(\.[0-9]{1,6})?$";

impl Money {
    /// Returns an amount of millionths.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns the amount in millionths.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Parses an amount such as `2.50`; the error names the expected format.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wanted = || {
            format!(
                "{text:?} is not an amount; write a decimal number of at most nine digits and six decimals as a string, such as \"2.50\""
            )
        };
        let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
        let digits = |part: &str, most: usize| (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole, 9) || !fraction.is_none_or(|fraction| digits(fraction, 6)) {
            return Err(wanted());
        }
        let micros = format!("{:0<6}", fraction.unwrap_or_default());
        let (whole, micros) = (whole.parse::<i64>().map_err(|_| wanted())?, micros.parse::<i64>().map_err(|_| wanted())?);
        Ok(Self(whole * UNIT + micros))
    }
}

impl fmt::Display for Money {
    /// Writes the amount with at least two decimals, and no more zeros than that.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let micros = self.0.unsigned_abs();
        let unit = UNIT.unsigned_abs();
        let fraction = format!("{:06}", micros % unit);
        let kept = fraction.trim_end_matches('0').len().max(2);
        write!(out, "{sign}{}.{}", micros / unit, &fraction[..kept])
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for Money {
    fn schema_name() -> Cow<'static, str> {
        "Money".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": 16, "pattern": PATTERN })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_exactly_and_written_in_one_way() {
        for (text, micros, written) in [
            ("0", 0, "0.00"),
            ("2.5", 2_500_000, "2.50"),
            ("12.000001", 12_000_001, "12.000001"),
            ("999999999.999999", 999_999_999_999_999, "999999999.999999"),
        ] {
            let money = Money::parse(text).unwrap();
            assert_eq!((money.micros(), money.to_string().as_str()), (micros, written));
            assert_eq!(serde_json::from_value::<Money>(serde_json::to_value(money).unwrap()).unwrap(), money);
        }
        for wrong in ["", ".", "1.", ".5", "-1", "1,5", "1.0000001", "1e3", "1234567890", " 1", "٣"] {
            assert!(Money::parse(wrong).is_err(), "{wrong}");
        }
    }
}
