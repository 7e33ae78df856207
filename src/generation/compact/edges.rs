//! Edges: `n1>n2.true>n3`, and the ports that they name.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::conditions::SWITCH;
use super::graph::Graph;
use crate::catalog::{NodeVersion, Port, filled};
use crate::document::finding::{Code, Finding, quoted};
use crate::document::json_path;
use crate::text::similar;

const MAIN: &str = "main";
const ERROR: &str = "error";
/// Maximum index of a port: more than any node has.
const MOST_PORTS: usize = 200;

/// An edge as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edge {
    pub from: usize,
    pub output: Option<String>,
    pub to: usize,
    pub input: Option<String>,
    /// Place in the document.
    pub path: String,
}

/// Reads the edges.
pub(super) fn read(edges: &[String], graph: &Graph, findings: &mut Vec<Finding>) -> Vec<Edge> {
    let mut found = Vec::new();
    for (index, text) in edges.iter().enumerate() {
        let path = json_path::index("edges", index);
        let ends: Vec<End<'_>> = text.split('>').map(End::read).collect();
        if ends.len() < 2 {
            let finding = Finding::error(Code::CompactInvalid, path, "an edge joins at least two nodes");
            findings.push(finding.mismatch(quoted(text), r#""n1>n2", "n2.true>n3", "n3>n4:1""#));
            continue;
        }
        let known: Vec<Option<usize>> = ends.iter().enumerate().map(|(at, end)| end.node(graph, at, &path, findings)).collect();
        for (pair, ids) in ends.windows(2).zip(known.windows(2)) {
            let ([from, to], [Some(source), Some(target)]) = (pair, ids) else { continue };
            let owned = |text: Option<&str>| text.map(str::to_owned);
            found.push(Edge { from: *source, output: owned(from.output), to: *target, input: owned(to.input), path: path.clone() });
        }
        if let Some(End { output: Some(output), .. }) = ends.last() {
            let message = format!("the edge ends at output {}, which leads nowhere", quoted(output));
            findings.push(Finding::error(Code::CompactInvalid, path, message));
        }
    }
    found
}

/// An end of an edge: `id[:input][.output]`.
struct End<'t> {
    id: &'t str,
    input: Option<&'t str>,
    output: Option<&'t str>,
}

impl<'t> End<'t> {
    fn read(text: &'t str) -> Self {
        let (node, output) = text.split_once('.').map_or((text, None), |(node, output)| (node, Some(output.trim())));
        let (id, input) = node.split_once(':').map_or((node, None), |(id, input)| (id, Some(input.trim())));
        Self { id: id.trim(), input, output }
    }

    fn node(&self, graph: &Graph, at: usize, path: &str, findings: &mut Vec<Finding>) -> Option<usize> {
        let found = graph.by_id(self.id);
        if found.is_none() {
            let code = if at == 0 { Code::ConnectionSourceUnknown } else { Code::ConnectionTargetUnknown };
            // Edges join ids; names are the second most common mistake.
            let by_name = graph.by_name(self.id).map(|node| graph.ids[node].as_str());
            let meant = by_name.or_else(|| similar::nearest(self.id, graph.ids.iter().map(String::as_str)));
            findings.push(Finding::error(code, path, format!("there is no node with the id {}", quoted(self.id))).suggest(meant));
        }
        found
    }
}

/// Ports of a node; `None` where they are only known at run time, or the catalogue does not know the type.
#[derive(Debug, Default)]
pub(super) struct Ports {
    outputs: Option<Vec<Port>>,
    inputs: Option<Vec<Port>>,
    /// Names of main outputs that the parameters give.
    names: Vec<(String, usize)>,
}

impl Ports {
    pub(super) fn of(kind: &str, facts: Option<&NodeVersion>, version: f64, parameters: &Map<String, Value>) -> Self {
        let Some(facts) = facts else { return Self::default() };
        let Ok(values) = filled(facts, parameters, version, kind) else { return Self::default() };
        let rules = values.get("rules").and_then(|rules| rules.get("values")).and_then(Value::as_array);
        let name =
            |(at, rule): (usize, &Value)| Some((rule.get("outputKey")?.as_str().filter(|_| rule["renameOutput"] == true)?.to_owned(), at));
        let names = rules.filter(|_| kind == SWITCH).into_iter().flatten().enumerate().filter_map(name).collect();
        let [outputs, inputs] = [&facts.outputs, &facts.inputs].map(|ports| ports.of(&values, version).map(Cow::into_owned));
        Self { outputs, inputs, names }
    }

    fn mains(&self) -> Option<usize> {
        Some(self.outputs.as_ref()?.iter().filter(|port| port.kind == MAIN).count())
    }

    /// Returns kind and index of an output.
    pub(super) fn output(&self, name: Option<&str>) -> Result<(String, usize), (Vec<String>, bool)> {
        let main = |index: usize| Ok((MAIN.to_owned(), index));
        let outputs = self.outputs.as_deref();
        let Some(name) = name else {
            return match outputs {
                Some([only]) => Ok((only.kind.clone(), 0)),
                None | Some([]) => main(0),
                Some(_) => Err((self.offered(), true)),
            };
        };
        if let Ok(index) = name.parse::<usize>() {
            let kind = outputs.and_then(|ports| ports.first().filter(|first| ports.iter().all(|port| port.kind == first.kind)));
            let fits = index <= MOST_PORTS;
            return if fits { Ok((kind.map_or(MAIN, |port| &port.kind).to_owned(), index)) } else { Err((self.offered(), false)) };
        }
        let same = |own: &str| own.eq_ignore_ascii_case(name);
        if let Some((_, index)) = self.names.iter().find(|(own, _)| own == name).or_else(|| self.names.iter().find(|(own, _)| same(own))) {
            return main(*index);
        }
        if let Some((at, port)) = outputs.into_iter().flatten().enumerate().find(|(_, port)| same(&port.label)) {
            let before = outputs.into_iter().flatten().take(at).filter(|before| before.kind == port.kind).count();
            return Ok((port.kind.clone(), before));
        }
        if let Some(mains) = self.mains().filter(|_| name == ERROR) {
            return main(mains);
        }
        if is_kind(name) { Ok((name.to_owned(), 0)) } else { Err((self.offered(), false)) }
    }

    fn offered(&self) -> Vec<String> {
        let mut names: Vec<String> = self.names.iter().map(|(name, _)| name.clone()).collect();
        let (mut mains, mut others) = (0_usize, Vec::new());
        for port in self.outputs.iter().flatten() {
            let index = mains;
            mains += usize::from(port.kind == MAIN);
            match (port.kind == MAIN, port.label.is_empty()) {
                (_, false) => names.push(port.label.to_lowercase()),
                (true, true) if !self.names.iter().any(|(_, at)| *at == index) => names.push(index.to_string()),
                (true, true) => {}
                (false, true) => others.push(port.kind.clone()),
            }
        }
        names.extend(others);
        names
    }

    /// Returns the index of an input of a kind.
    pub(super) fn input(&self, kind: &str, name: Option<&str>) -> Result<usize, Vec<String>> {
        let Some(name) = name else { return Ok(0) };
        let own = || self.inputs.iter().flatten().filter(|port| port.kind == kind);
        let by_label = || own().position(|port| port.label.eq_ignore_ascii_case(name));
        let index = name.parse::<usize>().ok().or_else(by_label).filter(|index| *index <= MOST_PORTS);
        index.ok_or_else(|| {
            own().enumerate().map(|(at, port)| if port.label.is_empty() { at.to_string() } else { port.label.clone() }).collect()
        })
    }

    /// Returns the shortest name of an output: `Some(None)` if it needs none, `None` if no name leads to it. `fails` says that the node has
    /// an error output.
    #[allow(clippy::option_option)]
    pub(super) fn name_of(&self, kind: &str, index: usize, fails: bool) -> Option<Option<String>> {
        let leads = |name: Option<&str>| self.output(name).is_ok_and(|found| found == (kind.to_owned(), index));
        if leads(None) {
            return Some(None);
        }
        let named = self.names.iter().filter(|(_, at)| *at == index && kind == MAIN).map(|(name, _)| name.clone());
        let labels = self.outputs.iter().flatten().filter(|port| port.kind == kind).map(|port| port.label.to_lowercase());
        let others = [fails.then(|| ERROR.to_owned()), Some(index.to_string()), Some(kind.to_owned())].into_iter().flatten();
        let fits = |name: &String| !name.is_empty() && !name.contains('>') && name.trim() == name && leads(Some(name));
        named.chain(labels).chain(others).find(fits).map(Some)
    }
}

fn is_kind(name: &str) -> bool {
    name == MAIN || name.starts_with("ai_") && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Returns n8n's connections, and the nodes whose error output is used.
pub(super) fn connect(edges: &[Edge], graph: &Graph, ports: &[Ports], findings: &mut Vec<Finding>) -> (Map<String, Value>, Vec<usize>) {
    let mut connections = Map::new();
    let mut failing = Vec::new();
    for edge in edges {
        let (from, to) = (&graph.ids[edge.from], &graph.ids[edge.to]);
        let (kind, output) = match ports[edge.from].output(edge.output.as_deref()) {
            Ok(found) => found,
            Err((offered, missing)) => {
                let message = if missing { format!("{from} has several outputs; name one") } else { format!("{from} has no such output") };
                let name = edge.output.as_deref().unwrap_or_default();
                let meant = similar::nearest(name, offered.iter().map(String::as_str));
                let finding = Finding::error(Code::ConnectionOutput, edge.path.clone(), message);
                let got = if missing { "no output".to_owned() } else { quoted(name) };
                findings.push(finding.mismatch(got, offered.join(", ")).suggest(meant));
                continue;
            }
        };
        let input = match ports[edge.to].input(&kind, edge.input.as_deref()) {
            Ok(input) => input,
            Err(offered) => {
                let finding = Finding::error(Code::ConnectionInput, edge.path.clone(), format!("{to} has no such input"));
                findings.push(finding.mismatch(quoted(edge.input.as_deref().unwrap_or_default()), offered.join(", ")));
                continue;
            }
        };
        if edge.output.as_deref() == Some(ERROR) && ports[edge.from].mains() == Some(output) {
            failing.push(edge.from);
        }
        let link = json!({"node": graph.names[edge.to], "type": kind, "index": input});
        let kinds = entry(&mut connections, &graph.names[edge.from], || Value::Object(Map::new()));
        let Some(kinds) = kinds.as_object_mut() else { continue };
        let Some(outputs) = entry(kinds, &kind, || json!([])).as_array_mut() else { continue };
        while outputs.len() <= output {
            outputs.push(json!([]));
        }
        if let Some(links) = outputs[output].as_array_mut().filter(|links| !links.contains(&link)) {
            links.push(link);
        }
    }
    (connections, failing)
}

fn entry<'m>(map: &'m mut Map<String, Value>, key: &str, new: impl FnOnce() -> Value) -> &'m mut Value {
    map.entry(key.to_owned()).or_insert_with(new)
}

/// Writes edges, joining those in a row.
pub(super) fn write(edges: &[Edge], graph: &Graph) -> Vec<String> {
    let mut of: Vec<Vec<usize>> = vec![Vec::new(); graph.ids.len()];
    edges.iter().enumerate().for_each(|(at, edge)| of[edge.from].push(at));
    let mut done = vec![false; edges.len()];
    let mut texts = Vec::new();
    for start in 0..edges.len() {
        let (mut text, mut at) = (String::new(), start);
        while !done[at] {
            done[at] = true;
            let edge = &edges[at];
            if text.is_empty() {
                text.push_str(&graph.ids[edge.from]);
            }
            if let Some(output) = &edge.output {
                text.push('.');
                text.push_str(output);
            }
            text.push('>');
            text.push_str(&graph.ids[edge.to]);
            if let Some(input) = &edge.input {
                text.push(':');
                text.push_str(input);
            }
            let [next] = of[edge.to][..] else { break };
            at = next;
        }
        if !text.is_empty() {
            texts.push(text);
        }
    }
    texts
}
