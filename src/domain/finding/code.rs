//! The catalogue of finding codes.

/// Declares [`Code`] with, for each code, the word that users meet and the sentence that explains it,
/// so that the documented catalogue can be held to this list by a test.
macro_rules! codes {
    ($($variant:ident = $text:literal, $why:literal;)+) => {
        /// What kind of trouble a finding reports. The words are stable: people filter and suppress by them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $why] $variant,)+ }

        impl Code {
            /// Every code, in the order of the catalogue.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)+];

            /// The stable word, such as `node-name-duplicate`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text,)+ }
            }

            /// One sentence on what the code means, for documentation and SARIF rules.
            pub const fn explanation(self) -> &'static str {
                match self { $(Code::$variant => $why,)+ }
            }
        }
    };
}

codes! {
    DocumentEmpty = "document-empty", "There is no document: the text is empty or only blank.";
    DocumentTooLarge = "document-too-large", "The document is larger than the limit.";
    DocumentSyntax = "document-syntax", "The text is neither JSON nor YAML.";
    DocumentTruncated = "document-truncated", "The text ends before the document does.";
    DocumentFenced = "document-fenced", "The text is Markdown around a document, not the document itself.";
    DocumentSeveral = "document-several", "There are several documents where one is wanted.";
    DocumentTrailing = "document-trailing", "Something follows the end of the document.";
    DocumentKind = "document-kind", "The document is something other than an n8n workflow.";
    DocumentWrapped = "document-wrapped", "The workflow was found inside a wrapper, which was taken off.";
    KeyDuplicate = "key-duplicate", "A key occurs twice in one object; only the last value counts.";
    TopLevelUnknown = "top-level-key-unknown", "A top-level key that n8n does not accept was left out.";
    PinnedDataDropped = "pinned-data-dropped", "Pinned test data is not deployed.";
    DeclaredActiveIgnored = "declared-active-ignored", "The document says active; spec.active decides.";
    DeclaredTagsIgnored = "declared-tags-ignored", "The document has tags; spec.tags decides.";
    NameInvalid = "name-invalid", "The workflow name is not text of 1 to 128 characters.";
    NodesMissing = "nodes-missing", "There is no list of nodes.";
    NodesInvalid = "nodes-invalid", "The nodes are not a list of objects.";
    NodesTooMany = "nodes-too-many", "There are more nodes than can be handled.";
    NodeKeyUnknown = "node-key-unknown", "A node key that n8n does not accept was left out.";
    NodeFieldType = "node-field-type", "A field of a node has a type that n8n refuses.";
    NodeNameMissing = "node-name-missing", "A node has no name.";
    NodeNameDuplicate = "node-name-duplicate", "Two nodes share a name, and connections go by name.";
    NodeTypeMissing = "node-type-missing", "A node has no type.";
    NodeIdDuplicate = "node-id-duplicate", "Two nodes share an id.";
    NodePositionMissing = "node-position-missing", "A node has no position; one was made up.";
    NodeTypeVersionMissing = "node-type-version-missing", "A node has no typeVersion, so its behaviour may change with n8n.";
    NodeParametersMissing = "node-parameters-missing", "A node has no parameters; an empty object was put in.";
    CredentialsInvalid = "credentials-invalid", "The credentials of a node have a shape that n8n cannot use.";
    ConnectionsMissing = "connections-missing", "There are several nodes and no connections.";
    ConnectionsInvalid = "connections-invalid", "The connections, or a part of them, have a shape that n8n refuses.";
    ConnectionSourceUnknown = "connection-source-unknown", "Connections start at a node that does not exist.";
    ConnectionTargetUnknown = "connection-target-unknown", "A connection leads to a node that does not exist.";
    SettingsInvalid = "settings-invalid", "The settings are not an object.";
    SettingUnknown = "setting-unknown", "A setting that n8n does not accept was left out.";
    SettingType = "setting-type", "A setting has a type or value that n8n refuses.";
    SettingDoubtful = "setting-doubtful", "A setting has a value that n8n takes but does not know.";
    NodeGroupsInvalid = "node-groups-invalid", "The node groups, or one of them, have a shape that n8n refuses.";
    NodeGroupConflict = "node-group-conflict", "Node groups share an id, a name or a node, or have no or unknown members.";
    WebhookConflict = "webhook-conflict", "Two enabled nodes of the workflow listen on one method and path.";
}
