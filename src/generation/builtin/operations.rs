//! Operations of services: which one a verb and its nouns ask for.

use super::services::Service;
use super::words::{self, Act};
use crate::catalog::{Catalog, NodeVersion};

/// Operations that are chosen by hand, because the words of the catalogue would lead elsewhere: service, verb, a noun of the clause (any if
/// empty), operation.
const CHOSEN: &[(&str, &[Act], &str, &str)] = {
    use Act::{Call, Create, Delete, Download, Extract, Get, Process, Reply, Send, Translate, Update, Upload, Upsert};
    &[
        ("slack", &[Get], "message", "channel.history"),
        ("slack", &[Create, Upload], "file", "file.upload"),
        ("slack", &[Upload], "", "file.upload"),
        ("slack", &[Create], "channel", "channel.create"),
        ("slack", &[Send, Create, Reply], "", "message.post"),
        ("gmail", &[Create], "draft", "draft.create"),
        ("gmail", &[Reply], "", "message.reply"),
        ("gmail", &[Send, Create], "", "message.send"),
        ("gmail", &[Get], "", "message.getAll"),
        ("googleSheets", &[Upsert], "", "sheet.appendOrUpdate"),
        ("googleSheets", &[Create, Send, Upload], "", "sheet.append"),
        ("googleSheets", &[Get, Download], "", "sheet.read"),
        ("googleSheets", &[Update], "", "sheet.appendOrUpdate"),
        ("telegram", &[Send, Reply, Create], "image", "message.sendPhoto"),
        ("telegram", &[Send, Reply, Upload, Create], "file", "message.sendDocument"),
        ("telegram", &[Send, Reply, Upload, Create], "document", "message.sendDocument"),
        ("telegram", &[Send, Reply, Create], "", "message.sendMessage"),
        ("notion", &[Create, Send, Upload], "", "databasePage.create"),
        ("notion", &[Get], "", "databasePage.getAll"),
        ("airtable", &[Create, Send, Upload], "", "record.create"),
        ("airtable", &[Get], "", "record.search"),
        ("airtable", &[Upsert], "", "record.upsert"),
        ("discord", &[Send, Create, Reply], "", "message.send"),
        ("microsoftTeams", &[Create], "task", "task.create"),
        ("microsoftTeams", &[Send, Create, Reply], "", "channelMessage.create"),
        ("microsoftOutlook", &[Create], "event", "event.create"),
        ("microsoftOutlook", &[Create], "contact", "contact.create"),
        ("microsoftOutlook", &[Create], "draft", "draft.create"),
        ("microsoftOutlook", &[Get], "event", "event.getAll"),
        ("microsoftOutlook", &[Send, Create], "", "message.send"),
        ("microsoftOutlook", &[Reply], "", "message.reply"),
        ("microsoftOutlook", &[Get], "", "message.getAll"),
        ("microsoftExcel", &[Create, Send], "", "worksheet.append"),
        ("microsoftExcel", &[Get], "", "worksheet.readRows"),
        ("googleDrive", &[Create], "folder", "folder.create"),
        ("googleDrive", &[Create, Upload, Send], "", "file.upload"),
        ("googleDrive", &[Download, Get], "", "file.download"),
        ("microsoftOneDrive", &[Create, Upload, Send], "", "file.upload"),
        ("microsoftOneDrive", &[Download, Get], "", "file.download"),
        ("dropbox", &[Create], "folder", "folder.create"),
        ("dropbox", &[Create, Upload, Send], "", "file.upload"),
        ("dropbox", &[Download, Get], "", "file.download"),
        ("box", &[Create, Upload, Send], "", "file.upload"),
        ("nextCloud", &[Create, Upload, Send], "", "file.upload"),
        ("googleCloudStorage", &[Create, Upload, Send], "", "object.create"),
        ("awsS3", &[Create, Upload, Send], "", "file.upload"),
        ("awsS3", &[Download, Get], "", "file.download"),
        ("s3", &[Create, Upload, Send], "", "file.upload"),
        ("ftp", &[Create, Upload, Send], "", "upload"),
        ("ftp", &[Download, Get], "", "download"),
        ("jira", &[Create], "comment", "issueComment.add"),
        ("jira", &[Create, Send], "", "issue.create"),
        ("jira", &[Get], "", "issue.getAll"),
        ("github", &[Create], "comment", "issue.createComment"),
        ("github", &[Create], "release", "release.create"),
        ("github", &[Create, Upload], "file", "file.create"),
        ("github", &[Create, Send], "issue", "issue.create"),
        ("github", &[Get], "issue", "repository.getIssues"),
        ("github", &[Get], "pullrequest", "repository.getPullRequests"),
        ("gitlab", &[Create], "comment", "issue.createComment"),
        ("gitlab", &[Create, Send], "", "issue.create"),
        ("trello", &[Create], "comment", "cardComment.create"),
        ("trello", &[Create, Send], "", "card.create"),
        ("trello", &[Get], "card", "list.getCards"),
        ("asana", &[Create], "task", "task.create"),
        ("asana", &[Create], "project", "project.create"),
        ("asana", &[Create, Send], "", "task.create"),
        ("clickUp", &[Create, Send], "", "task.create"),
        ("clickUp", &[Get], "", "task.getAll"),
        ("linear", &[Create], "comment", "comment.addComment"),
        ("linear", &[Create, Send], "", "issue.create"),
        ("linear", &[Get], "", "issue.getAll"),
        ("mondayCom", &[Create, Send], "", "boardItem.create"),
        ("hubspot", &[Create, Update, Upsert, Send], "contact", "contact.upsert"),
        ("hubspot", &[Create, Update, Upsert, Send], "lead", "contact.upsert"),
        ("hubspot", &[Create, Update, Upsert, Send], "customer", "contact.upsert"),
        ("hubspot", &[Create], "deal", "deal.create"),
        ("hubspot", &[Create], "ticket", "ticket.create"),
        ("hubspot", &[Create], "company", "company.create"),
        ("hubspot", &[Create, Upsert, Send], "", "contact.upsert"),
        ("zendesk", &[Create, Send], "", "ticket.create"),
        ("freshdesk", &[Create, Send], "", "ticket.create"),
        ("postgres", &[Create, Send, Upload], "", "insert"),
        ("postgres", &[Get], "", "select"),
        ("postgres", &[Upsert], "", "upsert"),
        ("mySql", &[Create, Send, Upload], "", "insert"),
        ("mySql", &[Get], "", "select"),
        ("mySql", &[Upsert], "", "upsert"),
        ("mongoDb", &[Create, Send, Upload], "", "document.insert"),
        ("mongoDb", &[Get], "", "document.find"),
        ("supabase", &[Create, Send, Upload], "", "row.create"),
        ("supabase", &[Get], "", "row.getAll"),
        ("baserow", &[Create, Send, Upload], "", "row.create"),
        ("nocoDb", &[Create, Send, Upload], "", "row.create"),
        ("dataTable", &[Create, Send, Upload], "", "row.insert"),
        ("dataTable", &[Get], "", "row.get"),
        ("googleCalendar", &[Get], "", "event.getAll"),
        ("googleContacts", &[Create, Send], "", "contact.create"),
        ("googleTasks", &[Create, Send], "", "task.create"),
        ("microsoftToDo", &[Create, Send], "", "task.create"),
        ("todoist", &[Create, Send], "", "task.create"),
        ("todoist", &[Get], "", "task.getAll"),
        ("mattermost", &[Send, Create, Reply], "", "message.post"),
        ("rocketchat", &[Send, Create, Reply], "", "chat.postMessage"),
        ("zulip", &[Send, Create], "", "message.sendStream"),
        ("googleChat", &[Send, Create, Reply], "", "message.create"),
        ("matrix", &[Send, Create, Reply], "", "message.create"),
        ("twilio", &[Call], "", "call.make"),
        ("twilio", &[Send, Create, Reply], "", "sms.send"),
        ("whatsApp", &[Send, Create, Reply], "", "message.send"),
        ("youTube", &[Get, Process], "", "video.getAll"),
        ("hackerNews", &[Get], "", "all.getAll"),
        ("twitter", &[Get], "", "tweet.search"),
        ("twitter", &[Send, Create], "", "tweet.create"),
        ("linkedIn", &[Send, Create], "", "post.create"),
        ("wordpress", &[Create, Send], "", "post.create"),
        ("ghost", &[Create, Send], "", "post.create"),
        ("reddit", &[Get], "", "post.getAll"),
        ("clearbit", &[Get, Process, Update], "company", "company.enrich"),
        ("clearbit", &[Get, Process, Update], "", "person.enrich"),
        ("hunter", &[Process, Get], "", "emailVerifier"),
        ("sendGrid", &[Create, Upsert, Update], "contact", "contact.upsert"),
        ("sendGrid", &[Create, Upsert], "", "contact.upsert"),
        ("sendGrid", &[Send], "", "mail.send"),
        ("mailchimp", &[Create, Upsert], "", "member.create"),
        ("sendInBlue", &[Create], "", "contact.create"),
        ("sendInBlue", &[Send], "", "email.send"),
        ("mailerLite", &[Create], "", "subscriber.create"),
        ("googleCloudNaturalLanguage", &[Process, Send, Get, Extract], "", "document.analyzeSentiment"),
        ("awsTextract", &[Process, Send, Get, Extract], "", "analyzeExpense"),
        ("deepL", &[Translate, Process, Send], "", "language.translate"),
        ("googleTranslate", &[Translate, Process, Send], "", "language.translate"),
        ("lingvaNex", &[Translate, Process, Send], "", "translate"),
        ("openWeatherMap", &[Get], "forecast", "5DayForecast"),
        ("openWeatherMap", &[Get], "", "currentWeather"),
        ("elasticsearch", &[Create, Send], "", "document.create"),
        ("googleFirebaseCloudFirestore", &[Create, Send], "", "document.create"),
        ("zammad", &[Create, Send], "", "ticket.create"),
        ("freshservice", &[Create, Send], "", "ticket.create"),
        ("serviceNow", &[Create, Send], "", "incident.create"),
        ("helpScout", &[Create, Send], "", "conversation.create"),
        ("raindrop", &[Create, Send], "", "bookmark.create"),
        ("discourse", &[Create, Send], "", "post.create"),
        ("messageBird", &[Send, Create, Reply], "", "sms.send"),
        ("mocean", &[Send, Create, Reply], "", "sms.send"),
        ("sms77", &[Send, Create, Reply], "", "sms.send"),
        ("plivo", &[Send, Create, Reply], "", "sms.send"),
        ("pagerDuty", &[Create, Send], "", "incident.create"),
        ("pushover", &[Send, Create], "", "message.push"),
        ("gotify", &[Send, Create], "", "message.create"),
        ("stripe", &[Get], "payment", "charge.getAll"),
        ("bannerbear", &[Create], "", "image.create"),
        ("redis", &[Send], "", "publish"),
        ("redis", &[Create], "", "set"),
        ("mqtt", &[Send, Create], "", ""),
        ("kafka", &[Send, Create], "", ""),
        ("rabbitmq", &[Send, Create], "", "sendMessage"),
        ("awsSns", &[Send, Create], "", "publish"),
        ("awsSqs", &[Send, Create], "", "sendMessage"),
        ("awsSes", &[Send], "", "email.send"),
        ("mailgun", &[Send], "", ""),
        ("mailjet", &[Send], "", "email.send"),
        ("googleBigQuery", &[Create], "", "insert"),
        ("snowflake", &[Create], "", "insert"),
        ("googleDocs", &[Create], "", "document.create"),
        ("salesforce", &[Create], "customer", "contact.create"),
        ("pipedrive", &[Create], "contact", "person.create"),
        ("pipedrive", &[Create], "customer", "person.create"),
        ("zohoCrm", &[Create], "customer", "contact.create"),
        ("quickbooks", &[Create], "", "invoice.create"),
        ("zoom", &[Create], "", "meeting.create"),
        ("urlScanIo", &[Process, Get, Create], "", "scan.perform"),
        ("strapi", &[Delete], "", ""),
        ("activeCampaign", &[Create, Upsert], "", "contact.create"),
        ("getResponse", &[Create, Upsert], "", "contact.create"),
        ("mautic", &[Create, Upsert], "contact", "contact.create"),
        ("postgres", &[Process], "", "executeQuery"),
        ("mySql", &[Process], "", "executeQuery"),
        ("snowflake", &[Process, Get], "", "executeQuery"),
        ("microsoftSql", &[Process, Get], "", "executeQuery"),
        ("googleBigQuery", &[Process, Get], "", "executeQuery"),
    ]
};

/// Names of operations by the verb that asks for them, the best first.
fn names(act: Act) -> &'static [&'static str] {
    match act {
        Act::Send | Act::Reply => &["send", "post", "sendmessage", "push", "publish", "create", "add"],
        Act::Create => &["create", "add", "insert", "append", "post", "new", "make", "upsert"],
        Act::Upload => &["upload", "create", "add"],
        Act::Update => &["update", "edit", "set", "change"],
        Act::Upsert => &["upsert", "createorupdate", "appendorupdate", "addorupdate", "addupdate"],
        Act::Delete => &["delete", "remove", "del"],
        Act::Get => &["getall", "getmany", "list", "search", "read", "select", "find", "query", "get", "lookup"],
        Act::Download => &["download", "get"],
        Act::Translate => &["translate"],
        Act::Process => &["verify", "analyze", "analyzesentiment", "validate", "check", "enrich", "scan", "perform", "detect", "lookup"],
        _ => &[],
    }
}

/// An operation of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    /// Name of the node type in the compact form, with resource and operation if the form has them there.
    pub kind: String,
    /// Name of the node type, with resource and operation.
    pub name: String,
    pub operation: String,
    /// True if the operation is a parameter in the compact form.
    pub in_set: bool,
}

impl Operation {
    fn of(short: &str, resource: &str, operation: &str, hidden: bool) -> Self {
        let parts = [short, resource, operation];
        let name = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
        // A resource that n8n hides is no part of the compact form's name, and then neither is the operation.
        let kind = if hidden { short.to_owned() } else { name.clone() };
        Self { kind, name, operation: operation.to_owned(), in_set: hidden && !operation.is_empty() }
    }
}

/// Returns the operations by resource, and whether n8n hides the resource.
fn operations(facts: &NodeVersion) -> (Vec<(String, Vec<String>)>, bool) {
    let resource = facts.parameters.iter().find(|own| own.name == "resource");
    let Some(fixed) = resource.filter(|own| own.options.values.is_empty()).and_then(|own| own.default.as_str()) else {
        return (facts.operations(), false);
    };
    let offered = facts.parameters.iter().filter(|own| own.name == "operation" && own.display.admits("resource", fixed));
    let names = offered.flat_map(|own| own.options.values.iter().filter_map(|value| value.as_str().map(str::to_owned))).collect();
    (vec![(String::new(), names)], true)
}

/// Returns the operation that a verb and the nouns of its clause ask for; `None` unless there is one best.
pub(super) fn choose(service: &Service, act: Act, nouns: &[&str], catalog: &Catalog) -> Option<Operation> {
    let kind = service.action.as_deref()?;
    let facts = catalog.node(kind)?;
    let version = facts.latest()?;
    let (known, hidden) = operations(version);
    let short = kind.rsplit_once('.').map_or(kind, |(_, short)| short);
    let made = |resource: &str, operation: &str| Operation::of(short, resource, operation, hidden);
    let exists = |resource: &str, operation: &str| {
        known.iter().any(|(own, operations)| own == resource && operations.iter().any(|one| one == operation))
    };
    for (key, acts, noun, chosen) in CHOSEN {
        if *key == service.key && acts.contains(&act) && (noun.is_empty() || nouns.contains(noun)) {
            let (resource, operation) = chosen.rsplit_once('.').unwrap_or(("", chosen));
            if exists(resource, operation) || chosen.is_empty() {
                return Some(made(resource, operation));
            }
        }
    }
    if known.iter().all(|(_, operations)| operations.is_empty()) {
        return matches!(act, Act::Send | Act::Create | Act::Process | Act::Call).then(|| made("", ""));
    }
    best(&known, version, act, nouns).map(|(resource, operation)| made(&resource, &operation))
}

/// Returns the operation that lists the records that the nouns name.
pub(super) fn listing(service: &Service, nouns: &[&str], catalog: &Catalog) -> Option<Operation> {
    let kind = service.action.as_deref()?;
    let node = catalog.node(kind)?;
    let facts = node.latest()?;
    let (known, hidden) = operations(facts);
    // Files are listed folder by folder.
    let folder = || nouns.contains(&"file").then(|| best(&known, facts, Act::Get, &["folder"])).flatten();
    let (resource, operation) = best(&known, facts, Act::Get, nouns).or_else(folder)?;
    let lists = ["getAll", "getMany", "list", "search"].contains(&operation.as_str());
    lists.then(|| Operation::of(kind.rsplit_once('.').map_or(kind, |(_, short)| short), &resource, &operation, hidden))
}

/// Returns the best operation by the names, if it is the only best one.
fn best(known: &[(String, Vec<String>)], facts: &NodeVersion, act: Act, nouns: &[&str]) -> Option<(String, String)> {
    let default = facts.parameters.iter().find(|own| own.name == "resource").and_then(|own| own.default.as_str()).unwrap_or_default();
    let resources = known.iter().filter(|(_, operations)| operations.iter().any(|one| one != "__CUSTOM_API_CALL__")).count();
    let mut found: Vec<(usize, &str, &str)> = Vec::new();
    for (resource, operations) in known {
        let named = resource_fits(resource, nouns);
        for operation in operations.iter().filter(|one| *one != "__CUSTOM_API_CALL__") {
            let parts = parts(operation);
            let flat = parts.concat();
            let rank = names(act)
                .iter()
                .position(|name| flat == *name || parts.first().is_some_and(|first| first == name) && names_resource(&parts, resource));
            let Some(rank) = rank else { continue };
            // A service with one resource needs no noun; otherwise the noun decides, and the default only breaks ties.
            let of_resource = if named {
                100
            } else if resources == 1 || resource.is_empty() {
                60
            } else {
                0
            };
            if of_resource > 0 {
                found.push((of_resource + 20 - rank + usize::from(resource == default), resource, operation));
            }
        }
    }
    found.sort_by_key(|one| std::cmp::Reverse(one.0));
    match found.as_slice() {
        [first, second, ..] if first.0 == second.0 => None,
        [(_, resource, operation), ..] => Some(((*resource).to_owned(), (*operation).to_owned())),
        [] => None,
    }
}

/// Reports whether the rest of an operation's name is the resource: `createIssue`.
fn names_resource(parts: &[String], resource: &str) -> bool {
    let rest = parts[1..].concat();
    !rest.is_empty() && parts_of(resource).concat().starts_with(&rest)
}

/// Reports whether one of the nouns names the resource.
pub(super) fn resource_fits(resource: &str, nouns: &[&str]) -> bool {
    let parts = parts_of(resource);
    let last = parts.last().map(String::as_str).unwrap_or_default();
    let whole = parts.concat();
    let canon = |word: &str| words::noun(word).map_or_else(|| word.to_owned(), str::to_owned);
    nouns.iter().any(|noun| *noun == whole || *noun == last || canon(&whole) == *noun || parts.len() == 1 && canon(last) == *noun)
}

fn parts_of(name: &str) -> Vec<String> {
    parts(name)
}

/// Splits a name such as `pageAddedToDatabase` or `invitee.created` into words in lower case.
pub(super) fn parts(name: &str) -> Vec<String> {
    let mut found: Vec<String> = vec![String::new()];
    let mut lower = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || letter.is_uppercase() && lower {
            found.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(last) = found.last_mut()
        {
            last.extend(letter.to_lowercase());
        }
        lower = letter.is_lowercase();
    }
    found.retain(|part| !part.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::super::services::Lexicon;
    use super::*;

    fn chosen(service: &str, act: Act, nouns: &[&str]) -> Option<String> {
        let catalog = Catalog::embedded();
        let lexicon = Lexicon::of(catalog);
        let service = &lexicon.services[lexicon.by_key(service).unwrap()];
        choose(service, act, nouns, catalog).map(|one| one.name)
    }

    #[test]
    fn an_operation_is_chosen_by_verb_and_noun() {
        for (service, act, nouns, wanted) in [
            ("slack", Act::Send, &[][..], Some("slack.message.post")),
            ("zendesk", Act::Create, &["ticket"], Some("zendesk.ticket.create")),
            ("pipedrive", Act::Create, &["deal"], Some("pipedrive.deal.create")),
            ("salesforce", Act::Create, &["lead"], Some("salesforce.lead.create")),
            ("stripe", Act::Create, &["customer"], Some("stripe.customer.create")),
            ("mailgun", Act::Send, &["mail"], Some("mailgun")),
            ("deepL", Act::Translate, &[], Some("deepL.language.translate")),
            ("pipedrive", Act::Create, &[], None),
        ] {
            assert_eq!(chosen(service, act, nouns).as_deref(), wanted, "{service} {act:?} {nouns:?}");
        }
    }

    #[test]
    fn every_operation_that_is_chosen_by_hand_exists() {
        let catalog = Catalog::embedded();
        let lexicon = Lexicon::of(catalog);
        for (key, acts, noun, wanted) in CHOSEN {
            let service = &lexicon.services[lexicon.by_key(key).unwrap_or_else(|| panic!("{key}"))];
            let own: Vec<&str> = if noun.is_empty() { Vec::new() } else { vec![noun] };
            let found = choose(service, acts[0], &own, catalog);
            assert!(
                wanted.is_empty() || found.as_ref().is_some_and(|found| found.name.ends_with(wanted)),
                "{key} {acts:?} {noun}: {found:?}"
            );
        }
    }
}
