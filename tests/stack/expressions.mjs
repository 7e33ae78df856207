#!/usr/bin/env node
// Results of n8n's own parser for expressions and scripts: reads a JSON array of [kind, text] from stdin, where kind is "expression" or
// "body", and writes an array of messages, empty where n8n accepts the text.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';

import { programs } from './build.mjs';

const firstLine = (error) => String(error.message ?? error).split('\n')[0] || 'refused';

/** Does the same as n8n up to the evaluation itself. */
function evaluateExpression({ tournament, extendSyntax }, text) {
  const expression = text.slice(1);
  if (/\.\s*constructor/.test(expression)) return 'constructor';
  const [code] = tournament.getExpressionCode(extendSyntax(expression));
  new Function('E', `${code};`);
  return '';
}

function evaluateBody(text) {
  new vm.Script(`module.exports = async function() {${text}\n}()`);
  return '';
}

function evaluate(n8n) {
  const require = createRequire(n8n);
  const workflow = path.join(path.dirname(require.resolve('n8n-workflow/package.json')), 'dist/cjs');
  const { Tournament } = createRequire(path.join(workflow, 'index.js'))('@n8n/tournament');
  const { extendSyntax } = require(path.join(workflow, 'extensions/expression-extension.js'));
  const { expressionSandboxHooks } = require(path.join(workflow, 'expression-sandboxing.js'));
  const tournament = new Tournament(() => {}, undefined, undefined, expressionSandboxHooks);
  const answer = ([kind, text]) => {
    try {
      return kind === 'body' ? evaluateBody(text) : evaluateExpression({ tournament, extendSyntax }, text);
    } catch (error) {
      return firstLine(error);
    }
  };
  const items = JSON.parse(fs.readFileSync(0, 'utf8'));
  fs.writeSync(1, JSON.stringify(items.map(answer)));
}

const [n8n] = process.argv.slice(2);
if (n8n) {
  evaluate(n8n);
} else {
  // n8n's Node.js decides, since its V8 is the last parser.
  const found = await programs({ withN8n: true });
  const self = fileURLToPath(import.meta.url);
  const run = spawnSync(found.node, [self, found.n8n], { stdio: 'inherit' });
  process.exitCode = run.status ?? 1;
}
