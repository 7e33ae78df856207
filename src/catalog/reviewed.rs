//! The lists behind [`super::capability`]: reviewed modules, names and files of n8n's sources, and their capabilities. docs/threat-model.md
//! explains how to renew them for a new version of n8n.

use super::capability::kind::Capability;

/// n8n's own node packages, whose files are followed.
pub(super) const NODE_PACKAGES: [&str; 2] = ["n8n-nodes-base", "@n8n/n8n-nodes-langchain"];

/// Modules of Node.js that reach nothing of n8n's host except the network.
const NODE_JS: &str = "
    assert buffer crypto dns events http https net path querystring stream string_decoder timers tls url util zlib
";

/// Modules that reach the host, with their capabilities. The name of a module also covers its submodules.
const REACHING: &[(&str, Capability)] = &[
    ("@langchain/classic/document_loaders/fs", Capability::Files),
    ("@langchain/community/document_loaders/fs", Capability::Files),
    ("@modelcontextprotocol/sdk/client/stdio", Capability::Code),
    ("child_process", Capability::Code),
    ("chokidar", Capability::Files),
    ("cluster", Capability::Code),
    ("fast-glob", Capability::Files),
    ("fs", Capability::Files),
    // The program that it starts reads files that a text or a font names.
    ("gm", Capability::Files),
    ("inspector", Capability::Code),
    ("isolated-vm", Capability::Code),
    // `file:` addresses and repository hooks.
    ("simple-git", Capability::Files),
    // The statements PUT and GET read and write files of the host.
    ("snowflake-sdk", Capability::Files),
    ("sqlite3", Capability::Files),
    ("tmp-promise", Capability::Files),
    ("v8", Capability::Code),
    ("vm", Capability::Code),
    ("vm2", Capability::Code),
    ("worker_threads", Capability::Code),
];

/// Packages that only act on the values that a node gives them: services, formats, models.
const PACKAGES: &str = "
    @aws-crypto/sha256-js @aws-sdk/client-bedrock-runtime @aws-sdk/credential-providers @azure/identity @azure/search-documents
    @confluentinc/kafka-javascript @e965/xlsx @google-cloud/resource-manager @google/genai @huggingface/inference
    @kafkajs/confluent-schema-registry @langchain/anthropic @langchain/aws @langchain/classic @langchain/cohere
    @langchain/community @langchain/core @langchain/google-genai @langchain/google-vertexai @langchain/groq @langchain/mistralai
    @langchain/mongodb @langchain/ollama @langchain/openai @langchain/pinecone @langchain/qdrant @langchain/redis
    @langchain/textsplitters @langchain/weaviate @mistralai/mistralai @modelcontextprotocol/sdk @mozilla/readability
    @oracle/langchain-oracledb @pinecone-database/pinecone @qdrant/js-client-rest @smithy/node-http-handler @smithy/protocol-http
    @smithy/signature-v4 @supabase/supabase-js @thednp/dommatrix @xata.io/client @zilliz/milvus2-sdk-node amqplib aws4 basic-auth
    change-case cheerio chromadb cohere-ai cron csv-parse currency-codes epub2 eventsource fastest-levenshtein fflate form-data
    generate-schema html-to-text iconv-lite ics isbot iso-639-1 js-nacl jsdom jsonwebtoken kafkajs ldapts lodash lossless-json
    luxon mailparser mammoth mime-types minifaker moment-timezone mongodb mqtt mssql mysql2 node-html-markdown node-ssh
    nodemailer openai oracledb otpauth pdfjs-dist pg pg-promise promise-ftp qs redis rfc2047 rhea rrule rss-parser sanitize-html
    semver showdown ssh2-sftp-client tar ts-ics uuid weaviate-client xml2js zod zod-to-json-schema
";

/// Names that nodes use from n8n's other packages, by module. No parameter of a node chooses which of n8n's own settings is read.
const OWN: &[(&str, &str)] = &[
    (
        "@n8n/ai-utilities",
        "
        N8nBinaryLoader N8nJsonLoader N8nLlmTracing createRefreshingAuthFetch createVectorStoreNode createZodSchemaFromArgs
        estimateTextSplitsByTokens extractFromAIParameters fetchFollowingRedirects getBatchingOptionFields
        getConnectionHintNoticeField getEncoding getMetadataFiltersValues getNodeProxyAgent getProxyAgent getTemplateNoticeField
        hasLongSequentialRepeat isChatInstance logAiEvent logWrapper makeN8nLlmFailedAttemptHandler metadataFilterField
        processDocuments proxyFetch redactHeaderValues redactSecrets
        ",
    ),
    ("@n8n/ai-utilities/json-schema", "zodToDraft202012"),
    ("@n8n/ai-utilities/model-discovery", "OFFICIAL_OPENAI_HOSTNAMES listAnthropicModels listOpenAiModels shouldIncludeOpenAiModel"),
    ("@n8n/backend-network/proxy", "createHttpsProxyAgent resolveProxyUrl"),
    ("@n8n/client-oauth2", "ClientOAuth2"),
    (
        "@n8n/config",
        "
        AiConfig ChatTriggerConfig CompressionNodeConfig DeploymentConfig GlobalConfig McpClientConfig McpServerConfig
        NodesConfig SecurityConfig
        ",
    ),
    // It provides the services that the other names request.
    ("@n8n/di", "Container Service"),
    ("@n8n/imap", "connect getParts"),
    ("@n8n/json-schema-to-zod", "jsonSchemaToZod"),
    ("@n8n/utils/errors/ensure-error", "ensureError"),
    ("@n8n/utils/format-pem-block", "formatPemBlock"),
    ("@n8n/utils/is-record", "isRecord"),
    ("@n8n/utils/json/to-json-value", "toJsonValue"),
    ("@n8n/utils/result", "createResultError createResultOk"),
    ("@n8n/utils/scrub-secrets", "scrubSecretsInText"),
    ("@n8n/utils/sleep", "sleep"),
    (
        "n8n-core",
        "
        ErrorReporter HITL_CALLBACK_PREFIX InstanceSettings StructuredToolkit TELEGRAM_HITL_WEBHOOK_SUFFIX
        buildHitlCallbackReference buildResumeUrlSuffix getHtmlSandboxCSP isEngineRequest isFormHtmlSandboxingDisabled
        isSlackInteractionRequest isTelegramInteractionRequest parseHitlCallbackReference
        ",
    ),
];

/// Names in n8n's packages that have capabilities.
const OWN_REACHING: &[(&str, Capability)] = &[("MemoryVectorStoreManager", Capability::Memory)];

/// Functions of n8n's contexts that have capabilities, wherever their names occur.
const REACHING_WORDS: &[(&str, Capability)] = &[
    ("assertNoSymlinkInPath", Capability::Files),
    ("copyBinaryFile", Capability::Files),
    ("createReadStream", Capability::Files),
    ("executeAgent", Capability::Agents),
    ("executeWorkflow", Capability::Workflows),
    ("getDataTableAggregateProxy", Capability::DataTables),
    ("getDataTableProxy", Capability::DataTables),
    ("getExecutionDataById", Capability::Unreviewed),
    ("getRuntimeCredential", Capability::Unreviewed),
    ("getStoragePath", Capability::Files),
    ("isFilePathBlocked", Capability::Files),
    ("listAgents", Capability::Agents),
    ("resolvePath", Capability::Files),
    ("startJob", Capability::Code),
    ("writeContentToFile", Capability::Files),
];

/// Functions of n8n's contexts that stay within the node, its workflow, its credentials and its execution, or act on the network.
const HARMLESS_WORDS: &str = "
    addExecutionHints addInputData addOutputData all assertBinaryData beginN8nOAuth2Flow binaryToBuffer binaryToString
    checkProcessedAndRecord checkTriggerCredentialStatus clearAllProcessedItems cloneWith close completeN8nOAuth2Flow
    constructExecutionMetaData constructor continueOnFail copyInputItems createDeferredPromise createSecureLookup
    detectBinaryEncoding emit emitError establishTriggerIdentity evaluateExpression execute first get getActivationMode getAll
    getBinaryDataBuffer getBinaryMetadata getBinaryPath getBinaryStream getBodyData getChatTrigger getChildNodes getContext
    getCredentials getCurrentNodeParameter getExecuteData getExecutionCancelSignal getExecutionContext getExecutionId
    getHeaderData getInputConnectionData getInputData getInputSourceData getInstanceBaseUrl getInstanceId getItemIndex
    getKnownNodeTypes getMode getNextRunIndex getNode getNodeInputs getNodeOutputs getNodeParameter getNodeWebhookUrl
    getParentCallbackManager getParentNodes getPollBudgetMs getProcessedDataCount getQueryData getRequestObject getResponseObject
    getRestApiUrl getRunnerStatus getSSHClient getSecureEgressFilter getSignedResumeUrl getTestWebhookUser getTimezone
    getWebhookName getWebhookResourceUrl getWorkflow getWorkflowDataProxy getWorkflowNodeContext getWorkflowSettings
    getWorkflowStaticData httpRequest httpRequestWithAuthentication isChatSessionTest isConsoleOutputRedacted isStreaming
    isToolExecution last logAiEvent logHitlResponse makeRoutingRequest manualTriggerFunction normalizeItems
    onExecutionCancellation onExecutionFinish onMessage poll preAuthentication prepareBinaryData putExecutionToWait
    refreshN8nOAuth2Flow refreshOAuth2Token registerCron request requestOAuth1 requestOAuth2 requestWithAuthentication
    requestWithAuthenticationPaginated reset resolve returnJsonArray saveFailedExecution sendChunk sendMessageToUI sendResponse
    set setAll setBinaryDataBuffer setMetadata supplyData trigger updateLastUsed validateCookieAuth validateN8nOAuth2Token
    validateUrl webhook
";

/// Files whose text was reviewed because they do something that the lists above do not allow: each with the fingerprint of that text and
/// its capabilities. A file that changes is no longer reviewed.
const FILES: &[(&str, &str, &[Capability])] = &[
    // addresses of the service and the version of the package
    ("n8n-nodes-base/nodes/Airtop/constants", "58fa29f824412bd7", &[]),
    // vm2 in the process of n8n
    ("n8n-nodes-base/nodes/Code/JavaScriptSandbox", "ba9b02fa395e4cde", &[Capability::Code]),
    // Code of all workflows runs in one process, the task runner. It gets no credentials, workflows or files there, but all code shares the
    // classes of luxon (DateTime, Duration, Interval): data that one workflow puts into them is visible to others.
    ("n8n-nodes-base/nodes/Code/JsTaskRunnerSandbox", "753747086fefbf76", &[Capability::Memory]),
    // the same
    ("n8n-nodes-base/nodes/Code/PythonTaskRunnerSandbox", "82450d28f37be9d3", &[Capability::Memory]),
    // fills the memory of n8n
    ("n8n-nodes-base/nodes/DebugHelper/functions", "a7c88c7e9248208b", &[Capability::Code]),
    // requests its own workflow
    ("n8n-nodes-base/nodes/DynamicCredentialCheck/DynamicCredentialCheck.node", "78ae19dda989aacb", &[]),
    // commands on the host
    ("n8n-nodes-base/nodes/ExecuteCommand/ExecuteCommand.node", "6c7a96bcc50e6cdc", &[Capability::Code]),
    // data of the execution that it started
    ("n8n-nodes-base/nodes/ExecuteWorkflow/ExecuteWorkflow/ExecuteWorkflow.node", "a4b8dfd07292c9bf", &[Capability::Workflows]),
    // uploaded files from the temporary folder
    ("n8n-nodes-base/nodes/Form/utils/utils", "f88bcd273c6bc85e", &[]),
    // temporary files of its own
    ("n8n-nodes-base/nodes/Ftp/Ftp.node", "3e5afe015f737b62", &[]),
    // SQL in an isolate without files and network
    ("n8n-nodes-base/nodes/Merge/v3/helpers/sandbox-utils", "e9435f7a514d78d0", &[]),
    ("n8n-nodes-base/nodes/MessageAnAgent/shared", "aec3abdde6d62eb7", &[Capability::Agents]),
    // binary data of the execution
    ("n8n-nodes-base/nodes/SpreadsheetFile/v1/SpreadsheetFileV1.node", "586bb4971613ffa8", &[]),
    // temporary files of its own
    ("n8n-nodes-base/nodes/Ssh/Ssh.node", "950881ffc615ea0a", &[]),
    // a temporary file of its own
    ("n8n-nodes-base/nodes/Webhook/Webhook.node", "5469352aa64c94d2", &[]),
    // uploaded files from the temporary folder
    ("n8n-nodes-base/nodes/Webhook/utils", "baf074462655796a", &[]),
    // only where n8n is configured to lend its own AWS identity
    ("n8n-nodes-base/credentials/common/aws/system-credentials-sdk", "457cbf4d1215c77d", &[]),
    // the same
    ("n8n-nodes-base/credentials/common/aws/system-credentials-utils", "3ca683b56252a9fb", &[]),
    // the same
    ("n8n-nodes-base/credentials/common/aws/utils", "c012502f22b65f10", &[]),
    // a database by credential
    ("@n8n/n8n-nodes-langchain/nodes/agents/Agent/agents/SqlAgent/other/handlers/mysql", "26889638d2248ad1", &[]),
    // a database by credential
    ("@n8n/n8n-nodes-langchain/nodes/agents/Agent/agents/SqlAgent/other/handlers/postgres", "6fffc95218f6a8f5", &[]),
    // SQL can attach any file as a database
    ("@n8n/n8n-nodes-langchain/nodes/agents/Agent/agents/SqlAgent/other/handlers/sqlite", "6aaf9f3c2775b309", &[Capability::Files]),
    // vm2 with the whole context of the node
    ("@n8n/n8n-nodes-langchain/nodes/code/Code.node", "65daf8b8ff19e9c6", &[Capability::Workflows, Capability::Code]),
    // uploaded files from the temporary folder
    ("@n8n/n8n-nodes-langchain/nodes/trigger/ChatTrigger/ChatTrigger.node", "527786ee177c7f2f", &[]),
    // A page for browsers.
    ("@n8n/n8n-nodes-langchain/nodes/trigger/ChatTrigger/templates", "279164ac420093b5", &[]),
];

fn holds(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|one| one == word)
}

/// Reports whether a module is one of n8n's own packages, whose names are reviewed one by one. `n8n-workflow` holds types and pure
/// functions.
pub(super) fn is_own(module: &str) -> bool {
    module != "n8n-workflow" && (module == "n8n-core" || module == "n8n" || module.starts_with("n8n-core/") || module.starts_with("@n8n/"))
}

/// Returns the capability of a name of one of n8n's own packages.
pub(super) fn own(module: &str, name: &str) -> Option<Capability> {
    if let Some((_, capability)) = OWN_REACHING.iter().find(|(reaching, _)| *reaching == name) {
        return Some(*capability);
    }
    let known = OWN.iter().any(|(known, names)| *known == module && holds(names, name));
    (!known).then_some(Capability::Unreviewed)
}

/// Returns the capability of a module that is not n8n's.
pub(super) fn module(module: &str) -> Option<Capability> {
    let module = module.strip_prefix("node:").unwrap_or(module);
    let is = |name: &str| module.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest.starts_with('.'));
    if let Some((_, capability)) = REACHING.iter().find(|(name, _)| is(name)) {
        return Some(*capability);
    }
    let known = module == "n8n-workflow" || NODE_JS.split_whitespace().chain(PACKAGES.split_whitespace()).any(is);
    (!known).then_some(Capability::Unreviewed)
}

/// Returns the capability of a word of a source; `context` says whether it is the name of a function of n8n's contexts.
pub(super) fn word(word: &str, context: bool) -> Option<Capability> {
    match REACHING_WORDS.iter().find(|(name, _)| *name == word) {
        Some((_, capability)) => Some(*capability),
        None => (context && !holds(HARMLESS_WORDS, word)).then_some(Capability::Unreviewed),
    }
}

/// Returns the capabilities of a file whose text was reviewed.
pub(super) fn file(name: &str, fingerprint: &str) -> Option<&'static [Capability]> {
    FILES.iter().find(|(file, of, _)| *file == name && *of == fingerprint).map(|(_, _, capabilities)| *capabilities)
}
