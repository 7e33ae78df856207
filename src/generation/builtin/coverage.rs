//! Words and values of a prompt that nothing in the workflow explains.

use std::collections::BTreeSet;

use super::clauses;
use super::flow::{Flow, written};
use super::reading::Item;
use super::services::VENDORS;
use super::stuck::Stuck;
use super::tokens::Kind;
use super::words::is_among;
use super::world::harmless;

/// Finds values of the prompt that are nowhere in the workflow.
pub(super) fn forgotten(flow: &Flow<'_>, items: &[Item]) -> Option<Stuck> {
    // Conditions compare in lower case.
    let written: String = flow.nodes.iter().filter_map(|node| serde_json::to_string(node).ok()).collect::<String>().to_lowercase();
    let assumed = flow.assumptions.join(" ").to_lowercase();
    let has = |text: &str| {
        let quoted = serde_json::Value::from(text).to_string();
        written.contains(&quoted.trim_matches('"').to_lowercase()) || assumed.contains(&text.to_lowercase())
    };
    let missing = items.iter().find(|item| match item.kind {
        Kind::Url | Kind::Mail | Kind::Phone | Kind::Host => !has(&harmless(&item.text)),
        Kind::Quoted => !has(&harmless(&item.text)) && !item.text.is_empty(),
        Kind::Channel => {
            let own = item.text.trim_start_matches(['#', '@']);
            !written.contains(own) && !flow.assumptions.iter().any(|said| said.starts_with("Give the id") && said.contains(own))
        }
        Kind::Number(value) => value != 1.0 && value != 0.0 && !has(&value.to_string()),
        Kind::Time(_) => true,
        _ => false,
    })?;
    Some(Stuck::Unknown(format!("the value {}", crate::text::one_line(&missing.text, 60))))
}

/// Finds a format or a tool of the prompt that no node makes, reads or is.
pub(super) fn unmade(flow: &Flow<'_>, items: &[Item]) -> Option<Stuck> {
    const NEEDS: &[(&[&str], &[&str])] = &[
        (&["csv", "xlsx", "xls"], &["convertToFile", "extractFromFile", "spreadsheetFile"]),
        (&["zip", "unzip"], &["compression"]),
        (&["calculator", "rechner", "calculatrice", "calculadora"], &["toolCalculator"]),
        (&["wikipedia"], &["toolWikipedia"]),
        (&["serpapi"], &["toolSerpApi"]),
        (&["base64"], &["moveBinaryData", "code"]),
    ];
    let has = |kinds: &[&str]| flow.nodes.iter().any(|node| kinds.contains(&node.kind.as_str()));
    let missing = NEEDS.iter().filter(|(_, kinds)| !has(kinds)).find_map(|(words, _)| items.iter().find(|item| item.is(words)))?;
    Some(Stuck::Unknown(format!("what {} is for", missing.text)))
}

/// Finds a service of the prompt that no node reaches.
pub(super) fn unreached(flow: &Flow<'_>, items: &[Item], callers: &[Item]) -> Option<Stuck> {
    // A service that calls the webhook has no node.
    let hooked = flow.nodes.first().is_some_and(|node| node.kind == "webhook");
    let calls = |at: usize| {
        hooked
            && callers.iter().filter(|item| item.service == Some(at)).count()
                == items.iter().filter(|item| item.service == Some(at)).count()
            && !callers.windows(2).any(|two| two[1].service == Some(at) && two[0].is(&["in", "en", "into", "to", "dans", "nach"]))
    };
    let reaches = |kinds: [Option<&str>; 2]| {
        flow.nodes.iter().any(|node| {
            let short = node.kind.split('.').next().unwrap_or_default();
            kinds.into_iter().flatten().any(|kind| kind.rsplit_once('.').is_some_and(|(_, own)| own == short))
                || kinds.contains(&Some(node.kind.as_str()))
        })
    };
    let missing = items.iter().find(|item| {
        if let Some(at) = item.service {
            let service = &flow.lexicon.services[at];
            let memory = service.key == "postgres" && flow.nodes.iter().any(|node| node.kind == "memoryPostgresChat");
            return !memory && !calls(at) && !reaches([service.action.as_deref(), service.trigger.as_deref()]);
        }
        item.vendor.is_some_and(|at| {
            let vendor = &VENDORS[at];
            let own = vendor.display == "OpenAI" && flow.nodes.iter().any(|node| node.kind.contains("langchain.openAi"));
            !own && !flow.nodes.iter().any(|node| node.kind == vendor.chat)
        })
    })?;
    Some(Stuck::Unknown(format!("what {} is for", missing.text)))
}

/// Finds a word that is not known where a request has its verb.
pub(super) fn unknown_request(flow: &Flow<'_>, items: &[Item], used: &BTreeSet<usize>) -> Option<Stuck> {
    let mut texts: String = flow.nodes.iter().map(written).collect();
    texts.push_str(&flow.assumptions.join(" "));
    let texts = texts.to_lowercase();
    // `remind me to water the plants`: the text says it.
    let said =
        |at: usize| items.get(at + 1).is_some_and(|next| texts.contains(&format!("{} {}", items[at].text, next.text).to_lowercase()));
    let at = (0..items.len()).find(|at| !used.contains(at) && is_unknown_request(items, *at) && !said(*at))?;
    Some(Stuck::Unknown(format!("what it means to {}", crate::text::one_line(&items[at].text.to_lowercase(), 60))))
}

/// Reports whether a word that nothing explains stands where a request has its verb: `reconcile the ledger`. Without its step the workflow would do
/// less than what is asked for.
fn is_unknown_request(items: &[Item], at: usize) -> bool {
    let item = &items[at];
    let strange = clauses::is_strange(item) && !item.is(&["remember", "remembers"]) && !is_format(&item.word);
    let begins = at.checked_sub(1).map(|before| &items[before]).is_none_or(|before| {
        matches!(before.kind, Kind::Stop | Kind::Comma | Kind::Colon) || before.is(&["and", "then", "please", "to", "should", "must"])
    });
    let object = items.get(at + 1).is_some_and(|next| {
        next.is(&["the", "a", "an", "my", "our", "your", "all", "it", "them", "this", "these", "those", "its", "their", "his", "her"])
    });
    strange && begins && object
}

fn is_format(word: &str) -> bool {
    const FORMATS: &str = "csv pdf xml json html markdown xlsx excel zip eur usd euro euros dollar dollars imap smtp http https rest api sql german english french spanish \
        italian deutsch englisch francais espanol portuguese dutch urgent id ids positive negative neutral valid invalid subject german new sync rss url cv hr sms \
        gmt cet utc crm erp wikipedia calculator rechner serpapi hashtag berlin paris london madrid pipeline stage newsletter blog word words keyword";
    is_among(FORMATS, word)
}
