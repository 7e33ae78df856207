//! Node types that n8n keeps for older workflows only, and what replaced them.

use crate::document::finding::{Code, Finding};
use crate::document::json_path;
use crate::generation::engine::graph::Flow;

/// Short names of types, and of those in their place.
const REPLACED: &[(&str, &str)] = &[
    ("function", "code"),
    ("functionItem", "code"),
    ("cron", "scheduleTrigger"),
    ("interval", "scheduleTrigger"),
    ("start", "manualTrigger"),
    ("itemLists", "splitOut, aggregate, limit, removeDuplicates or sort"),
    ("spreadsheetFile", "extractFromFile or convertToFile"),
    ("moveBinaryData", "extractFromFile or convertToFile"),
    ("htmlExtract", "html"),
    ("readPDF", "extractFromFile"),
    ("iCal", "convertToFile"),
    ("readBinaryFile", "readWriteFile"),
    ("readBinaryFiles", "readWriteFile"),
    ("writeBinaryFile", "readWriteFile"),
    ("executeWorkflowTriggerOld", "executeWorkflowTrigger"),
    ("memoryMotorhead", "memoryBufferWindow"),
    ("vectorStorePineconeInsert", "vectorStorePinecone"),
    ("vectorStorePineconeLoad", "vectorStorePinecone"),
    ("vectorStoreSupabaseInsert", "vectorStoreSupabase"),
    ("vectorStoreSupabaseLoad", "vectorStoreSupabase"),
    ("vectorStoreInMemoryInsert", "vectorStoreInMemory"),
    ("vectorStoreInMemoryLoad", "vectorStoreInMemory"),
    ("documentBinaryInputLoader", "documentDefaultDataLoader"),
    ("documentJsonInputLoader", "documentDefaultDataLoader"),
    ("toolHttpRequest", "httpRequestTool"),
    ("openAiAssistant", "agent"),
];

pub(super) fn check(flow: &Flow<'_>, findings: &mut Vec<Finding>) {
    for (at, own, _) in flow.nodes() {
        let Some((old, new)) = REPLACED.iter().find(|(old, _)| *old == flow.short(at)) else { continue };
        let message = format!("n8n keeps {old} for older workflows only; use {new}");
        let path = json_path::key(&json_path::index("nodes", at), "use");
        findings.push(Finding::error(Code::NodeTypeDeprecated, path, message).at_node(&own.name));
    }
}
