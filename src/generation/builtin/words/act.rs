//! Meanings of verbs.

/// Meaning of a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Act {
    /// Tell people something.
    Send,
    /// Answer the message that started the workflow.
    Reply,
    /// Add a record.
    Create,
    /// Put a file somewhere.
    Upload,
    /// Change a record.
    Update,
    /// Change a record, or add it if there is none.
    Upsert,
    /// Remove a record.
    Delete,
    /// Read records.
    Get,
    /// Read a file.
    Download,
    /// Call an address.
    Call,
    /// Have a service look at the data: check, verify, enrich, score.
    Process,
    /// Change the format of the data.
    Convert,
    /// Translate a text.
    Translate,
    /// Shorten a text.
    Summarize,
    /// Write a text.
    Write,
    /// Sort texts into categories.
    Classify,
    /// Read values out of a text.
    Extract,
    /// Turn speech into text.
    Transcribe,
    /// Make an image.
    Draw,
    /// Keep some of the items.
    Filter,
    /// Put items in order.
    Sort,
    /// Keep the first of equal items.
    Deduplicate,
    /// Wait.
    Wait,
    /// Make one item of many.
    Collect,
    /// Stop with an error.
    Stop,
    /// Nothing by itself: want, let, use.
    Light,
    /// Something that cannot be put together from patterns.
    Unsupported,
}
