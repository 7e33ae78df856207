//! Events of services that start workflows.

use serde_json::{Map, Value, json};

use super::operations::parts;
use super::words::is_among;
use crate::catalog::{Catalog, Kind, NodeVersion};

/// Parameters of triggers by service: the words of which one is said (none: always), and the parameters. The first rule that fits decides.
const RULES: &[(&str, &str, &str)] = &[
    ("telegram", "channel", r#"{"updates": ["channel_post"]}"#),
    ("telegram", "", r#"{"updates": ["message"]}"#),
    ("slack", "mention mentions mentioned", r#"{"trigger": ["app_mention"]}"#),
    ("slack", "reaction reacts emoji", r#"{"trigger": ["reaction_added"]}"#),
    ("slack", "file", r#"{"trigger": ["file_share"]}"#),
    ("slack", "joins join joined", r#"{"trigger": ["team_join"], "watchWorkspace": true}"#),
    ("slack", "", r#"{"trigger": ["message"]}"#),
    (
        "gmail",
        "attachment",
        r#"{"simple": false, "filters": {"q": "has:attachment"}, "options": {"downloadAttachments": true, "dataPropertyAttachmentsPrefixName": "attachment_"}}"#,
    ),
    ("gmail", "", r#"{"simple": false}"#),
    (
        "microsoftOutlook",
        "attachment",
        r#"{"filters": {"hasAttachments": true}, "options": {"downloadAttachments": true, "attachmentsPrefix": "attachment_"}}"#,
    ),
    ("whatsApp", "", r#"{"updates": ["messages"]}"#),
    ("github", "pullrequest pull", r#"{"events": ["pull_request"]}"#),
    ("github", "comment", r#"{"events": ["issue_comment"]}"#),
    ("github", "issue", r#"{"events": ["issues"]}"#),
    ("github", "release released version", r#"{"events": ["release"]}"#),
    ("github", "star starred stars stern estrella etoile", r#"{"events": ["star"]}"#),
    ("github", "push pushed pushes commit", r#"{"events": ["push"]}"#),
    ("gitlab", "merge", r#"{"events": ["merge_requests"]}"#),
    ("gitlab", "issue", r#"{"events": ["issues"]}"#),
    ("gitlab", "pipeline", r#"{"events": ["pipeline"]}"#),
    ("gitlab", "release", r#"{"events": ["releases"]}"#),
    ("gitlab", "push commit", r#"{"events": ["push"]}"#),
    ("jira", "comment", r#"{"events": ["comment_created"]}"#),
    ("jira", "updated changed changes update moved status", r#"{"events": ["jira:issue_updated"]}"#),
    ("jira", "", r#"{"events": ["jira:issue_created"]}"#),
    ("googleSheets", "updated changed changes update", r#"{"event": "rowUpdate"}"#),
    ("googleSheets", "", r#"{"event": "rowAdded"}"#),
    ("googleDrive", "updated changed changes modified", r#"{"triggerOn": "specificFolder", "event": "fileUpdated"}"#),
    ("googleDrive", "", r#"{"triggerOn": "specificFolder", "event": "fileCreated"}"#),
    ("microsoftOneDrive", "updated changed changes modified", r#"{"event": "fileUpdated", "watch": "selectedFolder"}"#),
    ("microsoftOneDrive", "", r#"{"event": "fileCreated", "watchFolder": true}"#),
    ("notion", "updated changed changes update edited", r#"{"event": "pagedUpdatedInDatabase"}"#),
    ("notion", "", r#"{"event": "pageAddedToDatabase"}"#),
    ("stripe", "dispute", r#"{"events": ["charge.dispute.created"]}"#),
    ("stripe", "refund refunded", r#"{"events": ["charge.refunded"]}"#),
    ("stripe", "checkout", r#"{"events": ["checkout.session.completed"]}"#),
    (
        "stripe",
        "failed fails failure declined falle fallan echouent fehlgeschlagene fehlgeschlagen fehlschlagt echoue fallido falla",
        r#"{"events": ["charge.failed"]}"#,
    ),
    ("stripe", "cancelled canceled cancels deleted unsubscribes", r#"{"events": ["customer.subscription.deleted"]}"#),
    ("stripe", "subscription subscribes", r#"{"events": ["customer.subscription.created"]}"#),
    ("stripe", "invoice", r#"{"events": ["invoice.paid"]}"#),
    (
        "stripe",
        "payment paid pays charge succeeds paga pagan zahlt bezahlt paie paye reussi exitoso",
        r#"{"events": ["charge.succeeded"]}"#,
    ),
    ("stripe", "customer", r#"{"events": ["customer.created"]}"#),
    ("shopify", "cancelled canceled storniert annulee annule cancelado cancelada", r#"{"topic": "orders/cancelled"}"#),
    ("shopify", "paid bezahlt payee paye pagado pagada", r#"{"topic": "orders/paid"}"#),
    ("shopify", "refund", r#"{"topic": "refunds/create"}"#),
    ("shopify", "order ordered sale", r#"{"topic": "orders/create"}"#),
    ("shopify", "customer", r#"{"topic": "customers/create"}"#),
    ("shopify", "product", r#"{"topic": "products/create"}"#),
    ("hubspot", "deal", r#"{"eventsUi": {"eventValues": [{"name": "deal.creation"}]}}"#),
    ("hubspot", "company", r#"{"eventsUi": {"eventValues": [{"name": "company.creation"}]}}"#),
    ("hubspot", "ticket", r#"{"eventsUi": {"eventValues": [{"name": "ticket.creation"}]}}"#),
    ("hubspot", "contact lead", r#"{"eventsUi": {"eventValues": [{"name": "contact.creation"}]}}"#),
    (
        "calendly",
        "cancelled canceled cancels cancellation abgesagt storniert annule annulee cancelado cancelada cancela",
        r#"{"scope": "user", "events": ["invitee.canceled"]}"#,
    ),
    ("calendly", "", r#"{"scope": "user", "events": ["invitee.created"]}"#),
    ("cal", "cancelled canceled cancels", r#"{"events": ["BOOKING_CANCELLED"]}"#),
    ("cal", "", r#"{"events": ["BOOKING_CREATED"]}"#),
    ("linear", "comment", r#"{"resources": ["comment"]}"#),
    ("linear", "project", r#"{"resources": ["project"]}"#),
    ("linear", "", r#"{"resources": ["issue"]}"#),
    ("mailchimp", "unsubscribes unsubscribed", r#"{"events": ["unsubscribe"], "sources": ["user", "admin", "api"]}"#),
    ("mailchimp", "", r#"{"events": ["subscribe"], "sources": ["user", "admin", "api"]}"#),
    ("googleCalendar", "starts started begins", r#"{"triggerOn": "eventStarted"}"#),
    ("googleCalendar", "ends ended", r#"{"triggerOn": "eventEnded"}"#),
    ("googleCalendar", "cancelled canceled", r#"{"triggerOn": "eventCancelled"}"#),
    ("googleCalendar", "updated changed", r#"{"triggerOn": "eventUpdated"}"#),
    ("googleCalendar", "", r#"{"triggerOn": "eventCreated"}"#),
    ("twilio", "", r#"{"updates": ["com.twilio.messaging.inbound-message.received"]}"#),
    ("postgres", "updated changed", r#"{"firesOn": "UPDATE"}"#),
    ("microsoftTeams", "", r#"{"event": "newChannelMessage"}"#),
    ("mqtt", "", r#"{"topics": "?mqtt-topic", "options": {"onlyMessage": false}}"#),
    ("airtable", "", r#"{"triggerField": "?airtable-created-time-field"}"#),
    ("rabbitmq", "", r#"{"queue": "?rabbitmq-queue"}"#),
];

/// Actions by which one event of a service differs from others: the event (empty: all of the service), the words of the prompt (none: always), and the value.
const ACTIONS: &[(&str, &str, &str, &str)] = &[
    ("github", "issues", "closed closes geschlossen fermee cerrada", "closed"),
    ("github", "issues", "reopened", "reopened"),
    ("github", "issues", "assigned", "assigned"),
    ("github", "issues", "labeled", "labeled"),
    ("github", "issues", "", "opened"),
    ("github", "pull_request", "merged merges gemergt", "merged"),
    ("github", "pull_request", "closed closes", "closed"),
    ("github", "pull_request", "", "opened"),
    ("github", "release", "", "published"),
    ("github", "star", "", "created"),
    ("github", "issue_comment", "", "created"),
    ("gitlab", "merge_requests", "merged merges", "merge"),
    ("gitlab", "merge_requests", "closed closes", "close"),
    ("gitlab", "merge_requests", "approved", "approved"),
    ("gitlab", "merge_requests", "", "open"),
    ("gitlab", "issues", "closed closes", "close"),
    ("gitlab", "issues", "", "open"),
    ("gitlab", "pipeline", "fails failed failure fehlschlagt broken", "failed"),
    ("gitlab", "pipeline", "succeeds succeeded passes success", "success"),
    ("gitlab", "releases", "", "create"),
    ("linear", "", "updated changed changes update", "update"),
    ("linear", "", "deleted removed", "remove"),
    ("linear", "", "", "create"),
    ("trello", "", "moved moves", "updateCard"),
    ("trello", "", "comment", "commentCard"),
    ("trello", "", "card", "createCard"),
];
/// Participles for what happened, with their words.
const HAPPENED: &[(&str, &str)] = &[
    (
        "failed",
        "failed fails fail failure declined denied fehlgeschlagen fehlschlagt fehlgeschlagene echoue echouent fallido falla falle fallan",
    ),
    ("cancelled", "cancelled canceled cancels cancellation storniert gekundigt abgesagt annule annulee cancelado cancelada cancela"),
    ("refunded", "refunded refund refunds"),
    ("paid", "paid pays bezahlt paye payee pagado pagada"),
    ("closed", "closed closes geschlossen ferme fermee cerrado cerrada"),
    ("deleted", "deleted deletes removed geloscht supprime supprimee eliminado eliminada"),
    ("updated", "updated updates changed changes modified aktualisiert geandert modifie modifiee actualizado actualizada"),
    ("merged", "merged merges"),
    ("completed", "completed finished done"),
];

/// Returns what happened to the items of a start, if it is not that they are new.
pub(super) fn happened(words: &[String]) -> Option<&'static str> {
    HAPPENED.iter().find(|(_, list)| says(words, list)).map(|(what, _)| *what)
}

/// Services whose triggers tell of every change and do not say which it is.
const MUTE: &[&str] = &["asana"];

/// Words for something that happens to a record that exists.
const OTHER: &str = "closed closes won wins lost moved moves completed finished resolved resolves solved updated changed changes modified edited deleted removed \
     archived cancelled canceled approved rejected overdue assigned merged reopened abandoned";

/// Reports whether the words name a happening that a rule does not have.
fn happens_otherwise(service: &str, rule: &str, event: Option<&str>, words: &[String]) -> bool {
    let known = |word: &str| actions(service, event).map(|(list, _)| list).chain([rule]).any(|list| is_among(list, word));
    words.iter().any(|word| is_among(OTHER, word) && !known(word))
}

/// Returns the action that the prompt means where one event of a service is of several.
pub(super) fn action(service: &str, event: Option<&str>, words: &[String]) -> Option<&'static str> {
    actions(service, event).find(|(list, _)| says(words, list)).map(|(_, action)| action)
}

/// Returns the words and the values of the actions of a service's event.
fn actions<'e>(service: &'e str, event: Option<&'e str>) -> impl Iterator<Item = (&'static str, &'static str)> + 'e {
    let own = ACTIONS.iter().filter(move |(key, of, ..)| *key == service && (of.is_empty() || Some(*of) == event));
    own.map(|(_, _, list, action)| (*list, *action))
}

/// Reports whether the words of a prompt have one of a list. An empty list asks for none.
fn says(words: &[String], list: &str) -> bool {
    list.is_empty() || words.iter().any(|word| is_among(list, word))
}

/// Kinds of changes: words of prompts, and words of options.
const CHANGES: &[(&str, &str)] = &[
    (
        "created added new submitted submits received arrives placed opened opens uploaded made booked registered signed erstellt angelegt neu neue \
         neuer neues eingeht cree ajoute nouveau nouvelle creado crea nuevo nueva llega comes posted appears incoming joins",
        "created create added add new creation received submitted opened placed scheduled booking_created newlead newticket inserted",
    ),
    (
        "updated changed changes update edited modified moved geandert aktualisiert modifie actualiza",
        "updated update changed change edited modified moved",
    ),
    ("deleted removed cancelled canceled geloscht gekundigt supprime elimina", "deleted delete removed cancelled canceled deletion cancel"),
];

/// Parameters that choose the event of a trigger.
const CHOOSE: &[&str] = &["event", "events", "triggerOn", "topic", "action", "entity", "trigger", "resource", "resources"];

/// Sets the parameters that choose the event. Returns what tells the outputs of the trigger's events apart; `None` if the prompt does not
/// say which event is meant.
pub(super) fn choose(
    service: &str,
    trigger: &str,
    words: &[String],
    set: &mut Map<String, Value>,
    catalog: &Catalog,
) -> Option<Option<String>> {
    if MUTE.contains(&service) {
        return None;
    }
    let rule = RULES.iter().find(|(key, list, _)| *key == service && says(words, list));
    if let Some((_, list, parameters)) = rule {
        let Ok(Value::Object(parameters)) = serde_json::from_str(parameters) else { return None };
        let event = parameters.values().find_map(|value| value.as_array()?.first()?.as_str().map(str::to_owned));
        let topic = || parameters.get("topic").and_then(Value::as_str).map(str::to_owned);
        let event = event.or_else(topic);
        if happens_otherwise(service, list, event.as_deref(), words) {
            return None;
        }
        set.extend(parameters);
        return Some(event);
    }
    if RULES.iter().any(|(key, ..)| *key == service) && service != "microsoftOutlook" && service != "postgres" {
        return None;
    }
    let facts = catalog.node(trigger)?;
    let facts = facts.latest()?;
    for name in CHOOSE {
        option(name, facts, words, set)?;
    }
    let chosen = CHOOSE.iter().filter_map(|name| set.get(*name)).map(Value::to_string).collect::<String>().to_lowercase();
    let meant = |word: &String| {
        let group = CHANGES.iter().find(|(said, _)| is_among(said, word));
        chosen.contains(word.as_str()) || group.is_some_and(|(_, named)| named.split_whitespace().any(|one| chosen.contains(one)))
    };
    let odd = words.iter().any(|word| is_among(OTHER, word) && !meant(word));
    (!odd).then_some(None)
}

/// Sets a parameter to the option that the words name; `None` if it needs a choice and the words do not make it.
fn option(name: &str, facts: &NodeVersion, words: &[String], set: &mut Map<String, Value>) -> Option<()> {
    let version = facts.versions.last().copied().unwrap_or(1.0);
    let none = Map::new();
    let shows = |own: &&crate::catalog::Parameter| {
        let around = crate::catalog::Around::new(&none, version, "");
        own.display.show.iter().all(|rule| rule.0.starts_with('@')) && crate::catalog::shown(&own.display, &none, around)
    };
    let found = facts.parameters.iter().map(|own| &**own).find(|own| own.name == name && !own.options.values.is_empty() && shows(own));
    let Some(parameter) = found else { return Some(()) };
    let score = |value: &Value| {
        let option = parts(value.as_str().unwrap_or_default());
        let noun =
            option.iter().filter(|part| words.iter().any(|word| word == *part || word.strip_suffix('s') == Some(part.as_str()))).count();
        let change = CHANGES
            .iter()
            .any(|(said, named)| words.iter().any(|word| is_among(said, word)) && option.iter().any(|part| is_among(named, part)));
        // A longer option says more than the prompt does.
        (noun * 4 + usize::from(change) * 3, std::cmp::Reverse(option.len()))
    };
    let mut scored: Vec<_> = parameter.options.values.iter().map(|value| (score(value), value)).collect();
    scored.sort_by_key(|one| std::cmp::Reverse(one.0));
    let has_default = parameter.default.as_str().is_some_and(|text| !text.is_empty()) || parameter.options.values.len() == 1;
    let wins = match scored.as_slice() {
        [first, second, ..] => first.0.0 > 0 && (first.0 > second.0 || first.0.0 >= 7),
        [first] => first.0.0 > 0,
        [] => false,
    };
    let (_, value) = scored.first()?;
    if wins {
        let value = if parameter.kind == Kind::MultiOptions { json!([value]) } else { (*value).clone() };
        set.insert(name.to_owned(), value);
        return Some(());
    }
    if parameter.options.values.len() == 1 && parameter.kind == Kind::MultiOptions {
        set.insert(name.to_owned(), json!([value]));
        return Some(());
    }
    has_default.then_some(()).or((!parameter.required).then_some(()))
}
