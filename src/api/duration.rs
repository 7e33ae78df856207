//! Durations in manifests: `30s`, `5m`, `1h30m`, `250ms`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A duration of whole numbers with the units `ms`, `s`, `m` and `h`, in any order, for example `1h30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DurationText(Duration);

/// Pattern of a duration; part of the CRD, so that the API server refuses anything else.
pub const PATTERN: &str = "^([0-9]{1,6}(ms|s|m|h)){1,4}$";

impl DurationText {
    /// Returns a span of whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Returns the span as the standard library's duration.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// Parses a duration such as `1h30m`; the error names the expected format.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wanted = || format!("{text:?} is not a duration; write whole numbers with units, such as 30s, 5m or 1h30m");
        let mut total = Duration::ZERO;
        let mut rest = text;
        if rest.is_empty() {
            return Err(wanted());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wanted)?;
            let number: u64 = rest[..digits].parse().map_err(|_| wanted())?;
            rest = &rest[digits..];
            let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let seconds = |per: u64| number.checked_mul(per).map(Duration::from_secs);
            let part = match &rest[..end] {
                "ms" => Some(Duration::from_millis(number)),
                "s" => seconds(1),
                "m" => seconds(60),
                "h" => seconds(3600),
                _ => None,
            };
            total = part.and_then(|part| total.checked_add(part)).ok_or_else(wanted)?;
            rest = &rest[end..];
        }
        Ok(Self(total))
    }
}

impl fmt::Display for DurationText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut millis = self.0.as_millis();
        if millis == 0 {
            return write!(out, "0s");
        }
        for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            if millis >= size {
                write!(out, "{}{unit}", millis / size)?;
                millis %= size;
            }
        }
        Ok(())
    }
}

impl Serialize for DurationText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Cow::<str>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// One second, in the unit of the bounds of [`Within`].
pub const SECOND: u64 = 1_000;
/// One minute, in the unit of the bounds of [`Within`].
pub const MINUTE: u64 = 60 * SECOND;
/// One hour, in the unit of the bounds of [`Within`].
pub const HOUR: u64 = 60 * MINUTE;

/// A span from `LEAST` to `MOST` milliseconds. The CRD and [`Within::parse`] refuse any other; a value that was stored under an older CRD
/// counts as the nearest bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within<const LEAST: u64, const MOST: u64>(DurationText);

impl<const LEAST: u64, const MOST: u64> Within<LEAST, MOST> {
    /// Returns a span of whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(DurationText::from_secs(seconds))
    }

    /// Returns the span, clamped to the bounds.
    pub fn get(self) -> Duration {
        self.0.get().clamp(Duration::from_millis(LEAST), Duration::from_millis(MOST))
    }

    /// Parses a duration within the bounds; the error names the expected format or the bounds.
    pub fn parse(text: &str) -> Result<Self, String> {
        let span = Self(DurationText::parse(text)?);
        if span.get() == span.0.get() { Ok(span) } else { Err(format!("{text} is not {}", Self::bounds())) }
    }

    fn bounds() -> String {
        let span = |millis| DurationText(Duration::from_millis(millis));
        format!("from {} to {}", span(LEAST), span(MOST))
    }
}

impl<const LEAST: u64, const MOST: u64> Serialize for Within<LEAST, MOST> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, const LEAST: u64, const MOST: u64> Deserialize<'de> for Within<LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DurationText::deserialize(deserializer).map(Self)
    }
}

impl<const LEAST: u64, const MOST: u64> JsonSchema for Within<LEAST, MOST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Within{LEAST}To{MOST}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let span = |millis| DurationText(Duration::from_millis(millis));
        let rule = format!("duration(self) >= duration('{}') && duration(self) <= duration('{}')", span(LEAST), span(MOST));
        json_schema!({
            "type": "string",
            "pattern": PATTERN,
            "maxLength": 32,
            "x-kubernetes-validations": [{ "rule": rule, "message": format!("must be {}", Self::bounds()) }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{DurationText, HOUR, SECOND, Within};
    use std::time::Duration;

    type Interval = Within<SECOND, HOUR>;

    #[test]
    fn a_bounded_span_refuses_values_out_of_bounds_and_clamps_stored_ones() {
        for (text, millis) in [("1s", 1_000), ("60m", 3_600_000), ("90s", 90_000)] {
            assert_eq!(Interval::parse(text).unwrap().get(), Duration::from_millis(millis));
        }
        for text in ["0s", "999ms", "1h1ms", "9999h", "999999h999999h999999h999999h"] {
            assert!(Interval::parse(text).unwrap_err().contains("from 1s to 1h"), "{text}");
            let stored: Interval = serde_json::from_value(serde_json::json!(text)).unwrap();
            assert!((Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&stored.get()), "{text}");
        }
        assert!(Interval::parse("soon").unwrap_err().contains("5m"));
    }

    #[test]
    fn durations_are_parsed_and_printed() {
        for (text, millis, printed) in [
            ("30s", 30_000, "30s"),
            ("5m", 300_000, "5m"),
            ("1h30m", 5_400_000, "1h30m"),
            ("90m", 5_400_000, "1h30m"),
            ("250ms", 250, "250ms"),
            ("0s", 0, "0s"),
        ] {
            let span = DurationText::parse(text).unwrap();
            assert_eq!(span.get().as_millis(), millis, "{text}");
            assert_eq!(span.to_string(), printed);
        }
    }

    #[test]
    fn invalid_durations_are_refused_with_an_example() {
        for text in ["", "5", "m", "5d", "-5m", "5 m", "1.5h", "99999999999999999999s", "18446744073709551615h"] {
            let error = DurationText::parse(text).unwrap_err();
            assert!(error.contains("5m"), "{text}: {error}");
        }
    }
}
