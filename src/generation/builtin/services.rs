//! Names of services in a prompt: those of the catalogue, and what people call them.

use std::collections::HashMap;

use super::tokens::{Kind, Token, tokens};
use super::words::is_among;
use crate::catalog::Catalog;

/// A service, with the node types that reach it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Service {
    /// Name of its node type without package and `Trigger`.
    pub key: String,
    /// Name for people.
    pub display: String,
    /// Node type that acts.
    pub action: Option<String>,
    /// Node type that starts workflows.
    pub trigger: Option<String>,
}

/// A provider of language models.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Vendor {
    words: &'static str,
    /// Name for people.
    pub display: &'static str,
    /// Node type of its chat model, without package.
    pub chat: &'static str,
}

/// The model that is taken if a prompt wants one and names none.
pub(super) const OPENAI: usize = 0;

pub(super) const VENDORS: &[Vendor] = &[
    Vendor { words: "openai|chatgpt|gpt|gpt 4|gpt 5|gpt 4o|open ai|dall e|whisper", display: "OpenAI", chat: "lmChatOpenAi" },
    Vendor { words: "gemini|google gemini|google ai", display: "Google Gemini", chat: "lmChatGoogleGemini" },
    Vendor { words: "claude|anthropic", display: "Anthropic", chat: "lmChatAnthropic" },
    Vendor { words: "groq", display: "Groq", chat: "lmChatGroq" },
    Vendor { words: "mistral|mistral ai", display: "Mistral", chat: "lmChatMistralCloud" },
    Vendor { words: "ollama|llama|ollama llama", display: "Ollama", chat: "lmChatOllama" },
    Vendor { words: "deepseek|deep seek", display: "DeepSeek", chat: "lmChatDeepSeek" },
    Vendor { words: "openrouter|open router", display: "OpenRouter", chat: "lmChatOpenRouter" },
    Vendor { words: "cohere", display: "Cohere", chat: "lmChatCohere" },
    Vendor { words: "azure openai", display: "Azure OpenAI", chat: "lmChatAzureOpenAi" },
    Vendor { words: "grok|xai", display: "xAI", chat: "lmChatXAiGrok" },
    Vendor { words: "bedrock|aws bedrock|amazon bedrock", display: "AWS Bedrock", chat: "lmChatAwsBedrock" },
];

/// Node types that belong to no service: the patterns use them by themselves.
const OWN: &str = "aggregate code compareDatasets compression convertToFile crypto dateTime debugHelper dynamicCredentialCheck e2eTest \
     e2eTestPollingTrigger editImage emailReadImap emailSend errorTrigger evaluation evaluationTrigger executeCommand \
     executeWorkflow executeWorkflowTrigger executionData extractFromFile filter form formTrigger html httpRequest if jwt limit \
     localFileTrigger manualTrigger markdown merge n8n n8nTrigger n8nTrainingCustomerDatastore n8nTrainingCustomerMessenger noOp \
     readWriteFile removeDuplicates renameKeys respondToWebhook rssFeedRead rssFeedReadTrigger scheduleTrigger set simulate sort \
     splitInBatches splitOut stickyNote stopAndError summarize switch timeSaved totp twitter wait webhook workflowTrigger xml";

/// Names that are ordinary words: they name a service only with a capital letter inside a sentence.
const ORDINARY: &str = "affinity autopilot box bubble cockpit coda copper cortex demio drift emelia flow ghost git grist harvest hunter intercom \
     iterable line linear mandrill matrix medium paddle raindrop segment seven stripe switch teams twist vero wise zoom keap \
     mocean oura onfleet plivo beeminder notion slack";
/// Of these, the names that are services in lower case too where a preposition of place stands before them.
const AFTER_PREPOSITION: &str = "slack notion stripe teams zoom";

/// Common names of services, by the name of the node type.
const ALIASES: &[(&str, &str)] = &[
    (
        "googleSheets",
        "google sheet|gsheet|gsheets|google spreadsheet|google spreadsheets|google tabelle|google tabellen|hoja de google|hojas de \
                      google|hoja de calculo de google|feuille google|google-sheet|sheets",
    ),
    ("googleDrive", "gdrive|drive folder|google drive folder"),
    ("googleCalendar", "gcal|google kalender|google agenda|agenda google|calendario de google|google calender"),
    ("googleDocs", "google doc|google docs"),
    ("googleContacts", "google contact|google kontakte"),
    ("googleTasks", "google task"),
    ("googleCloudNaturalLanguage", "google natural language|google cloud natural language api|google nlp|cloud natural language"),
    ("googleTranslate", "google translation|google ubersetzer"),
    ("googleBigQuery", "bigquery|big query"),
    ("googleChat", "google chat space"),
    ("googleFirebaseCloudFirestore", "firestore|cloud firestore"),
    ("googleFirebaseRealtimeDatabase", "firebase realtime database|firebase"),
    ("microsoftExcel", "excel|microsoft excel|ms excel|excel 365"),
    ("microsoftOutlook", "outlook|office 365 mail|outlook mail|microsoft outlook"),
    ("microsoftTeams", "ms teams|teams|teams channel"),
    ("microsoftOneDrive", "onedrive|one drive"),
    ("microsoftSharePoint", "sharepoint"),
    ("microsoftToDo", "microsoft todo|ms to do"),
    ("microsoftSql", "sql server|mssql|ms sql"),
    ("microsoftDynamicsCrm", "dynamics crm|dynamics 365|microsoft dynamics"),
    ("postgres", "postgresql|postgres database|postgres db"),
    ("mySql", "mysql database"),
    ("mongoDb", "mongo"),
    ("jira", "jira|jira cloud"),
    ("mondayCom", "monday.com|monday board"),
    ("twitter", "twitter|x twitter|tweet|tweets|x formerly twitter"),
    ("whatsApp", "whatsapp|whatsapp business|whats app"),
    ("sendInBlue", "sendinblue"),
    ("awsS3", "s3|amazon s3|s3 bucket|aws s3 bucket"),
    ("awsSes", "amazon ses|ses"),
    ("awsSqs", "amazon sqs|sqs"),
    ("awsSns", "amazon sns|sns"),
    ("awsLambda", "lambda|amazon lambda"),
    ("awsTextract", "textract|amazon textract"),
    ("awsRekognition", "rekognition|amazon rekognition"),
    ("awsTranscribe", "amazon transcribe"),
    ("awsComprehend", "amazon comprehend|comprehend"),
    ("awsDynamoDb", "dynamodb|amazon dynamodb"),
    ("s3", "minio"),
    ("hackerNews", "hackernews|hn"),
    ("openWeatherMap", "open weather map|openweather"),
    ("quickbooks", "quickbooks"),
    ("zohoCrm", "zoho"),
    ("sentryIo", "sentry"),
    ("urlScanIo", "urlscan"),
    ("wordpress", "wordpress blog"),
    ("cal", "cal.com"),
    ("ftp", "sftp|ftp server"),
    ("mqtt", "mqtt broker"),
    ("clickUp", "click up"),
    ("gong", "gong"),
    ("phantombuster", "phantom buster"),
    ("facebookGraphApi", "facebook graph|graph api|facebook page"),
    ("facebookLeadAds", "facebook lead ad|facebook leads|facebook lead ads form"),
    ("uptimeRobot", "uptimerobot"),
    ("sms77", "seven sms"),
    ("homeAssistant", "homeassistant"),
    ("dataTable", "data table|data tables|n8n table|n8n data table|datentabelle"),
    ("googleWorkspaceAdmin", "google workspace"),
    ("deepL", "deepl"),
    ("youTube", "youtube channel|youtube"),
    ("gitlab", "gitlab"),
    ("github", "github repo|github repository"),
];

/// Finds the services of a catalogue in texts.
#[derive(Debug)]
pub(super) struct Lexicon {
    pub services: Vec<Service>,
    /// Names by their first word, the longest first.
    names: HashMap<String, Vec<(Vec<String>, Meaning)>>,
}

/// Meaning of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A service, by index.
    Service(usize),
    /// A provider of language models, by index.
    Vendor(usize),
}

impl Lexicon {
    pub(super) fn of(catalog: &Catalog) -> Self {
        let mut services: Vec<Service> = Vec::new();
        let mut keys: HashMap<String, usize> = HashMap::new();
        for entry in catalog.index().nodes.iter().filter(|entry| !entry.hidden || entry.name.ends_with(".twitter")) {
            let Some(short) = entry.name.strip_prefix("n8n-nodes-base.") else { continue };
            let (key, trigger) = short.strip_suffix("Trigger").map_or((short, false), |key| (key, true));
            if is_among(OWN, short) && short != "twitter" {
                continue;
            }
            let at = *keys.entry(key.to_lowercase()).or_insert_with(|| {
                services.push(Service { key: key.to_owned(), ..Service::default() });
                services.len() - 1
            });
            let display = entry.display_name.trim_end_matches(" (Beta)").trim_end_matches(" Trigger");
            if !trigger || services[at].display.is_empty() {
                services[at].display = display.split(" (").next().unwrap_or(display).to_owned();
            }
            let own = if trigger { &mut services[at].trigger } else { &mut services[at].action };
            *own = Some(entry.name.clone());
        }
        let mut lexicon = Self { names: HashMap::new(), services };
        for at in 0..lexicon.services.len() {
            let Service { key, display, .. } = lexicon.services[at].clone();
            lexicon.name(&display, Meaning::Service(at));
            lexicon.name(&key, Meaning::Service(at));
            let aliases = ALIASES.iter().filter(|(name, _)| *name == key).flat_map(|(_, words)| words.split('|'));
            aliases.for_each(|alias| lexicon.name(alias, Meaning::Service(at)));
        }
        for (at, vendor) in VENDORS.iter().enumerate() {
            vendor.words.split('|').for_each(|words| lexicon.name(words, Meaning::Vendor(at)));
        }
        lexicon.names.values_mut().for_each(|names| names.sort_by_key(|(words, _)| std::cmp::Reverse(words.len())));
        lexicon
    }

    fn name(&mut self, text: &str, meaning: Meaning) {
        let words: Vec<String> =
            tokens(text).into_iter().filter(|token| !matches!(token.kind, Kind::Comma)).map(|token| token.word).collect();
        let mut all = vec![words.clone()];
        if let Some(singular) =
            words.last().and_then(|last| last.strip_suffix('s')).filter(|singular| words.len() > 1 && singular.len() > 2)
        {
            let mut short = words[..words.len() - 1].to_vec();
            short.push(singular.to_owned());
            all.push(short);
        }
        if words.len() > 1 {
            all.push(vec![words.concat()]);
        }
        for words in all {
            let Some(first) = words.first().filter(|first| first.len() > 1) else { continue };
            let known = self.names.entry(first.clone()).or_default();
            if !known.iter().any(|(own, _)| *own == words) {
                known.push((words, meaning));
            }
        }
    }

    /// Returns what the tokens from a place on name, and how many of them.
    pub(super) fn find(&self, tokens: &[Token], at: usize) -> Option<(Meaning, usize)> {
        let first = &tokens[at];
        if !matches!(first.kind, Kind::Word | Kind::Host) {
            return None;
        }
        let names = self.names.get(&first.word)?;
        let (words, meaning) = names.iter().find(|(words, _)| {
            let rest = &tokens[at..];
            words.len() <= rest.len() && words.iter().zip(rest).all(|(word, token)| *word == token.word)
        })?;
        if let [word] = words.as_slice()
            && is_among(ORDINARY, word)
            && !first.name
        {
            let before = at.checked_sub(1).map(|before| tokens[before].word.as_str()).unwrap_or_default();
            let placed = matches!(before, "to" | "in" | "into" | "on" | "from" | "via" | "by" | "with" | "an" | "a" | "our" | "my" | "per");
            let begins = at == 0 || matches!(tokens[at - 1].kind, Kind::Stop | Kind::Colon);
            let capital = first.text.starts_with(char::is_uppercase);
            // `a new linear issue`.
            let issue = word == "linear" && tokens.get(at + 1).is_some_and(|next| is_among("issue issues ticket tickets", &next.word));
            let certain = issue || is_among(AFTER_PREPOSITION, word) && (placed && word != "teams" || begins && capital || word == "slack");
            if !certain {
                return None;
            }
        }
        Some((*meaning, words.len()))
    }

    /// Returns a service by the name of its node type.
    pub(super) fn by_key(&self, key: &str) -> Option<usize> {
        self.services.iter().position(|service| service.key == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Vec<String> {
        let lexicon = Lexicon::of(Catalog::embedded());
        let tokens = tokens(text);
        let (mut at, mut found) = (0, Vec::new());
        while at < tokens.len() {
            match lexicon.find(&tokens, at) {
                Some((Meaning::Service(service), length)) => {
                    found.push(lexicon.services[service].key.clone());
                    at += length;
                }
                Some((Meaning::Vendor(vendor), length)) => {
                    found.push(VENDORS[vendor].display.to_owned());
                    at += length;
                }
                None => at += 1,
            }
        }
        found
    }

    #[test]
    fn services_are_found_by_all_their_names() {
        for (text, wanted) in [
            ("a Google Sheet and Excel", vec!["googleSheets", "microsoftExcel"]),
            ("Check it with Hunter, then our Linear board", vec!["hunter", "linear"]),
            ("we hunter the line in a box on a linear scale", vec![]),
            ("Google Cloud Natural Language, AWS Textract", vec!["googleCloudNaturalLanguage", "awsTextract"]),
            ("post to slack and to MS Teams", vec!["slack", "microsoftTeams"]),
            ("tell the teams", vec![]),
            ("WhatsApp Business number with Groq", vec!["whatsApp", "Groq"]),
            ("open a Sentry.io or monday.com item", vec!["sentryIo", "mondayCom"]),
            ("Vonage SMS, HubSpot's contact, OneDrive", vec!["vonage", "hubspot", "microsoftOneDrive"]),
        ] {
            assert_eq!(named(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_service_has_its_node_types() {
        let lexicon = Lexicon::of(Catalog::embedded());
        let service = &lexicon.services[lexicon.by_key("slack").unwrap()];
        assert_eq!(service.display, "Slack");
        assert!(service.action.is_some() && service.trigger.is_some());
        assert!(lexicon.services.len() > 250, "{}", lexicon.services.len());
    }
}
