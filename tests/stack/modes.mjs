#!/usr/bin/env node
// The table of `make test-modes`: node modes.mjs FOLDER, where FOLDER holds SHAPE.log of each shape that was run. Tests that used no n8n of
// the shape are not counted.

import fs from 'node:fs';
import path from 'node:path';

/** Reads the results of each module of scenarios from the log of one run. */
export function read(log) {
  const modules = {};
  const of = (test) => (modules[test.replace(/^scenarios::/, '').split('::')[0]] ??= { passed: 0, failed: [], leftOut: [] });
  const matches = (pattern) => [...log.matchAll(pattern)].map((match) => match.slice(1));
  const leftOut = matches(/^left out on [\w-]+: ([\w:]+): (.*)$/gm);
  const met = new Set(matches(/^met n8n: ([\w:]+)$/gm).flat());
  for (const [test, why] of leftOut) of(test).leftOut.push({ test, why });
  const notRun = new Set(leftOut.map(([test]) => test));
  for (const [test, result] of matches(/^test ([\w:]+) \.\.\. (ok|FAILED)$/gm)) {
    if (result === 'FAILED') of(test).failed.push(test);
    else if (met.has(test) && !notRun.has(test)) of(test).passed += 1;
  }
  return modules;
}

function cell(module) {
  const { passed = 0, failed = [], leftOut = [] } = module ?? {};
  const parts = [passed > 0 && `${passed} passed`, failed.length > 0 && `${failed.length} FAILED`, leftOut.length > 0 && `${leftOut.length} left out`];
  return parts.filter(Boolean).join(', ') || '–';
}

/** Returns a table of modules by shapes, the sums, and the names of failed and left out tests. `logs` are by shape. */
export function table(logs) {
  const shapes = Object.keys(logs);
  const read_ = Object.fromEntries(shapes.map((shape) => [shape, read(logs[shape])]));
  const names = [...new Set(shapes.flatMap((shape) => Object.keys(read_[shape])))].sort();
  const filled = names.filter((name) => shapes.some((shape) => cell(read_[shape][name]) !== '–'));
  const row = (cells) => `| ${cells.join(' | ')} |`;
  const sum = (shape) => {
    const all = Object.values(read_[shape]);
    return cell({ passed: all.reduce((total, one) => total + one.passed, 0), failed: all.flatMap((one) => one.failed), leftOut: all.flatMap((one) => one.leftOut) });
  };
  const lines = [row(['scenarios', ...shapes]), row(['---', ...shapes.map(() => '---')])];
  for (const name of filled) lines.push(row([`\`${name}\``, ...shapes.map((shape) => cell(read_[shape][name]))]));
  lines.push(row(['together', ...shapes.map(sum)]));
  const named = (what, line) => shapes.flatMap((shape) => Object.values(read_[shape]).flatMap((one) => one[what].map((each) => line(shape, each))));
  lines.push(...named('failed', (shape, test) => `failed on ${shape}: ${test}`));
  lines.push(...named('leftOut', (shape, { test, why }) => `left out on ${shape}: ${test}: ${why}`));
  return lines.join('\n');
}

if (import.meta.main ?? process.argv[1] === import.meta.filename) {
  const folder = process.argv[2];
  if (!folder) {
    process.stderr.write('usage: node modes.mjs FOLDER\n');
    process.exit(2);
  }
  const files = fs.readdirSync(folder).filter((name) => name.endsWith('.log')).sort();
  const logs = Object.fromEntries(files.map((name) => [path.basename(name, '.log'), fs.readFileSync(path.join(folder, name), 'utf8')]));
  process.stdout.write(`${table(logs)}\n`);
}
