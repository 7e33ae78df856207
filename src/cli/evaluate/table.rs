//! The measures as a table, and as JSON.

use std::fmt::Write as _;

use serde_json::json;

use super::measures::Measure;
use super::result::Measured;

/// Returns the table for people.
pub(super) fn human(measures: &[Measure]) -> String {
    let width = measures.iter().map(|measure| measure.name.len()).max().unwrap_or_default();
    let mut out = format!("{:width$}  {:>9}  {:>9}  {:>15}  TARGET\n", "MEASURE", "VALUE", "OF", "95 % INTERVAL");
    for measure in measures {
        let of = measure.of.map(|(hits, cases)| format!("{hits}/{cases}")).unwrap_or_default();
        let interval = measure.interval.map(|(low, high)| format!("{low:.1}-{high:.1} %")).unwrap_or_default();
        let line = format!("{:width$}  {:>9}  {of:>9}  {interval:>15}  {}", measure.name, measure.value, measure.target);
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// Returns the measures and the results as JSON.
pub(super) fn json(measures: &[Measure], all: &[&Measured]) -> Result<String, serde_json::Error> {
    let values = json!({ "measures": measures, "results": all });
    Ok(format!("{}\n", serde_json::to_string_pretty(&values)?))
}
