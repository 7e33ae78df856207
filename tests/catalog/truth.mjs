// Prints n8n's own evaluation of the nodes of workflows: which parameters show, their values with defaults, which required ones are
// missing, and the inputs and outputs. Uses the installation's own n8n-workflow package.
//
//   node truth.mjs INSTALLATION FILE… > one JSON object a line

import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const [installation, ...files] = process.argv.slice(2);
const require = createRequire(path.join(installation, 'node_modules/n8n/package.json'));
const { NodeHelpers, Workflow } = require('n8n-workflow');
const generation = path.join(installation, 'node_modules/n8n/dist/tool-generation');
const { convertNodeToAiTool } = require(path.join(generation, 'ai-tools.js'));
const { convertNodeToHitlTool, hasSendAndWaitOperation } = require(path.join(generation, 'hitl-tools.js'));

const copy = (value) => JSON.parse(JSON.stringify(value));

/** All descriptions of a type, by whole name. */
const descriptions = new Map();
for (const name of ['n8n-nodes-base', '@n8n/n8n-nodes-langchain']) {
  const file = path.join(installation, 'node_modules', name, 'dist/types/nodes.json');
  for (const node of JSON.parse(fs.readFileSync(file, 'utf8'))) {
    const whole = `${name}.${node.name}`;
    if (!descriptions.has(whole)) descriptions.set(whole, []);
    descriptions.get(whole).push({ ...node, name: whole });
  }
}

function described(type, version) {
  const of = (list) => list?.find((node) => [node.version].flat().includes(version));
  const own = descriptions.get(type);
  if (own) return of(own);
  const hitl = type.endsWith('HitlTool');
  if (!type.endsWith('Tool')) return undefined;
  const base = of(descriptions.get(type.slice(0, hitl ? -'HitlTool'.length : -'Tool'.length)));
  if (!base || (hitl ? !hasSendAndWaitOperation(base) : !base.usableAsTool)) return undefined;
  const description = copy({ ...base, ...(!hitl && typeof base.usableAsTool === 'object' ? base.usableAsTool.replacements : {}) });
  return (hitl ? convertNodeToHitlTool({ description }) : convertNodeToAiTool({ description })).description;
}

console.warn = () => {};

/** Texts and buttons stand among n8n's parameters, with an empty value; to us they are none. */
const isText = ({ type }) => ['notice', 'callout', 'button'].includes(type);

function withoutTexts(properties, values) {
  if (typeof values !== 'object' || values === null || Array.isArray(values)) return values;
  const kept = { ...values };
  for (const property of properties) {
    const value = values[property.name];
    if (isText(property)) {
      if (!properties.some((other) => other.name === property.name && !isText(other))) delete kept[property.name];
    } else if (property.type === 'collection' && property.typeOptions?.multipleValues !== true) {
      kept[property.name] = withoutTexts(property.options ?? [], kept[property.name]);
    } else if (property.type === 'fixedCollection' && typeof value === 'object' && value !== null) {
      const groups = { ...kept[property.name] };
      for (const { name, values: fields } of property.options ?? []) {
        if (Array.isArray(groups[name])) groups[name] = groups[name].map((entry) => withoutTexts(fields, entry));
        else if (name in groups) groups[name] = withoutTexts(fields, groups[name]);
      }
      kept[property.name] = groups;
    }
  }
  return kept;
}

const attempt = (work) => {
  try {
    return { value: work() };
  } catch (error) {
    return { error: String(error.message ?? error) };
  }
};

/** Every combination of the choices and switches that the code of computed ports speaks of, within reason. */
function variations(description) {
  const code = ['inputs', 'outputs', 'requiredInputs'].map((side) => description[side]).filter((side) => typeof side === 'string').join();
  if (!code) return [];
  let found = [{}];
  const seen = new Set();
  for (const property of description.properties) {
    if (seen.has(property.name) || !new RegExp(`\\b${property.name}\\b`).test(code)) continue;
    const same = description.properties.filter((other) => other.name === property.name);
    const values = new Set(same.flatMap((other) => (other.type === 'options' ? other.options.map(({ value }) => value) : other.type === 'boolean' ? [true, false] : other.type === 'number' ? [1, 3] : [])));
    if (values.size === 0) continue;
    seen.add(property.name);
    found = found.flatMap((one) => [one, ...[...values].map((value) => ({ ...one, [property.name]: value }))]).slice(0, 400);
  }
  const shapes = {
    'n8n-nodes-base.switch': [{ rules: { values: [{}, {}, {}] } }, { rules: { values: [{}] }, options: { fallbackOutput: 'extra' } }, { rules: { rules: [{}, {}] } }],
    'n8n-nodes-base.webhook': [{ multipleMethods: true, httpMethod: ['GET', 'POST', 'PUT'] }],
    '@n8n/n8n-nodes-langchain.textClassifier': [{ categories: { categories: [{ category: 'a' }, { category: 'b' }] } }, { categories: { categories: [{ category: 'a' }] }, options: { fallback: 'other' } }],
    '@n8n/n8n-nodes-langchain.sentimentAnalysis': [{ options: { categories: 'a, b' } }, { options: {} }],
    '@n8n/n8n-nodes-langchain.chatTrigger': [{ public: true, mode: 'hostedChat', options: { loadPreviousSession: 'memory' } }, { public: true, mode: 'webhook', options: { loadPreviousSession: 'memory' } }],
    '@n8n/n8n-nodes-langchain.chat': [{ options: { memoryConnection: true } }],
    '@n8n/n8n-nodes-langchain.guardrails': [{ operation: 'classify', guardrails: { nsfw: { value: {} } } }, { operation: 'classify', guardrails: { pii: { value: {} } } }],
    '@n8n/n8n-nodes-langchain.code': [{ inputs: { input: [{ type: 'main', maxConnections: -1, required: true }, { type: 'ai_tool', maxConnections: 1 }] }, outputs: { output: [{ type: 'ai_tool' }, { type: 'main' }] } }],
  };
  return [...found, ...(shapes[description.name] ?? [])];
}

function answer(node, description) {
  const filled = attempt(() => NodeHelpers.getNodeParameters(description.properties, node.parameters, true, false, node, description));
  const beside = filled.value ?? {};
  if (filled.value) filled.value = withoutTexts(description.properties, filled.value);
  const shown = description.properties
    .filter((property) => !isText(property))
    .map((property) => [property.name, attempt(() => NodeHelpers.displayParameter(beside, property, node, description)).value ?? null,
      attempt(() => NodeHelpers.displayParameter(node.parameters, property, node, description)).value ?? null]);
  const credentials = (description.credentials ?? []).map((one) => [one.name, NodeHelpers.displayParameter(beside, one, node, description)]);
  const missing = (parameters) => attempt(() => Object.keys(NodeHelpers.getNodeParametersIssues(description.properties, { ...node, parameters, disabled: false }, description)?.parameters ?? {}));
  const [issues, issuesFilled] = [missing(node.parameters), missing(beside)];
  const ports = attempt(() => {
    const single = { ...node, parameters: copy(node.parameters), disabled: false, onError: undefined };
    const nodeTypes = { getByNameAndVersion: () => ({ description }) };
    const workflow = new Workflow({ nodes: [single], connections: {}, active: false, nodeTypes });
    const plain = (list) => list.map((port) => (typeof port === 'string' ? { type: port } : port)).map((port) => [port.type, port.required ?? false, port.maxConnections ?? null]);
    return { inputs: plain(NodeHelpers.getNodeInputs(workflow, single, description)), outputs: plain(NodeHelpers.getNodeOutputs(workflow, single, description)) };
  });
  return { filled, shown, credentials, issues, issuesFilled, ports };
}

const printed = (file, node, description) => process.stdout.write(`${JSON.stringify({ file, node, known: !!description, ...(description ? answer(node, description) : {}) })}\n`);

for (const file of files) {
  const document = JSON.parse(fs.readFileSync(file, 'utf8'));
  for (const node of document.nodes ?? []) {
    const { name, type, typeVersion, parameters } = node;
    if (typeof type !== 'string') continue;
    const whole = { name: String(name), type, typeVersion: typeVersion ?? 1, parameters: parameters ?? {}, position: [0, 0] };
    printed(path.basename(file), whole, described(type, whole.typeVersion));
  }
}

/** Each resource with each operation, and nothing else said. */
function operations({ properties }) {
  const values = (name) => [...new Set(properties.filter((one) => one.name === name).flatMap(({ options }) => (options ?? []).map(({ value }) => value)))];
  const resources = values('resource');
  const pairs = (resource) => values('operation').map((operation) => ({ ...resource, operation }));
  return resources.length > 0 ? resources.flatMap((resource) => pairs({ resource })) : pairs({});
}

for (const [type, list] of descriptions) {
  for (const own of list) {
    for (const typeVersion of [own.version].flat()) {
      const newest = typeVersion === [own.version].flat().at(-1);
      for (const name of [type, `${type}Tool`, `${type}HitlTool`]) {
        const description = described(name, typeVersion);
        if (!description) continue;
        const parameterSets = [{}, ...variations(description), ...(newest && name === type ? operations(description).slice(0, 150) : [])];
        for (const parameters of parameterSets) printed('(variation)', { name: 'x', type: name, typeVersion, parameters, position: [0, 0] }, description);
      }
    }
  }
}
