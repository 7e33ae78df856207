// Runs the validator of the npm package n8n-mcp over workflows and prints how many it checks in a second of processor time.
// The folder of the package is the argument; a JSON list of workflows, each as text, comes on standard input.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const folder = resolve(process.argv[2]);
const require = createRequire(import.meta.url);
const part = (path) => require(`${folder}/dist/${path}.js`);
const { createDatabaseAdapter } = part('database/database-adapter');
const { NodeRepository } = part('database/node-repository');
const { WorkflowValidator } = part('services/workflow-validator');
const { EnhancedConfigValidator } = part('services/enhanced-config-validator');

// It logs to standard output too, which is kept for the result.
console.log = console.info = console.warn = () => {};
const texts = JSON.parse(readFileSync(0, 'utf8'));
const nodes = new NodeRepository(await createDatabaseAdapter(`${folder}/data/nodes.db`));
const validator = new WorkflowValidator(nodes, EnhancedConfigValidator);

async function round() {
  for (const text of texts) await validator.validateWorkflow(JSON.parse(text));
}

await round();
const before = process.cpuUsage();
await round();
const { user, system } = process.cpuUsage(before);
const { version } = require(`${folder}/package.json`);
process.stdout.write(JSON.stringify({ version, node: process.versions.node, perSecond: texts.length / ((user + system) / 1e6) }));
process.exit(0);
