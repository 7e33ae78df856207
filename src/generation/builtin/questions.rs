//! Questions about prompts that leave open what changes the workflow.

use super::compose::Composed;
use super::reading::Item;
use super::stuck::Stuck;
use super::tokens::Kind;
use super::words::Act;
use crate::generation::outcome::Question;

/// Maximum number of questions.
const MOST: usize = 3;

/// A question, and how its answer becomes a part of the prompt.
pub(super) struct Asked {
    pub question: Question,
    /// Words of the prompt that the answer replaces; it is added to the prompt if there are none.
    pub replaces: Option<String>,
    /// Text around the answer, with `@` in its place; empty if the answer is not added to the prompt but says where messages go.
    pub phrase: &'static str,
}

/// Systems that people name by their kind, with products of that kind.
const KINDS: &[(&str, &str, &[&str])] = &[
    ("crm", "Which CRM is it?", &["HubSpot", "Pipedrive", "Salesforce", "Zoho CRM"]),
    ("helpdesk", "Which helpdesk is it?", &["Zendesk", "Freshdesk", "Zammad", "Help Scout"]),
    ("tracker", "Which issue tracker is it?", &["Jira", "Linear", "GitHub", "GitLab"]),
    ("board", "Which board is it?", &["Trello", "Asana", "ClickUp", "Monday.com"]),
    ("spreadsheet", "Which spreadsheet is it?", &["Google Sheets", "Microsoft Excel", "Airtable"]),
    ("sheet", "Which spreadsheet is it?", &["Google Sheets", "Microsoft Excel", "Airtable"]),
    ("table", "Where is the table?", &["n8n data table", "Google Sheets", "Postgres", "Airtable"]),
    ("database", "Which database is it?", &["Postgres", "MySQL", "MongoDB", "Airtable"]),
    ("calendar", "Which calendar is it?", &["Google Calendar", "Microsoft Outlook"]),
    ("drive", "Which drive is it?", &["Google Drive", "Dropbox", "Microsoft OneDrive"]),
    ("cloud", "Which storage is it?", &["Google Drive", "AWS S3", "Dropbox"]),
    ("erp", "Which ERP is it?", &["Odoo", "ERPNext"]),
    ("shop", "Which shop system is it?", &["Shopify", "WooCommerce", "Magento 2"]),
    ("list", "Where is the list?", &["Todoist", "Google Tasks", "Google Sheets"]),
];
const VAGUE: &[&str] = &[
    "something",
    "anything",
    "stuff",
    "things",
    "etwas",
    "irgendwas",
    "quelque",
    "algo",
    "everything",
    "wrong",
    "goes",
    "important",
    "interesting",
];

/// Returns the questions about a prompt that is vague rather than beyond the patterns; none if it is not.
pub(super) fn about(composed: &Composed<'_>) -> Vec<Asked> {
    let items = &composed.items;
    let words = items.iter().filter(|item| item.kind == Kind::Word).count();
    let mut found: Vec<Asked> = Vec::new();
    let services = items.iter().filter(|item| item.service.is_some() || item.vendor.is_some()).count();
    let unknown = composed.stuck.iter().filter(|stuck| matches!(stuck, Stuck::Unknown(_))).count();
    let vague = items.iter().any(|item| item.is(VAGUE));
    let open = composed.stuck.iter().any(|stuck| !matches!(stuck, Stuck::Unknown(_)));
    // A long prompt with services is not vague, whatever is not understood of it.
    let long = words > 60 || words > 18 && (unknown > 1 || composed.start.is_none() && services > 0);
    if long || services > 2 && !open || services > 0 && unknown > 1 && !vague && !open {
        return found;
    }
    synchronize(items, &mut found);
    start(composed, vague, &mut found);
    for stuck in &composed.stuck {
        match stuck {
            Stuck::Channel => channel(&mut found),
            Stuck::Place(noun) => kind(noun, &mut found),
            Stuck::Condition(text) => condition(text, &mut found),
            Stuck::Unknown(_) => {}
        }
    }
    if services == 0 || vague {
        kinds(items, &mut found);
        if tells(items) && !names_channel(items) {
            channel(&mut found);
        }
        steps(composed, &mut found);
    }
    // Something that is not understood beside an open place is not healed by the answer.
    let hopeless = unknown > 0 && services > 0 && !vague && composed.start.is_some();
    if hopeless {
        found.clear();
    }
    found.truncate(MOST);
    found
}

fn push(found: &mut Vec<Asked>, asked: Asked) {
    if !found.iter().any(|own| own.question.id == asked.question.id) {
        found.push(asked);
    }
}

fn question(id: &str, text: &str, options: &[&str], default: Option<&str>) -> Question {
    Question {
        id: id.to_owned(),
        text: text.to_owned(),
        options: options.iter().map(|one| (*one).to_owned()).collect(),
        default: default.map(str::to_owned),
    }
}

/// Two systems that are to be kept alike: which they are, by what records match, and which side wins.
fn synchronize(items: &[Item], found: &mut Vec<Asked>) {
    let synchronizes =
        items.iter().any(|item| item.word.starts_with("sync") || item.is(&["mirror", "abgleichen", "synchronisieren", "synchroniser"]));
    let services = items.iter().filter(|item| item.service.is_some()).count();
    if !synchronizes || services >= 2 {
        return;
    }
    kinds(items, found);
    let other = items.windows(2).find(|pair| {
        pair[0].is(&["other", "anderen", "autre", "otro"]) && pair[1].is(&["system", "tool", "app", "side", "systeme", "sistema", "one"])
    });
    if let Some(pair) = other {
        let text = format!("{} {}", pair[0].text, pair[1].text);
        let asked = question("other-system", "Which is the other system?", &[], None);
        push(found, Asked { question: asked, replaces: Some(text), phrase: "@" });
    }
    let asked = question(
        "matching",
        "Which records and fields are kept alike, by which key are they matched, and which side wins if both changed?",
        &[],
        None,
    );
    push(found, Asked { question: asked, replaces: None, phrase: " Records: @." });
}

fn start(composed: &Composed<'_>, vague: bool, found: &mut Vec<Asked>) {
    let wrong = composed.items.iter().any(|item| item.is(&["wrong", "breaks", "broken", "fails", "schief", "mal", "down"]));
    if composed.start.is_none() && wrong && vague {
        let asked = question(
            "watched",
            "What is watched, and which event is meant?",
            &["an n8n workflow fails", "a website is down", "an error arrives at a webhook"],
            None,
        );
        push(found, Asked { question: asked, replaces: Some("something goes wrong".to_owned()), phrase: "@" });
        let asked = question("condition", "How is it recognised that something is wrong?", &[], None);
        push(found, Asked { question: asked, replaces: None, phrase: " It is wrong if @." });
        return;
    }
    if composed.start.is_none() {
        // The events of the services that the prompt names come first.
        let triggers = composed.items.iter().filter_map(|item| item.service).map(|at| &composed.flow.lexicon.services[at]);
        let mut options: Vec<String> = Vec::new();
        for service in triggers.filter(|service| service.trigger.is_some()) {
            let option = format!("when something new comes in {}", service.display);
            if !options.contains(&option) {
                options.push(option);
            }
        }
        options.truncate(2);
        let others = ["every day at 9", "when a form is submitted", "when a webhook is called", "when a mail arrives"];
        options.extend(others.iter().map(|one| (*one).to_owned()));
        let question = Question { id: "start".to_owned(), text: "What starts the workflow?".to_owned(), options, default: None };
        push(found, Asked { question, replaces: None, phrase: " It starts @." });
    }
}

fn channel(found: &mut Vec<Asked>) {
    let asked = question("channel", "Where does the message go?", &["Slack", "e-mail", "Telegram", "Microsoft Teams"], Some("e-mail"));
    push(found, Asked { question: asked, replaces: None, phrase: "" });
}

fn kind(noun: &str, found: &mut Vec<Asked>) {
    if let Some((word, text, options)) = KINDS.iter().find(|(word, ..)| *word == noun) {
        push(found, Asked { question: question(word, text, options, None), replaces: Some((*word).to_owned()), phrase: "@" });
    } else {
        let asked = question("system", "In which system are the records?", &["Google Sheets", "Airtable", "Notion", "Postgres"], None);
        push(found, Asked { question: asked, replaces: None, phrase: " The records are in @." });
    }
}

/// Asks about systems that are named by their kind.
fn kinds(items: &[Item], found: &mut Vec<Asked>) {
    for item in items {
        let own =
            KINDS.iter().find(|(word, ..)| item.is(&[word])).filter(|(word, ..)| !matches!(*word, "list" | "table" | "shop" | "board"));
        if let Some((word, ..)) = own {
            kind(word, found);
        }
    }
}

fn condition(text: &str, found: &mut Vec<Asked>) {
    let text = crate::text::one_line(text, 80);
    let asked = question("condition", &format!("When exactly is this the case: “{text}”?"), &[], None);
    push(found, Asked { question: asked, replaces: Some(text), phrase: "@" });
}

fn tells(items: &[Item]) -> bool {
    items.iter().any(|item| item.act == Some(Act::Send) || matches!(item.noun, Some("alert" | "message" | "reminder")))
}

fn names_channel(items: &[Item]) -> bool {
    items.iter().any(|item| item.service.is_some() || item.noun == Some("mail") || item.kind == Kind::Channel || item.kind == Kind::Mail)
}

/// Asks for the steps if the prompt has none.
fn steps(composed: &Composed<'_>, found: &mut Vec<Asked>) {
    let does = composed.items.iter().any(|item| item.is_verb && !matches!(item.act, None | Some(Act::Light | Act::Create)));
    let open = composed.stuck.iter().any(|stuck| !matches!(stuck, Stuck::Unknown(_)));
    if composed.flow.effects == 0 && !does && !open && found.len() < MOST {
        let asked = question("steps", "Which steps are there, in which systems?", &[], None);
        push(found, Asked { question: asked, replaces: None, phrase: " Steps: @." });
        let onboarding = composed.items.iter().any(|item| item.is(&["onboarding", "offboarding"]));
        if onboarding {
            let asked = question("whom", "Is it about customers or employees?", &["customers", "employees"], None);
            push(found, Asked { question: asked, replaces: None, phrase: " It is about @." });
        }
    }
}
