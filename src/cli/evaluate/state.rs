//! Results that are kept between runs: a line of JSON each.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use super::arguments::EvaluateError;
use super::result::Measured;

/// Results by the id of the prompt.
pub(super) struct State {
    results: BTreeMap<String, Measured>,
    file: Option<(String, File)>,
}

impl State {
    /// Opens the file, if one is given. A last line that was not written whole is left out.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, EvaluateError> {
        let Some(path) = path else { return Ok(Self { results: BTreeMap::new(), file: None }) };
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(EvaluateError::File("read", name, error)),
        };
        let mut results = BTreeMap::new();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            match serde_json::from_str::<Measured>(line) {
                Ok(measured) => drop(results.insert(measured.id.clone(), measured)),
                Err(_) if !text.ends_with('\n') && at + 1 == text.lines().count() => {}
                Err(error) => return Err(EvaluateError::Line(name, at + 1, error.to_string())),
            }
        }
        let mut file =
            OpenOptions::new().create(true).append(true).open(path).map_err(|error| EvaluateError::File("open", name.clone(), error))?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n").map_err(|error| EvaluateError::File("write", name.clone(), error))?;
        }
        Ok(Self { results, file: Some((name, file)) })
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.results.contains_key(id)
    }

    pub(super) fn get(&self, id: &str) -> Option<&Measured> {
        self.results.get(id)
    }

    /// Adds a result and writes it, unless the next run is to try again.
    pub(super) fn add(&mut self, measured: Measured) -> Result<(), EvaluateError> {
        if let Some((name, file)) = self.file.as_mut().filter(|_| !measured.unanswered) {
            let line = format!("{}\n", serde_json::to_string(&measured)?);
            file.write_all(line.as_bytes()).map_err(|error| EvaluateError::File("write", name.clone(), error))?;
        }
        self.results.insert(measured.id.clone(), measured);
        Ok(())
    }
}
