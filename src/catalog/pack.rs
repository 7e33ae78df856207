//! Binary format of the catalogue: an index, and blocks of node types that are unpacked on first use of one of their types.
//!
//! `WKCATALOG1\n`, the length of the packed index (32 bits, little-endian), the packed index, the packed blocks. Packed means zlib; the
//! content is JSON. Identical parameters of a node type are stored and held once.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::ops::Range;
use std::sync::Arc;

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};

use super::capability::Capability;
use super::distil::Distilled;
use super::model::{CredentialType, Group, NodeType, NodeVersion, Parameter, Shared};
use super::plan::Planned;

const MAGIC: &[u8] = b"WKCATALOG1\n";
/// Size at which a block is closed: larger blocks compress better, smaller blocks unpack faster.
const BLOCK: usize = 96 * 1024;
/// Maximum unpacked size of the index or a block: a catalogue may come from anybody who may write a ConfigMap.
const LARGEST: u64 = 8 * 1024 * 1024;

/// Error for bytes that are not a catalogue.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The bytes do not begin as a catalogue does.
    #[error("it is not a catalogue; create one with `weirkeeper catalog build`")]
    Kind,
    /// The bytes are truncated or were changed.
    #[error("it is damaged ({0}); rebuild it with `weirkeeper catalog build`")]
    Damaged(String),
}

/// Facts about all types that are available without unpacking one.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Index {
    /// Version of n8n, if known.
    pub n8n: Option<String>,
    /// Packages and their versions.
    pub packages: Vec<(String, String)>,
    /// Node types, by name.
    pub nodes: Vec<NodeEntry>,
    /// Credential types, by name.
    pub credentials: Vec<CredentialEntry>,
    /// Packed length of each block.
    blocks: Vec<usize>,
}

/// A node type in the index.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct NodeEntry {
    /// Full name, with its package.
    pub name: String,
    /// Display name.
    pub display_name: String,
    /// Search aliases.
    pub aliases: Vec<String>,
    /// Resources and operations, as values and display names.
    pub words: Vec<String>,
    /// True if n8n no longer offers it.
    pub hidden: bool,
    /// True if a `…Tool` is derived from one of its versions.
    pub tool: bool,
    /// True if a `…HitlTool` is derived from one of its versions.
    pub review: bool,
    /// Capabilities of nodes of the type outside their own definition; `None` in a catalogue that was made without n8n's sources.
    #[serde(default)]
    pub reaches: Option<Vec<Capability>>,
    at: BlockRange,
}

impl NodeEntry {
    /// Returns the unpacked size in bytes.
    pub fn size(&self) -> usize {
        self.at.2
    }
}

/// A credential type in the index.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct CredentialEntry {
    /// Name, such as `slackApi`.
    pub name: String,
    /// Display name.
    pub display_name: String,
    at: BlockRange,
}

/// Block, offset, length.
type BlockRange = (usize, usize, usize);

#[derive(Serialize, Deserialize)]
struct StoredNode {
    name: String,
    display_name: String,
    versioned: bool,
    default_version: f64,
    table: Vec<Parameter<u32>>,
    variants: Vec<NodeVersion<u32>>,
}

#[derive(Serialize, Deserialize)]
struct StoredCredential {
    table: Vec<Parameter<u32>>,
    facts: CredentialType<u32>,
}

/// Packs the facts.
pub fn pack(facts: &Distilled, n8n: Option<String>, packages: Vec<(String, String)>) -> std::io::Result<Vec<u8>> {
    let mut index = Index { n8n, packages, ..Index::default() };
    let mut blocks = Blocks::default();
    for node in facts.nodes.values() {
        let at = blocks.add(&serde_json::to_vec(&stored_node(node)?)?)?;
        let aliases = facts.aliases.get(&node.name).cloned().unwrap_or_default();
        let reaches = facts.reaches.get(&node.name).map(|reaches| reaches.iter().copied().collect());
        index.nodes.push(entry(node, aliases, reaches, at));
    }
    for credential in facts.credentials.values() {
        let mut table = Table::default();
        let stored = credential.clone().map(&mut |parameter: Shared| table.put(&parameter))?;
        let at = blocks.add(&serde_json::to_vec(&StoredCredential { table: table.rows, facts: stored })?)?;
        index.credentials.push(CredentialEntry { name: credential.name.clone(), display_name: credential.display_name.clone(), at });
    }
    let packed = blocks.finish()?;
    index.blocks = packed.iter().map(Vec::len).collect();
    let head = deflate(&serde_json::to_vec(&index)?)?;
    let length = u32::try_from(head.len()).map_err(std::io::Error::other)?;
    Ok([MAGIC, &length.to_le_bytes(), &head, &packed.concat()].concat())
}

fn entry(node: &NodeType, aliases: Vec<String>, reaches: Option<Vec<Capability>>, at: BlockRange) -> NodeEntry {
    let mut words: Vec<String> = Vec::new();
    for variant in &node.variants {
        for parameter in variant.parameters.iter().filter(|parameter| matches!(parameter.name.as_str(), "resource" | "operation")) {
            let values = parameter.options.values.iter().filter_map(|value| value.as_str().map(str::to_owned));
            words.extend(values.chain(parameter.options.labels.iter().cloned()).filter(|word| !word.contains("__")));
        }
    }
    words.sort();
    words.dedup();
    NodeEntry {
        name: node.name.clone(),
        display_name: node.display_name.clone(),
        aliases,
        words,
        hidden: node.variants.iter().all(|variant| variant.hidden),
        tool: node.variants.iter().any(|variant| variant.usable_as_tool),
        review: node.variants.iter().any(|variant| super::tool::can_review(&node.name, variant)),
        reaches,
        at,
    }
}

fn stored_node(node: &NodeType) -> std::io::Result<StoredNode> {
    let mut table = Table::default();
    let variants: std::io::Result<Vec<_>> =
        node.variants.iter().map(|variant| variant.clone().map(&mut |parameter: Shared| table.put(&parameter))).collect();
    Ok(StoredNode {
        name: node.name.clone(),
        display_name: node.display_name.clone(),
        versioned: node.versioned,
        default_version: node.default_version,
        variants: variants?,
        table: table.rows,
    })
}

/// Distinct parameters of one type; nested parameters precede those that contain them.
#[derive(Default)]
struct Table {
    rows: Vec<Parameter<u32>>,
    places: HashMap<Vec<u8>, u32>,
}

impl Table {
    fn put(&mut self, parameter: &Shared) -> std::io::Result<u32> {
        let row = (**parameter).clone().map(&mut |inner: Shared| self.put(&inner))?;
        let key = serde_json::to_vec(&row)?;
        if let Some(place) = self.places.get(&key) {
            return Ok(*place);
        }
        let place = u32::try_from(self.rows.len()).map_err(std::io::Error::other)?;
        self.rows.push(row);
        self.places.insert(key, place);
        Ok(place)
    }
}

#[derive(Default)]
struct Blocks {
    done: Vec<Vec<u8>>,
    open: Vec<u8>,
}

impl Blocks {
    fn add(&mut self, bytes: &[u8]) -> std::io::Result<BlockRange> {
        if self.open.len() + bytes.len() > BLOCK && !self.open.is_empty() {
            self.close()?;
        }
        let place = (self.done.len(), self.open.len(), bytes.len());
        self.open.extend_from_slice(bytes);
        Ok(place)
    }

    fn close(&mut self) -> std::io::Result<()> {
        self.done.push(deflate(&std::mem::take(&mut self.open))?);
        Ok(())
    }

    fn finish(mut self) -> std::io::Result<Vec<Vec<u8>>> {
        if !self.open.is_empty() {
            self.close()?;
        }
        Ok(self.done)
    }
}

fn deflate(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let mut plain = Vec::new();
    ZlibDecoder::new(bytes).take(LARGEST).read_to_end(&mut plain).map_err(|error| Unreadable::Damaged(error.to_string()))?;
    Ok(plain)
}

/// Positions of the packed blocks.
#[derive(Debug, Default)]
pub struct Layout {
    blocks: Vec<Range<usize>>,
}

/// Reads the index.
pub fn open(bytes: &[u8]) -> Result<(Index, Layout), Unreadable> {
    let cut = || Unreadable::Damaged("it is truncated".to_owned());
    let rest = bytes.strip_prefix(MAGIC).ok_or(Unreadable::Kind)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    let head = rest.get(..u32::from_le_bytes(*length) as usize).ok_or_else(cut)?;
    let index: Index = parse(&inflate(head)?)?;
    let mut from = MAGIC.len() + 4 + head.len();
    let mut blocks = Vec::with_capacity(index.blocks.len());
    for length in &index.blocks {
        let to = from.checked_add(*length).filter(|to| *to <= bytes.len()).ok_or_else(cut)?;
        blocks.push(from..to);
        from = to;
    }
    Ok((index, Layout { blocks }))
}

impl Layout {
    fn slice(&self, bytes: &[u8], (block, from, length): BlockRange) -> Result<Vec<u8>, Unreadable> {
        let cut = || Unreadable::Damaged("its index points outside the data".to_owned());
        let plain = inflate(self.blocks.get(block).and_then(|range| bytes.get(range.clone())).ok_or_else(cut)?)?;
        Ok(from.checked_add(length).and_then(|to| plain.get(from..to)).ok_or_else(cut)?.to_vec())
    }

    /// Unpacks one node type.
    pub fn node(&self, bytes: &[u8], entry: &NodeEntry) -> Result<NodeType, Unreadable> {
        let stored: StoredNode = parse(&self.slice(bytes, entry.at)?)?;
        let table = shared(stored.table)?;
        let variants: Result<Vec<NodeVersion>, Unreadable> =
            stored.variants.into_iter().map(|variant| variant.map(&mut |place| at(&table, place))).collect();
        Ok(NodeType {
            name: stored.name,
            display_name: stored.display_name,
            versioned: stored.versioned,
            default_version: stored.default_version,
            variants: variants?,
        })
    }

    /// Unpacks one credential type.
    pub fn credential(&self, bytes: &[u8], entry: &CredentialEntry) -> Result<CredentialType, Unreadable> {
        let stored: StoredCredential = parse(&self.slice(bytes, entry.at)?)?;
        let table = shared(stored.table)?;
        stored.facts.map(&mut |place| at(&table, place))
    }
}

fn parse<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(bytes).map_err(|error| Unreadable::Damaged(error.to_string()))
}

fn shared(rows: Vec<Parameter<u32>>) -> Result<Vec<Shared>, Unreadable> {
    let mut table: Vec<Shared> = Vec::with_capacity(rows.len());
    for row in rows {
        let parameter = row.map(&mut |place| at(&table, place))?;
        table.push(Shared(Arc::new(parameter)));
    }
    Ok(table)
}

fn at(table: &[Shared], place: u32) -> Result<Shared, Unreadable> {
    table.get(place as usize).cloned().ok_or_else(|| Unreadable::Damaged("a parameter points outside the table".to_owned()))
}

impl<A> Parameter<A> {
    fn map<B, E>(self, each: &mut impl FnMut(A) -> Result<B, E>) -> Result<Parameter<B>, E> {
        let group = |group: Group<A>| {
            let fields = group.fields.into_iter().map(&mut *each).collect::<Result<_, E>>()?;
            Ok(Group { name: group.name, fields, plan: Planned::default() })
        };
        let groups = self.groups.into_iter().map(group).collect::<Result<_, E>>()?;
        Ok(Parameter {
            fields: self.fields.into_iter().map(each).collect::<Result<_, E>>()?,
            groups,
            name: self.name,
            kind: self.kind,
            default: self.default,
            required: self.required,
            no_data_expression: self.no_data_expression,
            display: self.display,
            options: self.options,
            modes: self.modes,
            bounds: self.bounds,
            plan: Planned::default(),
        })
    }
}

impl<A> NodeVersion<A> {
    fn map<B, E>(self, each: &mut impl FnMut(A) -> Result<B, E>) -> Result<NodeVersion<B>, E> {
        Ok(NodeVersion {
            parameters: self.parameters.into_iter().map(each).collect::<Result<_, E>>()?,
            versions: self.versions,
            trigger: self.trigger,
            polling: self.polling,
            hidden: self.hidden,
            usable_as_tool: self.usable_as_tool,
            max_nodes: self.max_nodes,
            inputs: self.inputs,
            outputs: self.outputs,
            required_inputs: self.required_inputs,
            credentials: self.credentials,
            webhooks: self.webhooks,
            plan: Planned::default(),
        })
    }
}

impl<A> CredentialType<A> {
    fn map<B, E>(self, each: &mut impl FnMut(A) -> Result<B, E>) -> Result<CredentialType<B>, E> {
        Ok(CredentialType {
            properties: self.properties.into_iter().map(each).collect::<Result<_, E>>()?,
            name: self.name,
            display_name: self.display_name,
            extends: self.extends,
            scopes: self.scopes,
            testable: self.testable,
            authenticates: self.authenticates,
            generic: self.generic,
            restricted: self.restricted,
            supported_nodes: self.supported_nodes,
        })
    }
}
