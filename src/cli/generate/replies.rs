//! Answers of models in files, by the key of their call: one file each, so that they can be compared and edited.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::generation::call::{Answer, CallFailure, ModelCall, ModelReply, ModelTier, Stage};

/// A folder of answers.
pub struct Replies(PathBuf);

/// A recorded answer.
#[derive(Serialize, Deserialize)]
struct Recorded {
    stage: Stage,
    tier: ModelTier,
    reply: ModelReply,
}

impl Replies {
    /// Opens a folder; `make` creates it.
    pub(super) fn of(path: &Path, make: bool) -> std::io::Result<Self> {
        if make {
            std::fs::create_dir_all(path)?;
        } else {
            std::fs::read_dir(path)?;
        }
        Ok(Self(path.to_owned()))
    }

    fn file(&self, call: &ModelCall) -> PathBuf {
        self.0.join(format!("{}.json", call.key))
    }

    /// Returns the recorded answer of a call.
    pub(super) fn read(&self, call: &ModelCall) -> Option<Answer> {
        let text = std::fs::read(self.file(call)).ok()?;
        let failure = |error: serde_json::Error| CallFailure {
            message: format!("the recorded answer {} cannot be read: {error}", call.key),
            may_have_been_paid: false,
        };
        Some(serde_json::from_slice::<Recorded>(&text).map(|recorded| recorded.reply).map_err(failure))
    }

    /// Records an answer. It appears whole or not at all.
    pub(super) fn write(&self, call: &ModelCall, reply: &ModelReply) -> Result<(), CallFailure> {
        let file = self.file(call);
        let recorded = Recorded { stage: call.stage, tier: call.tier, reply: reply.clone() };
        let done = serde_json::to_string_pretty(&recorded).map_err(std::io::Error::other).and_then(|text| {
            let half = file.with_extension("part");
            std::fs::write(&half, format!("{text}\n"))?;
            std::fs::rename(&half, &file)
        });
        done.map_err(|error| CallFailure { message: format!("record the answer {}: {error}", file.display()), may_have_been_paid: true })
    }

    /// Returns the failure of a call without a recorded answer.
    pub(super) fn missing(call: &ModelCall) -> CallFailure {
        let message =
            format!("no answer is recorded for the call {} ({}); record it with --record and a --base-url", call.key, call.stage.as_str());
        CallFailure { message, may_have_been_paid: false }
    }
}
