//! Steps of language models: texts, images, transcripts, moods, values from texts.

use serde_json::{Map, Value, json};

use super::clauses::Clause;
use super::data::{Data, Field};
use super::files;
use super::flow::Flow;
use super::perform::perform;
use super::records;
use super::reply;
use super::services::{OPENAI, VENDORS};
use super::shapes::{LANGUAGE_NAMES, language};
use super::sources;
use super::starts::{Start, map};
use super::stuck::Stuck;
use super::words::Act;
use super::world::{World, harmless};

/// Another package has a node type of this name, which is old.
const OWN_OPENAI: &str = "@n8n/n8n-nodes-langchain.openAi";
const GENERIC: &str = "ai llm ki ia gpt agent assistant model modell modele modelo";
const MOOD: &str = "sentiment mood stimmung sentimiento tone emotion";
const MADE: &[Act] = &[Act::Summarize, Act::Write, Act::Classify, Act::Extract, Act::Transcribe, Act::Draw, Act::Translate];

/// Reports whether a clause asks a language model for something.
pub(super) fn is_asked(clause: &Clause, acts: &[Act], world: &World<'_>) -> bool {
    let other = clause.items.iter().filter_map(|item| item.service).any(|at| processes(world, at));
    let vendor = clause.items.iter().any(|item| item.vendor.is_some());
    let generic = clause.items.iter().any(|item| item.among(GENERIC)) && clause.items.iter().all(|item| item.service.is_none());
    let makes = acts.iter().any(|act| MADE.contains(act));
    vendor || !other && (generic && !acts.is_empty() || makes)
}

/// Reports whether a service does such things itself.
fn processes(world: &World<'_>, service: usize) -> bool {
    const OWN: &[&str] = &[
        "deepL",
        "googleTranslate",
        "lingvaNex",
        "awsTextract",
        "awsTranscribe",
        "awsComprehend",
        "awsRekognition",
        "googleCloudNaturalLanguage",
        "mindee",
        "hunter",
        "clearbit",
        "bannerbear",
        "quickChart",
        "perplexity",
        "jinaAi",
    ];
    OWN.contains(&world.lexicon.services[service].key.as_str())
}

/// Adds the nodes of such a clause.
pub(super) fn step(flow: &mut Flow<'_>, clause: &Clause, acts: &[Act], world: &World<'_>, answered: bool) -> Result<(), Stuck> {
    let unknown = || Stuck::Unknown(clause.text());
    let said = |words: &[&str]| clause.items.iter().any(|item| item.is(words));
    let noun = |noun: &str| clause.items.iter().any(|item| item.noun == Some(noun));
    let mine = |at: usize| world.start_service == Some(at);
    // Tools, stores and places in the same breath are more than a text.
    let others: Vec<usize> = clause.items.iter().filter_map(|item| item.service).filter(|at| !mine(*at)).collect();
    let tools = tools(world);
    if said(&["tool", "tools", "werkzeug"]) && tools.is_empty()
        || said(&["mcp", "vector", "embeddings", "embed", "search"])
        || acts.contains(&Act::Unsupported) && acts.len() == 1
    {
        return Err(unknown());
    }
    // `extract the text` of a PDF needs no model.
    let only_text = acts == [Act::Extract]
        && clause.items.iter().all(|item| item.vendor.is_none() && item.service.is_none() && !item.among(GENERIC))
        && clause.items.iter().all(|item| item.is_verb || matches!(item.noun, None | Some("text" | "document" | "file" | "attachment")));
    if only_text && flow.made.is_none() && world.items.iter().any(|item| item.is(&["pdf", "pdfs"])) && files::existing(flow).is_some() {
        return files::text_of_pdf(flow).ok_or_else(unknown);
    }
    let vendor = clause.items.iter().find_map(|item| item.vendor).or_else(|| world.items.iter().find_map(|item| item.vendor));
    if vendor.is_none() {
        flow.assume("The language model is OpenAI's, because the prompt names none");
    }
    let vendor = vendor.unwrap_or(OPENAI);
    let makes_image = noun("image") && acts.iter().any(|act| matches!(act, Act::Create | Act::Write | Act::Draw));
    if makes_image || acts.contains(&Act::Draw) {
        return if vendor == OPENAI { draw(flow, clause, world).ok_or_else(unknown) } else { Err(unknown()) };
    }
    let into_text = acts.contains(&Act::Convert) && noun("audio") && noun("text");
    if acts.contains(&Act::Transcribe) || into_text {
        return if vendor == OPENAI { transcribe(flow).ok_or_else(unknown) } else { Err(unknown()) };
    }
    if clause.items.iter().any(|item| item.among(MOOD)) {
        return mood(flow, clause, vendor).ok_or_else(unknown);
    }
    // A text is read out of a PDF before a model sees it.
    if flow.made.is_none() && flow.file.is_some() && world.items.iter().any(|item| item.is(&["pdf"])) {
        files::text_of_pdf(flow).ok_or_else(unknown)?;
    }
    if acts.contains(&Act::Extract) {
        return extract(flow, clause, vendor, world).ok_or_else(unknown);
    }
    let speaks = acts
        .iter()
        .any(|act| matches!(act, Act::Summarize | Act::Write | Act::Translate | Act::Reply | Act::Create | Act::Convert | Act::Update));
    if !speaks || acts.contains(&Act::Classify) {
        return Err(unknown());
    }
    if !flow.each && (acts.contains(&Act::Summarize) || said(&["digest", "one", "overview"]) || noun("summary")) {
        records::collect(flow);
    }
    text(flow, clause, vendor, world)?;
    let replies = acts.contains(&Act::Reply) && !answered;
    if replies {
        reply::reply(flow, clause, &[], world)?;
    }
    // `summarise it with OpenAI into Notion` says where the text goes.
    let tells = acts.iter().any(|act| matches!(act, Act::Create | Act::Send)) && acts.iter().any(|act| MADE.contains(act));
    if let [service] = others[..] {
        let act = if acts.contains(&Act::Send) { Act::Send } else { Act::Create };
        let nouns: Vec<&'static str> = clause.items.iter().filter_map(|item| item.noun).collect();
        return perform(flow, clause, service, act, &nouns, world);
    }
    if !others.is_empty() || tells && others.is_empty() && acts.contains(&Act::Send) {
        return Err(unknown());
    }
    Ok(())
}

/// Adds the chat model of a provider to a node.
fn model(flow: &mut Flow<'_>, vendor: usize, parent: &str) {
    let vendor = &VENDORS[vendor];
    let mut set = Map::new();
    match vendor.chat {
        "lmChatGroq" => drop(set.insert("model".to_owned(), "llama-3.3-70b-versatile".into())),
        "lmChatOpenAi" => drop(set.insert("model".to_owned(), "gpt-5-mini".into())),
        _ => {}
    }
    let id = flow.node(vendor.chat, &format!("{} Model", vendor.display), set);
    flow.edges.push(format!("{id}>{parent}"));
}

/// Returns the input of a model: the words of the user, and the item.
fn request(flow: &Flow<'_>, clause: &Clause, world: &World<'_>) -> String {
    let about = match (&flow.made, &flow.collected) {
        (Some(made), _) => format!("{{{{{made}}}}}"),
        (None, Some(_)) => sources::source(flow, clause, "", &[]).text,
        (None, None) => flow.data.text(),
    };
    let body = ["text", "message"]
        .iter()
        .find_map(|noun| flow.data.field(noun))
        .filter(|field| !field.main && flow.made.is_none() && flow.collected.is_none());
    let body = body.map(|field| format!("\n{{{{{}}}}}", flow.data.code(&field.path))).unwrap_or_default();
    format!("{}. Answer with the result only.\n\n{about}{body}", instruction(clause, world))
}

/// Returns what a model is asked: the words of the clause, and the language that the prompt names elsewhere.
fn instruction(clause: &Clause, world: &World<'_>) -> String {
    let whole = Clause { items: world.items.to_vec(), ..clause.clone() };
    let (own, named) = (language(clause), language(&whole));
    let language =
        named.filter(|_| own.is_none()).and_then(|code| LANGUAGE_NAMES.iter().find(|(own, _)| *own == code)).map(|(_, name)| *name);
    match language {
        Some(name) => format!("{}. Write in {name}", harmless(&clause.text())),
        None => harmless(&clause.text()),
    }
}

fn text(flow: &mut Flow<'_>, clause: &Clause, vendor: usize, world: &World<'_>) -> Result<(), Stuck> {
    let everywhere = |words: &[&str]| world.items.iter().any(|item| item.is(words));
    let here = |words: &[&str]| clause.items.iter().any(|item| item.is(words));
    let tools = tools(world);
    let agent = here(&["agent", "assistant", "bot", "agenten", "agente"]) || matches!(world.start, Start::Chat) || !tools.is_empty();
    let remembers = everywhere(&[
        "remember",
        "remembers",
        "memory",
        "history",
        "gedachtnis",
        "memoire",
        "memoria",
        "context",
        "recuerde",
        "recuerda",
        "merkt",
        "merken",
        "souvienne",
        "souvient",
        "retienne",
        "mind",
    ]);
    let direct = vendor == OPENAI
        && !agent
        && !remembers
        && !here(&["model", "llm", "ai", "chain", "modell"])
        && clause.items.iter().any(|item| item.vendor.is_some());
    let prompt = request(flow, clause, world);
    let (id, kind) = if direct {
        let set = json!({"modelId": "gpt-5-mini", "responses": {"values": [{"content": prompt}]}});
        (flow.node(&format!("{OWN_OPENAI}.text.response"), "OpenAI", map(set)), "openAi.text.response")
    } else if agent || remembers {
        let mut set = json!({"promptType": "define", "text": flow.data.text()});
        set["options"] = json!({"systemMessage": plain(&instruction(clause, world))});
        let id = flow.node("agent", "Agent", map(set));
        if matches!(world.start, Start::Chat)
            && let Some(node) = flow.by_id(&id)
        {
            node.set.remove("promptType");
            node.set.remove("text");
        }
        model(flow, vendor, &id);
        for (kind, name) in tools {
            let tool = flow.node(kind, name, Map::new());
            flow.edges.push(format!("{tool}>{id}"));
        }
        if remembers || matches!(world.start, Start::Chat) {
            memory(flow, &id, world)?;
        }
        (id, "agent")
    } else {
        let id = flow.node("chainLlm", "Write Text", map(json!({"promptType": "define", "text": prompt})));
        model(flow, vendor, &id);
        (id, "chainLlm")
    };
    flow.extend(&id);
    made(flow, &id, kind, "text");
    Ok(())
}

/// Returns the tools that the prompt names for an agent.
fn tools(world: &World<'_>) -> Vec<(&'static str, &'static str)> {
    const TOOLS: &[(&[&str], &str, &str)] = &[
        (&["wikipedia"], "toolWikipedia", "Wikipedia"),
        (&["calculator", "rechner", "calculatrice", "calculadora"], "toolCalculator", "Calculator"),
        (&["serpapi"], "toolSerpApi", "SerpAPI"),
    ];
    let named = |words: &[&str]| world.items.iter().any(|item| item.is(words));
    TOOLS.iter().filter(|(words, ..)| named(words)).map(|(_, kind, name)| (*kind, *name)).collect()
}

/// Returns a text that n8n takes as it is.
fn plain(text: &str) -> String {
    harmless(text)
}

fn memory(flow: &mut Flow<'_>, agent: &str, world: &World<'_>) -> Result<(), Stuck> {
    let postgres = world.items.iter().filter_map(|item| item.service).any(|at| world.lexicon.services[at].key == "postgres");
    let kind = if postgres { "memoryPostgresChat" } else { "memoryBufferWindow" };
    let set = match (&world.start, flow.data.field("chat")) {
        (Start::Chat, _) => Map::new(),
        (_, Some(chat)) => map(json!({"sessionIdType": "customKey", "sessionKey": format!("{{{{{}}}}}", flow.data.code(&chat.path))})),
        _ => return Err(Stuck::Unknown("what the memory of the conversation belongs to".to_owned())),
    };
    let id = flow.node(kind, "Memory", set);
    flow.edges.push(format!("{id}>{agent}"));
    Ok(())
}

/// Remembers the text that a node made for the item.
fn made(flow: &mut Flow<'_>, id: &str, kind: &str, noun: &str) {
    let data = Data::of(id, kind, None);
    flow.made = data.field(noun).map(|field| data.code(&field.path));
    flow.earlier.push(data);
    // One text about all items: none of them gives it a title.
    if flow.collected.take().is_some() {
        flow.data.fields.clear();
        flow.data.noun = sources::plural(&flow.data.noun);
    }
}

fn draw(flow: &mut Flow<'_>, clause: &Clause, world: &World<'_>) -> Option<()> {
    let text = flow
        .data
        .field("text")
        .or_else(|| flow.data.field("message"))
        .map(|field| flow.data.code(&field.path))
        .or_else(|| flow.made.clone());
    let prompt = match text {
        Some(code) => format!("{{{{{code}}}}}"),
        None if flow.data.open.is_some() || !flow.data.fields.is_empty() => request(flow, clause, world),
        None => return None,
    };
    let id = flow.node(&format!("{OWN_OPENAI}.image.generate"), "Make Image", map(json!({"prompt": prompt})));
    flow.extend(&id);
    flow.file = Some((id, "data".to_owned()));
    Some(())
}

fn transcribe(flow: &mut Flow<'_>) -> Option<()> {
    let (holder, property) = files::existing(flow)?;
    let id = flow.node(&format!("{OWN_OPENAI}.audio.transcribe"), "Transcribe", map(json!({"binaryPropertyName": property})));
    flow.attach_to_file(&holder, &id).ok()?;
    flow.tail.clone_from(&id);
    made(flow, &id, "openAi.audio.transcribe", "text");
    Some(())
}

fn mood(flow: &mut Flow<'_>, clause: &Clause, vendor: usize) -> Option<()> {
    if flow.data.fields.is_empty() && flow.data.open.is_none() {
        return None;
    }
    let field = ["text", "message", "comment"]
        .iter()
        .find_map(|noun| flow.data.field(noun))
        .map(|field| format!("{{{{{}}}}}", flow.data.code(&field.path)));
    let text = flow.made.as_ref().map(|made| format!("{{{{{made}}}}}")).or(field).unwrap_or_else(|| flow.data.text());
    let _ = clause;
    let id = flow.node("sentimentAnalysis", "Sentiment", map(json!({"inputText": text})));
    model(flow, vendor, &id);
    // Steps that do not depend on the mood run beside it.
    flow.attach(&id);
    flow.mood = Some(id);
    Some(())
}

fn extract(flow: &mut Flow<'_>, clause: &Clause, vendor: usize, world: &World<'_>) -> Option<()> {
    const NOT: &[&str] = &["mail", "message", "text", "document", "invoice", "file", "data", "order", "attachment", "image", "assistant"];
    let mut names: Vec<String> = Vec::new();
    for item in &clause.items {
        let wanted = item.noun.is_some_and(|noun| !NOT.contains(&noun))
            || item.noun.is_none() && !item.plain && item.act.is_none() && item.service.is_none() && item.vendor.is_none();
        let name: String = item.word.chars().filter(char::is_ascii_alphanumeric).collect();
        if wanted
            && !item.is_verb
            && !item.among(GENERIC)
            && item.kind == super::tokens::Kind::Word
            && !name.is_empty()
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    if names.is_empty() {
        return None;
    }
    let text = request(flow, clause, world);
    let attributes: Vec<Value> = names.iter().map(|name| json!({"name": name, "description": name})).collect();
    let id = flow.node("informationExtractor", "Extract", map(json!({"text": text, "attributes": {"attributes": attributes}})));
    model(flow, vendor, &id);
    flow.extend(&id);
    let fields = names.into_iter().map(|name| Field {
        label: name.clone(),
        words: vec![super::words::noun(&name).map_or(name.clone(), str::to_owned), name.clone()],
        path: format!("output.{name}"),
        main: true,
    });
    let data = Data { fields: fields.collect(), noun: flow.data.noun.clone(), many: flow.data.many, ..Data::of(&id, "", None) };
    flow.turn_to(data);
    Some(())
}

/// Answers a chat for which the prompt says nothing more than that it is one with a model.
pub(super) fn chat(flow: &mut Flow<'_>, clause: &Clause, world: &World<'_>) -> Result<(), Stuck> {
    let vendor = world.items.iter().find_map(|item| item.vendor);
    let generic = world.items.iter().any(|item| item.among(GENERIC));
    // Sources, tools and documents make it more than a chat.
    let more = world.items.iter().any(|item| {
        item.noun.is_some_and(|noun| {
            !matches!(noun, "chat" | "bot" | "question" | "message" | "text" | "answer" | "reply" | "user" | "workflow")
        })
    });
    if vendor.is_none() && !generic || more {
        return Err(Stuck::Unknown("what answers in the chat".to_owned()));
    }
    text(flow, clause, vendor.unwrap_or(OPENAI), world)?;
    flow.effects += 1;
    Ok(())
}
