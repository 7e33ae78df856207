//! Words and values of a prompt that nothing in the workflow explains.

use std::collections::BTreeSet;

use super::clauses;
use super::flow::Flow;
use super::reading::Item;
use super::restrictions;
use super::services::VENDORS;
use super::tokens::Kind;
use super::words::is_among;
use super::world::{Stuck, harmless};

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
        Kind::Quoted => !has(&harmless(&item.text)) && !item.text.is_empty() && !names_place(items, item),
        Kind::Channel => !has(item.text.trim_start_matches(['#', '@'])),
        Kind::Number(value) => value > 1.0 && !has(&value.to_string()),
        Kind::Time(_) => true,
        _ => false,
    })?;
    Some(Stuck::Unknown(format!("the value {}", crate::text::one_line(&missing.text, 60))))
}

/// Reports whether a quotation is the name of a sheet, a board and so on, for which the user gives an id.
fn names_place(items: &[Item], quoted: &Item) -> bool {
    let at = items.iter().position(|item| std::ptr::eq(item, quoted)).unwrap_or_default();
    let place = |item: &Item| {
        item.service.is_some()
            || matches!(
                item.noun,
                Some(
                    "sheet"
                        | "table"
                        | "database"
                        | "list"
                        | "board"
                        | "project"
                        | "folder"
                        | "channel"
                        | "form"
                        | "calendar"
                        | "group"
                        | "bucket"
                )
            )
    };
    items[at.saturating_sub(1)..(at + 2).min(items.len())].iter().any(place)
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

/// Finds words that nothing explains: names of products, above all.
pub(super) fn strangers(flow: &mut Flow<'_>, items: &[Item], used: &BTreeSet<usize>) -> Option<Stuck> {
    let mut written: String = flow.nodes.iter().filter_map(|node| serde_json::to_string(&(&node.set, &node.when)).ok()).collect();
    written.push_str(&flow.assumptions.join(" "));
    let written = written.to_lowercase();
    let german = items
        .iter()
        .filter(|item| {
            item.is(&["der", "die", "das", "und", "den", "ein", "eine", "einen", "wenn", "im", "an", "jeden", "per", "mit", "aus"])
        })
        .count()
        > 2;
    if let Some(at) = (0..items.len()).find(|at| !used.contains(at) && is_unknown_request(items, *at)) {
        return Some(Stuck::Unknown(format!("what it means to {}", crate::text::one_line(&items[at].text.to_lowercase(), 60))));
    }
    let mut weight = 0;
    let (mut names, mut strange): (Vec<String>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut content = 0;
    for (at, item) in items.iter().enumerate() {
        if used.contains(&at)
            || !matches!(item.kind, Kind::Word | Kind::Host)
            || item.plain
            || item.service.is_some()
            || item.vendor.is_some()
        {
            content += usize::from(item.service.is_some());
            continue;
        }
        content += 1;
        // `the attached XML`, where attachments are downloaded.
        let attached = item.among("attached angehangte angehangten") && written.contains("attachment");
        let known = item.act.is_some() || item.noun.is_some() || clauses::is_event_word(&item.word) || is_format(&item.word) || attached;
        if known || item.number().is_some() || item.text.len() > 2 && written.contains(&item.text.to_lowercase()) {
            continue;
        }
        // A proper name is a product as often as not; after a named service it is only a part of its name.
        let after_service = at.checked_sub(1).is_some_and(|before| items[before].service.is_some());
        let proper = item.name && !german && !after_service || item.kind == Kind::Host;
        weight += if restrictions::is_choice(items, at) {
            100
        } else if proper {
            4
        } else if restrictions::is_part_of_name(items, at) || restrictions::is_thing(items, at) {
            1
        } else {
            2
        };
        names.push(item.text.clone());
        strange.push(at);
    }
    let part = restrictions::parts_of_names(items, &strange);
    if !part.is_empty() {
        let part: Vec<String> = part.into_iter().map(str::to_owned).collect();
        flow.assume(format!("Only a name, which chooses nothing: {}", crate::text::listed(&part, 6)));
    }
    (weight > 2 + content / 5).then(|| Stuck::Unknown(format!("the words {}", crate::text::listed(&names, 6))))
}

/// Reports whether a word that nothing explains stands where a request has its verb: `reconcile the ledger`. Without its step the workflow would do
/// less than what is asked for.
fn is_unknown_request(items: &[Item], at: usize) -> bool {
    let item = &items[at];
    let strange = item.kind == Kind::Word
        && !item.plain
        && item.service.is_none()
        && item.vendor.is_none()
        && item.act.is_none()
        && item.noun.is_none()
        && item.number().is_none()
        && !clauses::is_event_word(&item.word)
        && !item.is(&["remember", "remembers"])
        && !is_format(&item.word);
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
