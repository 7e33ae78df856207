//! Reasons of conditions and events; also the label `reason` of metrics.

/// Declares every reason once: the enum, its name as text, and its meaning for docs/reasons.md.
macro_rules! reasons {
    ($($name:ident: $meaning:literal,)+) => {
        /// Machine-readable reason of a condition or event. docs/reasons.md is generated from this enum.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $(#[doc = $meaning] $name,)+ }

        impl Reason {
            /// Every reason, in the order of docs/reasons.md.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)+];

            /// Returns the reason as conditions, events and metrics carry it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Reason::$name => stringify!($name),)+ }
            }

            /// Returns the description for docs/reasons.md: the meaning of the reason and the action to take.
            pub const fn meaning(self) -> &'static str {
                match self { $(Reason::$name => $meaning,)+ }
            }

            /// Parses the reason of a condition.
            pub fn parse(word: &str) -> Option<Reason> {
                Reason::ALL.iter().copied().find(|reason| reason.as_str() == word)
            }
        }
    };
}

reasons! {
    Succeeded: "The object is in the state that its spec asks for, as confirmed by reading it back.",
    Progressing: "A reconciliation is running, or its next step only waits for time to pass.",
    TimedOut: "A reconciliation exceeded the operator's `--reconcile-timeout` and was stopped. It is retried with exponential backoff and resumes what it had begun.",
    Suspended: "`spec.suspend` is true: nothing is read from or written to n8n. Remove the field to resume.",
    Resumed: "`spec.suspend` was removed: the object is reconciled again.",
    Reset: "A new value of the annotation `weirkeeper.dev/reset-at` was handled: what had failed or was stopped is retried.",
    Pinned: "The annotation `weirkeeper.dev/pinned-version` selects a stored version instead of the version in the spec.",
    Unpinned: "The annotation `weirkeeper.dev/pinned-version` was removed: the version in the spec applies again.",
    UnknownAnnotation: "An annotation of the group `weirkeeper.dev` is not supported on this kind, most likely because its key is misspelt. It has no effect. Correct its key or remove it.",
    Deleting: "The object is being deleted, and its deletion policy is being applied in n8n.",

    Valid: "The definition was read and has no errors; the message lists its warnings. A version that was accepted earlier stays valid: errors that a newer validator finds in it are reported as warnings.",
    InvalidDefinition: "n8n would refuse the definition, or it cannot work; the message names each node and field. Nothing of it is sent, and the published version stays. Correct the definition.",
    SourceNotFound: "The ConfigMap that `spec.definitionFrom` refers to, or the key in it, does not exist. Create it; reconciliation then continues without further action.",
    TemplateNotFound: "The template that `spec.templateRef` refers to does not exist, or does not allow this namespace. Its owner can allow it in `spec.allowedNamespaces`; reconciliation then continues without further action.",
    TemplateInvalid: "The template has errors; the message names their places in it. Workflows that were made from it keep what they have. Correct the template.",
    TemplateInputsInvalid: "A value in `spec.templateRef.inputs` does not fit its input, is missing, or is not known to the template. The message says what is wanted.",
    SourceUnreadable: "The text in the ConfigMap is neither JSON nor YAML with a workflow. The message gives the position of the error.",
    TooLarge: "The definition is too large to be stored. An inline definition may have 200 kB: move a larger one to a ConfigMap and refer to it in `spec.definitionFrom`.",
    UnreadableObject: "The object does not match the kind's schema although the API server stored it, most likely under an older CRD. The message names the field.",
    ReferenceNotFound: "A Workflow that `spec.references` refers to does not exist in this namespace.",
    ReferenceNotPublished: "A referenced Workflow is not published yet; n8n refuses to publish a workflow before those that it calls. Publication continues when it is.",
    ReferenceNotGranted: "The definition calls a workflow by its n8n id or by a computed id, or embeds a workflow that uses credentials in a node, and the instance does not grant this namespace their use. Map the id to a Workflow in `spec.references`, or ask the owner of the instance for a grant.",
    NodeTypeNotGranted: "A node has a type that can access more than its own definition (other workflows, agents, memory, files of n8n's host), or for which this is unknown, and the instance does not grant this namespace its use. Use another node, or ask the owner of the instance for a grant in `spec.grants[].nodeTypes`.",
    DataTableNotGranted: "A node uses a data table of n8n, or any data table, and the instance does not grant this namespace its use. Ask the owner of the instance for a grant in `spec.grants[].dataTables`.",
    ReferenceCycle: "The Workflows form a reference cycle, so that none of them can be published first. Remove one of the references.",
    VersionNotFound: "The annotation `weirkeeper.dev/pinned-version` names a version that is not stored. `status.history` lists the stored versions.",

    CredentialsMapped: "Every credential of the definition is mapped to an N8nCredential that is ready or to an existing credential of the n8n instance.",
    CredentialUnmapped: "The definition uses a credential that `spec.credentials` does not map. Map it to an N8nCredential (`weirkeeper credentials` writes its manifest) or to an existing credential; until then it is left out and the version is not published.",
    CredentialNotFound: "The N8nCredential that `spec.credentials[].credentialRef` names does not exist in this namespace, or the n8n instance has no credential with the name or id and type in `existing`.",
    CredentialMismatch: "The N8nCredential that `spec.credentials[].credentialRef` names has another type than the definition uses, or is on another N8nInstance. Name a matching one.",
    CredentialNotReady: "The N8nCredential that `spec.credentials[].credentialRef` names is not in n8n yet, does not work, or has to be authorised; the message has its own. The workflow is published without further action when the credential is ready, and a published version stays. A failing test of a credential that the published version uses already keeps nothing back.",
    CredentialAmbiguous: "The n8n instance has several credentials of the type with this name. Map it by id.",
    CredentialNotGranted: "The instance does not grant this namespace the use of the credential. Ask the owner of the instance for a grant.",

    SecretNotFound: "A Secret that the N8nCredential refers to, or a key in it, does not exist in its namespace. Create it; reconciliation then continues without further action. The credential in n8n keeps the values that it has.",
    InvalidCredential: "The fields of the N8nCredential do not fit n8n's schema of the type: the message names each field that is missing, unknown or of another type, never a value. Correct the Secret or `spec.data`; the credential in n8n keeps the values that it has.",
    UnknownCredentialType: "The n8n instance has no credential type of this name. Correct `spec.type`, or install the community package that has it.",
    CredentialRejected: "n8n refused to save the credential; the message has n8n's own words, unless these repeat a part of a value.",
    CredentialInUse: "The N8nCredential is being deleted, and Workflows still use it. It is deleted in n8n when the last of them is gone or names another; `deletionPolicy: ForceDelete` does not wait.",
    TestPassed: "n8n tested the credential, and the service accepts it.",
    TestFailed: "n8n tested the credential, and the test failed: the values are wrong, expired or revoked, or the service does not answer. Published workflows stay published. Correct the Secret; it is tested again when its values change, at `spec.testInterval`, and on `weirkeeper.dev/requested-at`.",
    NotTestable: "n8n has no test for credentials of this type, or none before the first use: only executions show whether the service accepts it.",
    NotTested: "The credential was not tested since its values were written.",
    NeedsAuthorization: "A person has to authorise the credential: open it in n8n under Credentials and connect the account. The rest follows without further action.",

    InstanceNotFound: "The N8nInstance does not exist, or does not allow this namespace. Its owner can allow it in `spec.allowedNamespaces`.",
    InstanceUnreachable: "n8n does not respond. Unchanged workflows stay Ready for three intervals; the message has the last error.",
    InstanceStarting: "n8n is starting; it answers 404 to every request until it is ready.",
    ApiNotFound: "The server at the N8nInstance's URL does not serve the public API of n8n: it is a login page, an authenticating proxy, a redirect, the editor, another site, or an n8n whose API is disabled or has another path. The message has the request, the response and the setting to change.",
    Unauthorized: "The server refuses the API key: it is wrong, expired or revoked, or may not use the model. Put a valid key into the Secret; it is read again within a minute.",
    KeySecretNotFound: "The Secret that `spec.apiKeySecretRef` refers to, or the key in it, does not exist in the namespace of the object.",
    KeyExpiring: "The API key expires within 14 days. Create a new one and put it into the Secret.",
    KeyNotExpiring: "The API key does not expire within 14 days.",
    MissingScope: "The API key lacks a required scope; the message names it. Add the scope to the key.",
    RateLimited: "n8n, a server of language models or a proxy in front of it limits the rate of requests. Requests resume after the time that it gave.",
    AddressDenied: "The URL resolves to an address that is never contacted: link-local, a metadata service, or loopback without the operator's flag `--allow-loopback`.",
    InvalidInstance: "The spec of the N8nInstance cannot be used; the message names the field.",
    UnsupportedN8n: "This version of n8n is too old: its API lacks features that Weirkeeper requires. Upgrade n8n to 2.35 or newer; nothing else is required.",
    ProviderNotFound: "The ModelProvider does not exist, cannot be read, or does not allow this namespace. Its owner can allow it in `spec.allowedNamespaces`.",
    ProviderUnreachable: "The server of language models does not respond, or fails. The message has the last error; calls are tried again without further action.",
    InvalidProvider: "The spec of the ModelProvider cannot be used; the message names the field.",
    ModelNotFound: "The server of language models has no such model, or what answers at `spec.baseURL` is no such server: a page, a redirect, another path. `baseURL` is the part of the URL before `/chat/completions`.",
    OutOfCredit: "The account at the server of language models has no credit or quota left. Pay its bill or raise its limits there.",

    CatalogLoaded: "The catalogue of node types is loaded and matches the version of n8n.",
    CatalogOfOtherVersion: "The catalogue of node types is of another version than n8n, or the version of n8n is unknown: findings based on node types are warnings, and n8n decides. Build a catalogue of this n8n with `weirkeeper catalog build` and refer to it in `spec.catalogRef`.",
    CatalogNotFound: "The ConfigMap that `spec.catalogRef` refers to, or the key in its binaryData, does not exist. Until it does, the built-in catalogue is used and findings based on it are warnings.",
    CatalogUnreadable: "The content that `spec.catalogRef` refers to is not a catalogue, or is damaged. Until it is replaced, the built-in catalogue is used and findings based on it are warnings. Build it again with `weirkeeper catalog build`.",
    IdentityChanged: "Many managed workflows disappeared at the same time (more than 5, and more than 10 %): the URL leads to another n8n, or to an emptied one. Nothing is written to it until `weirkeeper.dev/reset-at` is set on the N8nInstance.",
    OriginChanged: "`spec.url` of the N8nInstance leads to another origin than the one at which its Workflows are bound. Nothing is written to it until the URL is changed back or `weirkeeper.dev/reset-at` is set on the N8nInstance.",
    QuotaExceeded: "A WorkflowQuota of the namespace does not allow it; the message has the resource, its usage and its limit. What is in n8n or published stays as it is. Nothing of a Workflow without a place is sent; it continues by itself as soon as there is a place, the day ends, or the limit is raised. On a WorkflowQuota the message names the Workflows that wait, and those beyond a lowered limit.",
    WithinQuota: "No Workflow waits for a place under the quota, and no limit is exceeded.",
    PolicyDenied: "A WorkflowPolicy of the namespace denies the definition; the message has the node and the rule. Nothing of it is sent to n8n, and the version that is published stays as it is, unless the policy has `enforce: Running`: then it is unpublished. Change the definition, or ask the owner of the policy.",
    PolicyUnreadable: "The rules of the WorkflowPolicy cannot be read, most likely because a newer operator or CRD wrote them. Nothing is deployed in the namespace until they can.",
    RequestFailed: "n8n or Kubernetes sent no response, or one that is not understood. The request is retried with exponential backoff.",

    Synced: "The workflow in n8n matches the spec, as confirmed by reading it back.",
    NotSynced: "The workflow in n8n does not match the spec yet.",
    CreatePending: "A create request got no response and may still take effect. The next reconciliation is scheduled after the longest time that it can take.",
    DuplicateMarks: "Several workflows in n8n carry the mark of this object, most likely because somebody duplicated one. None is deleted: delete the copies, or remove their setting `customTelemetryTags`.",
    OwnedByPrevious: "A workflow in n8n carries the mark of an earlier object with this name, most likely because the cluster was restored. Set `spec.adopt.id` to take it over, or delete it in n8n; to take over many at once, set the annotation `weirkeeper.dev/restored-from` on the N8nInstance.",
    AlreadyClaimed: "Another Workflow is bound to the workflow in n8n that `spec.adopt` refers to. Change one of them.",
    AdoptNotGranted: "The instance does not grant this namespace the adoption of the workflow in n8n. Ask the owner of the instance for a grant.",
    AdoptNotFound: "n8n has no workflow with the id in `spec.adopt`.",
    TagNotGranted: "The instance does not grant this namespace the use of a tag in `spec.tags`, because users of n8n may rely on it. Ask the owner of the instance for a grant, or remove the tag.",
    ProjectNotGranted: "The instance does not grant this namespace the use of the project in `spec.project`. Ask the owner of the instance for a grant.",
    ProjectNotFound: "n8n has no project with the id in `spec.project`, or the user of the API key may create nothing in it. The published version stays; a new version waits.",
    WebhookPathTaken: "Another workflow uses the webhook path. This one is published when the path is free.",

    WebhookPathComputed: "The path or method of a webhook is an expression, so that its callers cannot be known in advance. Outside the namespace of the N8nInstance such a workflow is not published. Use a literal path and method, or ask the owner of the instance for a grant of all workflows.",

    Live: "Every production webhook of the published version is registered in n8n.",
    NotLive: "A production webhook of the published version is not registered in n8n.",
    NotVerifiable: "The registration of the workflow's triggers cannot be verified from outside n8n.",
    NotPublished: "The workflow is not published, so nothing is live.",

    Healthy: "Probes passed, and production executions stay below the error limit.",
    Baking: "The version is published, and its executions are watched until `healthCheck.bakeTime` is over.",
    NotEnoughExecutions: "There were too few executions since publication to evaluate the error rate.",
    ExecutionsNotSaved: "n8n does not save successful executions of this workflow, so that no error rate can be calculated.",
    HealthNotChecked: "No health check is configured, or the workflow is not published.",
    ErrorRateExceeded: "The percentage of executions since publication that failed is above `healthCheck.maximumErrorRate`.",
    ProbeFailed: "A probe in `spec.healthCheck` got an unexpected response.",
    ProbeSecretRefused: "A header of a probe would send the API key of an N8nInstance: it refers to the Secret that holds one, or its value contains one. It is not sent. Put the value of the header into a Secret of its own.",
    ProbeUnanswered: "A probe in `spec.healthCheck` got no response from the workflow itself: it timed out, the connection broke, or the response came from a proxy, the editor or an n8n that cannot execute the workflow. The probe is repeated. After three attempts within at least 30s the last good version is published again, and this version is retried later without intervention.",
    PublishRefused: "n8n refused to publish the version; the message has its error.",
    PublishUnconfirmed: "Publication was requested and could not be confirmed.",
    RejectedByN8n: "n8n refused to save the definition; the message has its error.",

    RolledBack: "The last good version is published instead of the version in the spec. Correct the definition, or set `weirkeeper.dev/reset-at` to retry it.",
    RollbackFailed: "The last good version could not be published again; it is retried with exponential backoff.",
    NoGoodVersion: "The version failed, and there is no good version to roll back to.",
    RollbackManual: "The version failed and `spec.rollback` is Manual: nothing was changed.",

    InSync: "The workflow in n8n matches the state that was last confirmed.",
    DriftReverted: "A change made in n8n was stored as a version and reverted.",
    DriftReported: "The workflow was changed in n8n; the change was left because `spec.driftPolicy` is Report.",
    DriftIgnored: "The workflow was changed in n8n; the change was left because `spec.driftPolicy` is Ignore.",
    DriftContested: "The workflow was changed in n8n repeatedly after the changes were reverted. It is left as it is for an hour; find out who or what changes it.",
    ValuesRewritten: "n8n renewed a token, or somebody edited the credential; n8n shows no difference between the two. The fields of the Secret were written again, and the tokens stayed.",
    DraftEdited: "The editor has an unpublished draft. The published version is correct; the draft is kept until the next change that has to be written.",

    Cleaned: "The deletion policy was applied to the workflow in n8n.",
    CleanupAbandoned: "n8n did not respond within the deletion bound, so the finalizer was removed. The workflow may still exist in n8n.",

    PromptAnalysed: "The prompt was understood; the message says how the workflow is built, and why that way.",
    PromptAbstained: "Nothing is built, because a guess would probably be wrong. The message says what was recognised. Write the prompt more precisely, use a WorkflowTemplate, or refer to a ModelProvider.",
    PromptRefused: "What the prompt asks for is not built. The message says why.",
    InvalidPrompt: "The WorkflowPrompt cannot be worked on; the message names the field.",
    AnswersNeeded: "Answers change the workflow: `status.questions` and `status.requiredInputs` list what is missing. Give them in `spec.answers` or in the annotation `weirkeeper.dev/answers`.",
    NothingAsked: "No question is open, and no value is missing.",
    GenerationPending: "The workflow is being generated.",
    Generated: "A workflow was generated from the prompt.",
    GenerationFailed: "Every attempt to generate the workflow had errors; `status.validation` lists those of the best one. Nothing is deployed. Change the prompt, or set `weirkeeper.dev/reset-at` to try again.",
    ModelFailed: "The language model gave no usable answer; the message says why.",
    WithinBudget: "No quota and no limit of the prompt stops the use of a language model.",
    LimitExceeded: "A limit in `spec.limits` is reached. Raise it, or change the prompt.",
    ApprovalPending: "The proposal waits for the approval of a person: read `status.proposal` and set the annotation `weirkeeper.dev/approved-digest` to its digest.",
    Approved: "The annotation `weirkeeper.dev/approved-digest` approves the proposal.",
    ApprovalNotRequired: "Neither the prompt nor a WorkflowPolicy requires an approval.",
    Deployed: "The Workflow holds what was generated.",
    DeploymentPending: "The Workflow does not hold what was generated yet.",
    WorkflowExists: "A Workflow of this name exists and was not made by this WorkflowPrompt. Choose another name in `spec.workflow.name`, or delete the Workflow.",
    WorkflowNotReady: "The Workflow that was made is not Ready; the message has its reason.",
    RepairPending: "The Workflow that was made failed its health check, and a model is asked for a repair. It is proposed like every other change.",
    BaseNotFound: "The Workflow that `spec.baseWorkflowRef` names does not exist, or the ConfigMap with its definition does not.",
    BaseUnusable: "The Workflow that `spec.baseWorkflowRef` names cannot be changed by a prompt; the message says why. Refer to another Workflow, or remove the reference.",

    CertificateRenewed: "A certificate of the admission webhook was made, or the next one is used from now on. No action is required.",
    CertificateRestored: "The Secret with the certificate of the admission webhook was deleted or damaged. It was written again from memory, and the certificate is renewed.",
    CABundleWritten: "The authorities of the webhook's certificate were written to the `caBundle` of the ValidatingWebhookConfiguration, which named others or none.",

    InternalError: "An internal invariant was violated. This is a bug; please report it with the operator's log.",
}

/// Kind of an error, by what resolves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The author has to correct the object or the source of its definition.
    Invalid,
    /// Something that the object refers to does not exist yet.
    Waiting,
    /// Somebody has to grant, renew or allow something.
    Denied,
    /// A retry resolves it.
    Transient,
    /// A bug in Weirkeeper.
    Bug,
}

impl Class {
    /// Returns the value of the metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Class::Invalid => "invalid",
            Class::Waiting => "waiting",
            Class::Denied => "denied",
            Class::Transient => "transient",
            Class::Bug => "bug",
        }
    }

    /// Reports whether somebody has to intervene: condition `Stalled` in the sense of kstatus.
    pub const fn needs_a_person(self) -> bool {
        matches!(self, Class::Invalid | Class::Denied | Class::Bug)
    }
}
