//! One word for each thing that can be said: condition reason, event reason and metric label.

/// Declares the reasons once: the enum, its words and the text of the documented catalogue.
macro_rules! reasons {
    ($($name:ident: $meaning:literal,)+) => {
        /// Why a condition stands as it does. The catalogue in docs/reasons.md is generated from here.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $(#[doc = $meaning] $name,)+ }

        impl Reason {
            /// Every reason, in the order of the catalogue.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)+];

            /// The word that conditions, events and metrics carry.
            pub const fn as_str(self) -> &'static str {
                match self { $(Reason::$name => stringify!($name),)+ }
            }

            /// What it means and what to do, for the catalogue.
            pub const fn meaning(self) -> &'static str {
                match self { $(Reason::$name => $meaning,)+ }
            }

            /// The reason of a word that a condition carries.
            pub fn parse(word: &str) -> Option<Reason> {
                Reason::ALL.iter().copied().find(|reason| reason.as_str() == word)
            }
        }
    };
}

reasons! {
    Succeeded: "Everything the spec asks for is there and was read back.",
    Progressing: "A pass is under way, or its next step waits for nothing but time.",
    TimedOut: "A pass took longer than the operator's `--pass-bound` and was stopped. It is tried again with growing pauses; what it had begun is found again.",
    Suspended: "`spec.suspend` is set: nothing is read from or written to n8n. Remove it to go on.",
    Resumed: "`spec.suspend` was taken off: n8n is read and written again.",
    Reset: "A new value of the annotation `weirkeeper.dev/reset-at` was handled: what had failed or was stopped is tried again.",
    Pinned: "The annotation `weirkeeper.dev/pinned-version` asks for a kept version in place of the spec's.",
    Unpinned: "The annotation `weirkeeper.dev/pinned-version` was taken off: the spec decides again.",
    UnknownAnnotation: "An annotation of the group `weirkeeper.dev` is none that is read on this kind, most likely because it is misspelt. It does nothing. Correct its key, or remove it.",
    Deleting: "The object is being deleted and its workflow in n8n is being settled by the deletion policy.",

    Valid: "The definition was read and nothing of it is known to be refused by n8n or not to work; the message has what is doubtful. A version that was accepted before stays valid: what a stricter validator would refuse today is only said.",
    InvalidDefinition: "n8n would refuse the definition, or it cannot work; the message names each node and field. Nothing of it is sent, and what serves goes on serving. Correct the definition.",
    SourceNotFound: "The ConfigMap, or the key in it, that `spec.definitionFrom` names does not exist. Create it; the pass repeats by itself.",
    SourceUnreadable: "The text in the ConfigMap is neither JSON nor YAML that holds a workflow. The message says where reading stopped.",
    TooLarge: "The definition is larger than can be kept. Inline definitions hold 200 kB: move larger ones to a ConfigMap and name it in `spec.definitionFrom`.",
    UnreadableObject: "The object does not fit the kind's types, although the API server stored it (an older CRD, most likely). The message names the field.",
    ReferenceNotFound: "A Workflow that `spec.references` names does not exist in this namespace.",
    ReferenceNotPublished: "A referenced Workflow is not published yet; n8n refuses a parent whose child is not. It goes on by itself.",
    ReferenceNotGranted: "The definition calls a workflow by its raw n8n id or by one that it computes, or holds a workflow inside a node that uses credentials, and the instance grants this namespace no use of them. Map it to a Workflow in `spec.references`, or ask for a grant.",
    NodeTypeNotGranted: "A node is of a type that can reach more than its own definition (other workflows, agents, memory, files of n8n's host), or of which that is not known, and the instance grants this namespace no use of it. Use another node, or ask for a grant under `spec.grants[].nodeTypes`.",
    DataTableNotGranted: "A node works with a data table of n8n, or with any, and the instance grants this namespace no use of it. Ask for a grant under `spec.grants[].dataTables`.",
    ReferenceRing: "Workflows refer to each other in a ring, so none can be published first. Break the ring.",
    VersionNotFound: "The annotation `weirkeeper.dev/pinned-version` names a version that is not kept. `status.history` lists those that are.",

    CredentialsMapped: "Every credential of the definition is mapped to one on the instance.",
    CredentialUnmapped: "The definition names a credential that `spec.credentials` does not map. Map it to an existing one; until then it is left out and publication waits.",
    CredentialNotFound: "No credential of that name or id and type exists on the instance.",
    CredentialAmbiguous: "Several credentials of the type have that name on the instance. Map by id instead.",
    CredentialNotGranted: "The instance grants this namespace no use of that credential. Ask the instance's owner for a grant.",

    InstanceNotFound: "The N8nInstance does not exist, or does not allow this namespace. Its owner can allow it in `spec.allowedNamespaces`.",
    InstanceUnreachable: "n8n does not answer. Unchanged workflows keep Ready for three intervals; the message has the last error.",
    InstanceStarting: "n8n is up but not ready yet; it answers 404 to everything until then.",
    ApiNotFound: "What answers at the N8nInstance's URL is not n8n's public API: a login page, a gate, a redirect, the editor, another site, or an n8n whose API is switched off or has another path. The message says what was asked, what came, and what to change.",
    Unauthorized: "n8n does not accept the API key: wrong, expired or revoked. Put a valid key into the Secret; it is read again within a minute.",
    KeySecretNotFound: "The Secret, or the key in it, that `spec.apiKeySecretRef` names does not exist in the instance's namespace.",
    KeyExpiring: "The API key expires within 14 days. Make a new one and put it into the Secret.",
    KeyNotExpiring: "The API key does not expire, or not within 14 days.",
    MissingScope: "The API key lacks a scope that this needs; the message names it. Give the key that scope.",
    RateLimited: "n8n, or a proxy before it, asks for fewer requests. It goes on when the time it named is over.",
    AddressDenied: "The URL leads to an address that is never contacted: link-local, metadata, or loopback without the operator's flag.",
    InvalidInstance: "The N8nInstance's spec cannot be used; the message names the field.",
    UnsupportedN8n: "This n8n is too old: its API lacks what Weirkeeper is built on. Upgrade it to 2.35 or newer; nothing else has to be done.",
    CatalogLoaded: "The catalogue of node types is in use and is of this n8n's version.",
    CatalogOfOtherVersion: "The catalogue of node types is of another version than this n8n, or this n8n's version is not known: what rests on node types is a warning, and n8n decides. Make one of this n8n with `weirkeeper catalog build` and name it in `spec.catalogRef`.",
    CatalogNotFound: "The ConfigMap, or the key in its binaryData, that `spec.catalogRef` names does not exist. The built-in catalogue is used meanwhile, and what rests on it is a warning.",
    CatalogUnreadable: "What `spec.catalogRef` names is no catalogue, or is damaged. The built-in one is used meanwhile, and what rests on it is a warning. Make it again with `weirkeeper catalog build`.",
    IdentityChanged: "Most managed workflows vanished together: another n8n, or an emptied one, answers at the URL. Nothing is written to it until `weirkeeper.dev/reset-at` is set on the N8nInstance.",
    OriginChanged: "`spec.url` of the N8nInstance leads to another origin than the one that its workflows are bound to. Nothing is written to it until the URL is set back, or `weirkeeper.dev/reset-at` is set on the N8nInstance.",
    RequestFailed: "n8n answered in a way that is not understood, or not at all, and the request is repeated with growing pauses.",

    Synced: "n8n holds what should be there, as read back.",
    NotSynced: "n8n does not hold what should be there yet.",
    CreatePending: "A create was sent and not answered; it may still arrive. The next look is after its longest life.",
    DuplicateMarks: "Several workflows in n8n carry this object's mark, most likely because a person duplicated one. None is deleted: delete the copies, or take their `customTelemetryTags` away.",
    OwnedByPrevious: "A workflow in n8n carries the mark of an earlier object of this name (a restored cluster, most likely). Set `spec.adopt.id` to take it over, or delete it in n8n; for many at once, set the annotation `weirkeeper.dev/restored-from` on the N8nInstance.",
    AlreadyClaimed: "Another Workflow is bound to the n8n workflow that `spec.adopt` names. Point one of them elsewhere.",
    AdoptNotGranted: "The instance grants this namespace no adoption of that n8n workflow. Ask the instance's owner for a grant.",
    AdoptNotFound: "No n8n workflow has the id that `spec.adopt` names.",
    TagNotGranted: "The instance grants this namespace no use of a tag that `spec.tags` names: n8n's users may go by it. Ask the instance's owner for a grant, or take the tag out.",
    ProjectNotGranted: "The instance grants this namespace no use of the n8n project that `spec.project` names. Ask the instance's owner for a grant.",
    ProjectNotFound: "n8n has no project with the id that `spec.project` names, or the user of the API key may not create workflows in it. What serves goes on; a new version waits.",
    WebhookPathTaken: "Another workflow serves that webhook path. This one goes live by itself when the path is free.",

    WebhookPathComputed: "A webhook's path or method is computed by an expression, so that nobody can tell beforehand whose callers it would reach. Outside the namespace of the N8nInstance that is not published. Write both plainly, or ask for a grant of all workflows.",

    Live: "Every production webhook of the published version is registered.",
    NotLive: "A production webhook of the published version is not registered in n8n.",
    NotVerifiable: "Nothing in the workflow lets anybody outside n8n tell whether its triggers are connected.",
    NotPublished: "The workflow is not published, so nothing is live.",

    Healthy: "Probes passed and real executions stay below the error limit.",
    Baking: "The version is published and watched; the verdict falls when `healthCheck.bakeTime` is over.",
    NotEnoughExecutions: "Too few executions since publication for a verdict.",
    ExecutionsNotSaved: "n8n does not save successful executions of this workflow, so an error rate means nothing.",
    HealthNotChecked: "No health check is asked for, or nothing is published.",
    ErrorRateExceeded: "More of the executions since publication failed than `healthCheck.maximumErrorRate` allows.",
    ProbeFailed: "A probe of `spec.healthCheck` did not get the answer it expects.",
    ProbeSecretRefused: "A header of a probe would send the API key of an N8nInstance: it names the Secret that holds one, or has one in its value. It is not sent. Put what the probe sends into a Secret of its own.",
    ProbeUnanswered: "A probe of `spec.healthCheck` got no answer of the workflow's own: nothing in time, a broken connection, or what a proxy, the editor or an n8n that cannot run it answers. It is made again. After three times in half a minute or more the last good version is put back, and this one is tried again by itself later.",
    PublishRefused: "n8n refused to publish the version; its words are in the message.",
    PublishUnconfirmed: "Publication was asked for and could not be confirmed.",
    RejectedByN8n: "n8n refused to save the definition; its words are in the message.",

    RolledBack: "The last good version serves in place of the spec's. Correct the definition, or set `weirkeeper.dev/reset-at` to try it again.",
    RollbackFailed: "The last good version could not be put back; it is tried again with growing pauses.",
    NoGoodVersion: "The version failed and there is none to go back to.",
    RollbackManual: "The version failed and `spec.rollback` is Manual: nothing was changed.",

    InSync: "n8n holds exactly what was put there.",
    DriftReverted: "Somebody's change in n8n was kept as a revision and undone.",
    DriftReported: "Somebody changed the workflow in n8n; `spec.driftPolicy` is Report, so it was left.",
    DriftIgnored: "Somebody changed the workflow in n8n; `spec.driftPolicy` is Ignore.",
    DriftContested: "The workflow was changed in n8n again and again after it was put right. It is left as it is for an hour; find who changes it.",
    DraftEdited: "The editor holds an unpublished draft. What is published is right; the draft is left until the next real change.",

    Cleaned: "The workflow in n8n was settled by the deletion policy.",
    CleanupAbandoned: "n8n did not answer until the bound, so the finalizer was released. The workflow may still be there.",

    InternalError: "An invariant of Weirkeeper broke. This is a bug; please report it with the operator's log.",
}

/// Who must act so that an error goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The author edits the object or its source.
    Invalid,
    /// Something that the object refers to is not there yet.
    Waiting,
    /// Somebody has to grant, renew or allow.
    Denied,
    /// Time heals it.
    Transient,
    /// Weirkeeper itself is wrong.
    Bug,
}

impl Class {
    /// The word for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Class::Invalid => "invalid",
            Class::Waiting => "waiting",
            Class::Denied => "denied",
            Class::Transient => "transient",
            Class::Bug => "bug",
        }
    }

    /// Whether a person is needed: `Stalled` in the sense of kstatus.
    pub const fn needs_a_person(self) -> bool {
        matches!(self, Class::Invalid | Class::Denied | Class::Bug)
    }
}
