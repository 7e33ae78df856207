//! The ways in which n8n's node types compute their ports.
//!
//! n8n gives such ports as a piece of JavaScript. Each known piece is identified by its digest and described here as facts; an unknown
//! piece is [`Ports::Unknown`], never a guess. A test runs both and ensures that the facts agree with n8n's code.

use serde_json::{Value, json};

use super::ports::{Case, Count, Entry, Is, Port, Ports, RequiredInputs, Test};

use crate::text::sha256::sha256_hex;

/// Returns the ports that a piece of n8n's code computes.
pub fn ports(code: &str) -> Ports {
    let cases = match digest(code).as_str() {
        "1f56c31f09e900f6" => vec![
            case(
                [is("operation", ["setMetrics"]), is("metric", ["correctness", "helpfulness"])],
                [main(""), one("ai_languageModel", "Model")],
            ),
            always([main("")]),
        ],
        "98f587bc9e1b530b" => {
            vec![case([is("operation", ["checkIfEvaluating"])], [main("Evaluation"), main("Normal")]), always([main("")])]
        }
        "047316bf81503b93" => vec![always([main("").times(Count::Number("numberInputs".into(), 2))])],
        "1ad27ce020e67607" => vec![
            case([Test("@version".into(), Is::In(vec![json!(1.3)]))], [main("Input Data"), main("Response")]),
            case(
                [Test("@version".into(), Is::AtLeast(1.4)), Test("enableResponseOutput".into(), Is::Truthy)],
                [main("Input Data"), main("Response")],
            ),
            always([main("")]),
        ],
        "e31f9145dd7d4790" => vec![
            case([is("mode", ["expression"])], [main("").times(Count::Number("numberOutputs".into(), 0))]),
            always([main("").times(Count::Items("rules.values".into())), main("Fallback").when(is("options.fallbackOutput", ["extra"]))]),
        ],
        "1b327e96c549c787" => vec![
            case([is("mode", ["expression"])], [main("").times(Count::Number("outputsAmount".into(), 0))]),
            always([main("").times(Count::Items("rules.rules".into()))]),
        ],
        "6fbb51d9c65bdfc1" => vec![always([main("").times(Count::ItemsOrOne("httpMethod".into()))])],
        "9628cba756152682" => {
            vec![case([is("resource", ["text"]), is("operation", ["message"])], [main(""), any("ai_tool", "Tools")]), always([main("")])]
        }
        "3ca92e6b33226039" => open_ai(),
        "9e27297ef3cc0e08" | "a1db9b4817657cf1" => vec![always(agent())],
        "b1a88578aa7d0834" => vec![always(std::iter::once(main("")).chain(agent()))],
        "e9a061535643f7ab" => first_agent(),
        "c899901454904518" => vec![
            case([is("operationMode", ["documentLoader"])], [main(""), model("Model"), needed("ai_document", "Document")]),
            case([is("chunkingMode", ["advanced"])], [main(""), model("Model"), one("ai_textSplitter", "Text Splitter")]),
            always([main(""), model("Model")]),
        ],
        "e02ad4686e8b4b5f" => vec![always([
            main(""),
            model("Model"),
            model("Fallback Model").when(Test("needsFallback".into(), Is::In(vec![json!(true)]))),
            one("ai_outputParser", "Output Parser").when(parses()),
        ])],
        "984930c0634a1736" => {
            let parts = Count::Parts("options.categories".into(), "Positive, Neutral, Negative".into());
            vec![always([main("").times(parts)])]
        }
        "dd995c1aa9b10e23" => vec![always([
            main("").times(Count::Items("categories.categories".into())),
            main("Other").when(is("options.fallback", ["other"])),
        ])],
        "06f3df9e076fc570" => vec![always([main("").times(Count::Declared("inputs.input".into()))])],
        "a6cdbe6218155f11" => vec![always([main("").times(Count::Declared("outputs.output".into()))])],
        "8660e83294c23d6f" => {
            vec![case([Test("textSplittingMode".into(), Is::FalsyOr(vec![json!("custom")]))], [needed("ai_textSplitter", "Text Splitter")])]
        }
        "853104fc283ce5ca" => vec![case([Test("autoFix".into(), Is::Truthy)], [model("Model")])],
        "83bb1704d68eca88" => {
            vec![case(
                [is("mode", ["hostedChat", "webhook"]), is("options.loadPreviousSession", ["memory"])],
                [needed("ai_memory", "Memory")],
            )]
        }
        "1fe500a2c661782d" => {
            vec![always([main(""), one("ai_memory", "Memory").when(Test("options.memoryConnection".into(), Is::Truthy))])]
        }
        "69dd236b98535fb2" => vec![always([
            needed("ai_embedding", "Embedding"),
            needed("ai_reranker", "Reranker")
                .when(is("mode", ["load", "retrieve", "retrieve-as-tool"]))
                .when(Test("useReranker".into(), Is::Truthy)),
            main("").when(is("mode", ["insert", "load", "update"])),
            needed("ai_document", "Document").when(is("mode", ["insert"])),
        ])],
        "e152b3ec8763ec53" => vec![
            case([is("mode", ["retrieve-as-tool"])], [any("ai_tool", "Tool")]),
            case([Test("mode".into(), Is::AbsentOrIn(vec![json!("retrieve"), Value::Null]))], [any("ai_vectorStore", "Vector Store")]),
            always([main("")]),
        ],
        "e9a858c13bdb2903" => vec![always([model("Model").times(Count::Number("numberInputs".into(), 2))])],
        "9e0b40f077f9777e" => {
            let checks = ["nsfw", "topicalAlignment", "custom", "jailbreak"].map(String::from).to_vec();
            vec![case([Test("guardrails".into(), Is::HasKey(checks))], [main(""), model("Chat Model")]), always([main("")])]
        }
        "c8ea4aa44d0562ee" => vec![
            case([Test("operation".into(), Is::AbsentOrIn(vec![json!("classify"), Value::Null]))], [main("Pass"), main("Fail")]),
            always([main("")]),
        ],
        "1bf4f041b2703b07" => vec![case([is("operation", ["sanitize"])], [main("")]), always([main(""), model("Chat Model")])],
        _ => return Ports::Unknown,
    };
    Ports::Cases(cases)
}

/// Reads n8n's `requiredInputs`: a number, or code that is known.
pub fn required_inputs(value: &Value) -> RequiredInputs {
    match value {
        Value::Null => RequiredInputs::Any,
        Value::String(code) if digest(code) == "4e44877a889cb263" => {
            RequiredInputs::These { when: vec![is("mode", ["chooseBranch"])], inputs: vec![0, 1], otherwise: 1 }
        }
        Value::Number(number) => {
            number.as_u64().and_then(|n| u32::try_from(n).ok()).map_or(RequiredInputs::Unknown, RequiredInputs::Number)
        }
        _ => RequiredInputs::Unknown,
    }
}

fn open_ai() -> Vec<Case> {
    vec![
        case(
            [is("resource", ["assistant"]), is("operation", ["message"])],
            [main(""), any("ai_tool", "Tools"), one("ai_memory", "Memory").when(Test("memory".into(), Is::NotIn(vec![json!("threadId")])))],
        ),
        case([is("resource", ["text"]), is("operation", ["message", "response"]), is("hideTools", ["hide"])], [main("")]),
        case([is("resource", ["text"]), is("operation", ["message", "response"])], [main(""), any("ai_tool", "Tools")]),
        always([main("")]),
    ]
}

/// Returns the sub-node inputs of agents from version 2 on.
fn agent() -> Vec<Entry> {
    vec![
        model("Chat Model"),
        model("Fallback Model").when(Test("needsFallback".into(), Is::In(vec![json!(true)]))),
        one("ai_memory", "Memory"),
        any("ai_tool", "Tool"),
        one("ai_outputParser", "Output Parser").when(parses()),
    ]
}

/// Returns the inputs of the agent of version 1, which takes different sub-nodes for each kind of agent; only the model is required.
fn first_agent() -> Vec<Case> {
    let parser = || one("ai_outputParser", "Output Parser").when(parses());
    let (memory, tool) = (|| one("ai_memory", "Memory"), || any("ai_tool", "Tool"));
    vec![
        case(
            [is("agent", ["conversationalAgent", "toolsAgent", "openAiFunctionsAgent"])],
            [main(""), model("Chat Model"), memory(), tool(), parser()],
        ),
        case([is("agent", ["reActAgent", "planAndExecuteAgent"])], [main(""), model("Model"), tool(), parser()]),
        case([is("agent", ["sqlAgent"])], [main(""), model("Model"), memory()]),
        always([main("")]),
    ]
}

fn parses() -> Test {
    Test("hasOutputParser".into(), Is::AbsentOrIn(vec![json!(true)]))
}

fn is<const N: usize>(path: &str, values: [&str; N]) -> Test {
    Test(path.into(), Is::In(values.map(Value::from).to_vec()))
}

fn case<const N: usize>(when: [Test; N], ports: impl IntoIterator<Item = Entry>) -> Case {
    Case { when: when.into(), ports: ports.into_iter().collect() }
}

fn always(ports: impl IntoIterator<Item = Entry>) -> Case {
    case([], ports)
}

fn any(kind: &str, label: &str) -> Entry {
    Entry { port: Port { kind: kind.into(), label: label.into(), ..Port::default() }, ..Entry::default() }
}

fn main(label: &str) -> Entry {
    any("main", label)
}

fn one(kind: &str, label: &str) -> Entry {
    let mut entry = any(kind, label);
    entry.port.most = Some(1);
    entry
}

fn needed(kind: &str, label: &str) -> Entry {
    let mut entry = one(kind, label);
    entry.port.required = true;
    entry
}

fn model(label: &str) -> Entry {
    needed("ai_languageModel", label)
}

impl Entry {
    fn when(mut self, test: Test) -> Self {
        self.when.push(test);
        self
    }

    fn times(mut self, count: Count) -> Self {
        self.count = count;
        self
    }
}

/// Returns the digest of code, ignoring whitespace, quotes and the node types in its lists: those lists grow with every release and are not
/// part of the rule.
pub fn digest(code: &str) -> String {
    let mut plain: String = code.chars().filter(|letter| !letter.is_whitespace()).map(|c| if c == '\'' { '"' } else { c }).collect();
    let mut from = 0;
    // Both `nodes:[…]` and `excludedNodes:[…]` end this way.
    while let Some(at) = plain[from..].to_ascii_lowercase().find("nodes:[").map(|at| from + at + "nodes:[".len()) {
        let Some(end) = plain[at..].find(']') else { break };
        plain.replace_range(at..at + end, "");
        from = at;
    }
    sha256_hex(plain)[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_quotes_and_lists_of_node_types_do_not_change_a_digest_but_the_rule_does() {
        let digest_of = |code: &str| digest(code);
        assert_eq!(digest_of("={{ f('a', nodes: ['x']) }}"), digest_of("={{f(\"a\",nodes:['y','z'])}}"));
        assert_ne!(digest_of("={{ f('a') }}"), digest_of("={{ f('b') }}"));
    }

    #[test]
    fn unknown_code_is_unknown_and_not_guessed() {
        assert_eq!(ports("={{ $parameter.x ? ['main'] : [] }}"), Ports::Unknown);
        assert_eq!(required_inputs(&json!("={{ 1 }}")), RequiredInputs::Unknown);
        assert_eq!(required_inputs(&json!(2)), RequiredInputs::Number(2));
    }
}
