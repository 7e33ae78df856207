// Lists the files that Node.js loads for n8n's own node types, and the calls in them that reach outside a node's own definition. It inspects
// the files that are really loaded, whereas the catalogue's builder follows their text.
//
//   node loaded.mjs INSTALLATION > one JSON object a line

import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const CALLS =
  /\b(executeWorkflow|executeAgent|getDataTableProxy|getDataTableAggregateProxy|MemoryVectorStoreManager|startJob|resolvePath|createReadStream|writeContentToFile)\b|require\(['"](vm2|child_process|node:child_process)['"]\)/g;

const installation = process.argv[2];
const require = createRequire(path.join(installation, 'node_modules/n8n/package.json'));
const packages = ['n8n-nodes-base', '@n8n/n8n-nodes-langchain'];
const folders = packages.map((name) => fs.realpathSync(path.join(installation, 'node_modules', name)) + path.sep);

const mentioned = new Map();
function mentions(file) {
  if (!mentioned.has(file)) {
    mentioned.set(file, [...new Set([...fs.readFileSync(file, 'utf8').matchAll(CALLS)].map((match) => match[1] ?? match[2]))]);
  }
  return mentioned.get(file);
}

for (const [at, name] of packages.entries()) {
  const known = JSON.parse(fs.readFileSync(path.join(folders[at], 'dist/known/nodes.json'), 'utf8'));
  for (const [short, { sourcePath }] of Object.entries(known)) {
    const start = path.join(folders[at], sourcePath);
    try {
      require(start);
    } catch (error) {
      console.log(JSON.stringify({ type: `${name}.${short}`, failed: String(error.message).split('\n')[0] }));
      continue;
    }
    const open = [require.cache[start]];
    const seen = new Set();
    const calls = {};
    while (open.length > 0) {
      const module = open.pop();
      if (!module || seen.has(module.filename)) continue;
      if (!folders.some((folder) => module.filename.startsWith(folder) && !module.filename.slice(folder.length).includes('node_modules'))) continue;
      seen.add(module.filename);
      for (const call of mentions(module.filename)) calls[call] = path.relative(installation, module.filename);
      open.push(...module.children);
    }
    console.log(JSON.stringify({ type: `${name}.${short}`, files: seen.size, calls }));
  }
}
process.exit(0);
