//! The list of finding codes.

/// Declares [`Code`] with, for each code, its stable name and the sentence that explains it, so that a test can compare the documentation
/// with this list.
macro_rules! codes {
    ($($variant:ident = $text:literal, $why:literal;)+) => {
        /// Code of a finding. The names are stable: users filter and suppress findings by them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $why] $variant,)+ }

        impl Code {
            /// Every code, in the order of the list.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)+];

            /// Returns the stable name, such as `node-name-duplicate`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text,)+ }
            }

            /// Returns a one-sentence explanation of the code, for documentation and SARIF rules.
            pub const fn explanation(self) -> &'static str {
                match self { $(Code::$variant => $why,)+ }
            }
        }
    };
}

codes! {
    DocumentEmpty = "document-empty", "There is no document: the text is empty or only blank.";
    DocumentTooLarge = "document-too-large", "The document is larger than the limit.";
    FindingsTooMany = "findings-too-many", "There are more findings than are listed.";
    DocumentSyntax = "document-syntax", "The text is neither JSON nor YAML.";
    DocumentTruncated = "document-truncated", "The text ends before the document does.";
    DocumentFenced = "document-fenced", "The text is Markdown around a document, not the document itself.";
    DocumentSeveral = "document-several", "There are several documents where one is expected.";
    DocumentTrailing = "document-trailing", "Something follows the end of the document.";
    DocumentKind = "document-kind", "The document is something other than an n8n workflow.";
    DocumentWrapped = "document-wrapped", "The workflow was found inside a wrapper, which was removed.";
    FileUnreadable = "file-unreadable", "The file could not be read as text.";
    ManifestInvalid = "manifest-invalid", "An object of Weirkeeper does not fit its kind: the API server would refuse it, drop a field or print a warning.";
    DefinitionNotFound = "definition-not-found", "The ConfigMap that holds the definition is not among the files, so nothing was checked.";
    SourceUnrendered = "source-unrendered", "The file is a template or a patch, not yet a manifest, so nothing was checked.";
    WorkflowNotFound = "workflow-not-found", "A reference names a Workflow that is not among the files.";
    MappingUnused = "mapping-unused", "A mapping of a manifest is for something that the definition does not use.";
    CredentialUnmapped = "credential-unmapped", "A manifest does not map a credential of its definition to one of the instance; publication waits.";
    RateLimitExceeded = "rate-limit-exceeded", "A schedule, a loop or a batch sends more requests with a credential than its N8nCredential allows.";
    CredentialNotFound = "credential-not-found", "A mapping names an N8nCredential that is not among the files, or one of another type or instance.";
    ProbeInvalid = "probe-invalid", "A probe of a manifest cannot be sent, so it fails every version.";
    CharacterHalved = "character-halved", "A text contains half of a character, which is read as the replacement character.";
    YamlWord = "yaml-word", "kubectl reads a plain word of the manifest differently from YAML 1.2.";
    KeyDuplicate = "key-duplicate", "A key occurs twice in one object; only the last value counts.";
    TopLevelUnknown = "top-level-key-unknown", "A top-level key that n8n does not accept was left out.";
    PinnedDataDropped = "pinned-data-dropped", "Pinned test data is not deployed.";
    DeclaredActiveIgnored = "declared-active-ignored", "The document sets active; spec.active decides.";
    DeclaredTagsIgnored = "declared-tags-ignored", "The document has tags; spec.tags decides.";
    NameInvalid = "name-invalid", "The workflow name is not text of 1 to 128 characters.";
    NodesMissing = "nodes-missing", "There is no list of nodes.";
    NodesInvalid = "nodes-invalid", "The nodes are not a list of objects.";
    NodesTooMany = "nodes-too-many", "There are more nodes or connections than can be handled.";
    NodeKeyUnknown = "node-key-unknown", "A node key that n8n does not accept was left out.";
    NodeFieldType = "node-field-type", "A field of a node has a type that n8n refuses.";
    NodeNameMissing = "node-name-missing", "A node has no name.";
    NodeNameDuplicate = "node-name-duplicate", "Two nodes share a name, and connections refer to nodes by name.";
    NodeNameReserved = "node-name-reserved", "n8n fails on a node of this name, or loses its connections.";
    NodeFieldMisplaced = "node-field-misplaced", "A field of a node is among its parameters, where n8n ignores it.";
    NodeTypeMissing = "node-type-missing", "A node has no type.";
    NodeIdDuplicate = "node-id-duplicate", "Two nodes share an id.";
    NodePositionMissing = "node-position-missing", "A node has no position; one was generated.";
    NodeTypeVersionMissing = "node-type-version-missing", "A node has no typeVersion, so its behaviour may change with n8n.";
    NodeParametersMissing = "node-parameters-missing", "A node has no parameters; an empty object was added.";
    CredentialsInvalid = "credentials-invalid", "The credentials of a node have a shape that n8n cannot use.";
    ConnectionsMissing = "connections-missing", "There are several nodes and no connections.";
    ConnectionsInvalid = "connections-invalid", "The connections, or a part of them, have a shape that n8n refuses.";
    ConnectionSourceUnknown = "connection-source-unknown", "Connections start at a node that does not exist.";
    ConnectionTargetUnknown = "connection-target-unknown", "A connection leads to a node that does not exist.";
    SettingsInvalid = "settings-invalid", "The settings are not an object.";
    SettingUnknown = "setting-unknown", "A setting that n8n does not accept was left out.";
    SettingType = "setting-type", "A setting has a type or value that n8n refuses.";
    SettingDoubtful = "setting-doubtful", "A setting has a value that n8n accepts but does not know.";
    NodeGroupsInvalid = "node-groups-invalid", "The node groups, or one of them, have a shape that n8n refuses.";
    NodeGroupConflict = "node-group-conflict", "Node groups share an id, a name or a node, or have no or unknown members.";
    WebhookConflict = "webhook-conflict", "Two enabled nodes of the workflow listen on one method and path.";
    TriggerMissing = "trigger-missing", "Only a person in the editor can start the workflow; n8n refuses to publish it.";
    TriggerDisconnected = "trigger-disconnected", "A trigger is not connected.";
    NodeUnconnected = "node-unconnected", "A node is not connected and never runs.";
    NodeUnreachable = "node-unreachable", "No trigger leads to a node, so it never runs.";
    LoopEndless = "loop-endless", "Nodes form an endless cycle.";
    LoopOutputsSwapped = "loop-outputs-swapped", "The body of a Loop Over Items node is connected to its output for completion.";
    LoopNotClosed = "loop-not-closed", "The body of a Loop Over Items node never returns to it, so only one batch is processed.";
    ExpressionUnclosed = "expression-unclosed", "An expression opens {{ and does not close it.";
    ExpressionSyntax = "expression-syntax", "An expression is not a JavaScript expression that n8n evaluates.";
    ExpressionNodeUnknown = "expression-node-unknown", "An expression or script refers to a node that does not exist.";
    ExpressionNodeNotBefore = "expression-node-not-before", "An expression or script refers to a node that may not have run yet.";
    ExpressionNameUnknown = "expression-name-unknown", "An expression uses a name that n8n does not define, often one of another product.";
    ExpressionWithoutEquals = "expression-without-equals", "A parameter contains {{ }} without a leading =, so it is sent literally.";
    ExpressionWithoutBraces = "expression-without-braces", "A variable of n8n is outside of {{ }}, so it is sent literally.";
    FromAiOutsideTool = "from-ai-outside-tool", "$fromAI is used in a node that is not a tool of an agent.";
    ScriptSyntax = "script-syntax", "The JavaScript of a node does not parse.";
    ScriptUnread = "script-unread", "Code is too large or too deeply nested to be checked.";
    CronInvalid = "cron-invalid", "n8n cannot schedule a cron expression.";
    ScheduleInvalid = "schedule-invalid", "n8n cannot schedule an interval.";
    ScheduleTooOften = "schedule-too-often", "A schedule runs more often than once a minute.";
    PollTooOften = "poll-too-often", "A trigger polls more often than once a minute, which n8n refuses.";
    TimeZoneUnknown = "time-zone-unknown", "The time zone of the workflow does not exist.";
    WebhookPathMissing = "webhook-path-missing", "A webhook has no path.";
    WebhookPathInvalid = "webhook-path-invalid", "No URL reaches the path of a webhook.";
    WebhookIdMissing = "webhook-id-missing", "A trigger with a URL has no webhookId; one is derived.";
    WebhookOpen = "webhook-open", "A webhook can be called without authentication.";
    RespondNodeMissing = "respond-node-missing", "A webhook waits for a Respond to Webhook node, and none follows.";
    RespondNodeUnused = "respond-node-unused", "A Respond to Webhook node follows a webhook that does not wait for it.";
    RespondWithoutWebhook = "respond-without-webhook", "No webhook precedes a Respond to Webhook node.";
    SecretLiteral = "secret-literal", "A secret is written into a parameter.";
    CredentialEmbedded = "credential-embedded", "The reference to a credential contains more than its id and name.";
    HttpWithoutTimeout = "http-without-timeout", "An HTTP request has no timeout of its own.";
    ErrorsUnhandled = "errors-unhandled", "Calls to services have no error handling.";
    NodeTypeUnknown = "node-type-unknown", "There is no such node type, or its name is spelt differently.";
    NodeTypeUncovered = "node-type-uncovered", "The node type is of a package that the catalogue does not cover.";
    NodeTypeRestricted = "node-type-restricted", "n8n does not load this node type unless its configuration allows it.";
    NodeVersionUnknown = "node-version-unknown", "The node type has no such version.";
    ParameterMissing = "parameter-missing", "A parameter that the node needs is empty.";
    ParameterInvalid = "parameter-invalid", "A parameter has a value that n8n refuses to publish.";
    ParameterUnknown = "parameter-unknown", "The node has no such parameter; n8n ignores it.";
    ParameterOfOtherVersion = "parameter-of-other-version", "The parameter belongs to another version of the node type; this one ignores it.";
    ParameterOption = "parameter-option-unknown", "A parameter has a value that is none of its options.";
    ParameterShape = "parameter-shape", "The value of a parameter has a shape that the node cannot use.";
    ParameterJson = "parameter-json-invalid", "The text of a parameter is not the JSON that it should be.";
    NumberRounded = "number-rounded", "An integer is too large for JavaScript, so n8n stores another number.";
    ConditionUnknown = "condition-unknown", "A condition has an operator or a combinator that n8n does not know, so it is never true.";
    WorkflowIdDoubtful = "workflow-id-doubtful", "The id of another workflow is a placeholder that a template or a program left.";
    LocatorMode = "locator-mode-unknown", "A resource locator has a mode that the parameter does not offer.";
    ConnectionKind = "connection-kind", "A connection joins an output and an input of different kinds.";
    ConnectionReversed = "connection-reversed", "A connection of a sub-node has the wrong direction.";
    ConnectionOutput = "connection-output-unknown", "A connection starts at an output that the node does not have.";
    ConnectionInput = "connection-input-unknown", "A connection leads to an input that the node does not have.";
    ConnectionsTooMany = "connections-too-many", "More nodes are connected to an input than it accepts.";
    ErrorOutputUnconnected = "error-output-unconnected", "The error output is not connected, so failed items are lost.";
    SubNodeMissing = "sub-node-missing", "A node lacks a sub-node, such as a language model, without which it does not work.";
    CredentialTypeUnknown = "credential-type-unknown", "There is no such credential type.";
    CredentialTypeRefused = "credential-type-refused", "The node does not accept credentials of this type.";
    CredentialsMissing = "credentials-missing", "A node requires credentials and has none.";
    CompactInvalid = "compact-invalid", "A part of a workflow in the compact form has a shape, a name or a value that the form does not have.";
    SlotOpen = "slot-open", "A value that the user has to give is not there yet.";
    ValueInvented = "value-invented", "A generated workflow has an address, a host or an id that nobody gave.";
    EffectMissing = "effect-missing", "Nothing in a generated workflow has an effect that was asked for, or no trigger leads to it.";
    ServiceUnused = "service-unused", "The prompt names a service, and no node of the generated workflow uses it.";
    BranchesJoined = "branches-joined", "Both outputs of a condition lead to the same nodes, so that it decides nothing.";
    ConditionMissing = "condition-missing", "A node that decides has no conditions.";
    AnswerAsData = "answer-as-data", "A node reads the answer of the service before it in the place of the data that went in.";
    WebhookFieldUnknown = "webhook-field-unknown", "A field of a request is read beside the body of a webhook, where it never is.";
    SentPerItem = "sent-per-item", "Something that was asked for once is sent for each item.";
    NodeTypeDeprecated = "node-type-deprecated", "A generated workflow uses a node type that n8n no longer offers.";
    GeneratedForbidden = "generated-forbidden", "A generated workflow reads environment variables, or calls an address of the infrastructure of n8n.";
    TemplateInvalid = "template-invalid", "A WorkflowTemplate, or one of its inputs or examples, is not usable.";
    TemplatePlaceholder = "template-placeholder", "A placeholder of a template has no input, or stands where no value is put or where it would be code.";
    TemplateInputUnused = "template-input-unused", "No placeholder of a template uses one of its inputs.";
    TemplateInputUnknown = "template-input-unknown", "A value is given for an input that the template does not have.";
    TemplateInputMissing = "template-input-missing", "A template requires an input, and no value is given for it.";
    TemplateInputInvalid = "template-input-invalid", "The value of an input of a template does not fit its type, its bounds or its place.";
    PolicyNodeType = "policy-node-type", "A WorkflowPolicy of the namespace denies the type of a node.";
    PolicyHost = "policy-host", "A WorkflowPolicy of the namespace does not allow the host that a node calls.";
    PolicyHostUnknown = "policy-host-unknown", "A WorkflowPolicy of the namespace restricts hosts, and an expression computes this one.";
    PolicyWebhookPath = "policy-webhook-path", "A WorkflowPolicy of the namespace requires another beginning of the webhook path.";
    PolicyScheduleInterval = "policy-schedule-interval", "A trigger starts the workflow more often than a WorkflowPolicy of the namespace allows.";
    PolicyErrorWorkflow = "policy-error-workflow", "A WorkflowPolicy of the namespace requires an error workflow.";
    PolicyNodes = "policy-nodes", "The workflow has more nodes than a WorkflowPolicy of the namespace allows.";
    QuotaExceeded = "quota-exceeded", "The Workflows of the files are more than a WorkflowQuota of the namespace allows.";
}

impl Code {
    /// Reports whether the finding depends on facts about n8n's node types, and not on the document alone. For an n8n of another version
    /// than the catalogue's such a finding is only doubtful.
    pub const fn dependency_digest_catalog(self) -> bool {
        matches!(
            self,
            Code::TriggerMissing
                | Code::NodeTypeUnknown
                | Code::NodeTypeUncovered
                | Code::NodeVersionUnknown
                | Code::ParameterMissing
                | Code::ParameterInvalid
                | Code::ParameterUnknown
                | Code::ParameterOfOtherVersion
                | Code::ParameterOption
                | Code::ParameterShape
                | Code::ParameterJson
                | Code::ConditionUnknown
                | Code::LocatorMode
                | Code::ConnectionKind
                | Code::ConnectionReversed
                | Code::ConnectionOutput
                | Code::ConnectionInput
                | Code::ConnectionsTooMany
                | Code::SubNodeMissing
                | Code::CredentialTypeUnknown
                | Code::CredentialTypeRefused
                | Code::CredentialsMissing
        )
    }
}
