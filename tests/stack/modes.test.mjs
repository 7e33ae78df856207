import assert from 'node:assert/strict';
import { test } from 'node:test';

import { table } from './modes.mjs';

const log = `running 4 tests
met n8n: scenarios::sync::one
met n8n: scenarios::sync::two
left out on queue: scenarios::paths::gone: n8n does not do that
test scenarios::paths::gone ... ok
test scenarios::paths::on_the_stand_in ... ok
test scenarios::sync::one ... ok
test scenarios::sync::two has been running for over 60 seconds
test scenarios::sync::two ... FAILED

test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 239 filtered out; finished in 183.23s
`;

test('a table counts what met the n8n of its shape, and names what failed or was left out', () => {
  assert.deepEqual(table({ default: log.replace(/left out.*\n/, '').replace('FAILED', 'ok'), queue: log }).split('\n'), [
    '| scenarios | default | queue |',
    '| --- | --- | --- |',
    '| `paths` | – | 1 left out |',
    '| `sync` | 2 passed | 1 passed, 1 FAILED |',
    '| together | 2 passed | 1 passed, 1 FAILED, 1 left out |',
    'failed on queue: scenarios::sync::two',
    'left out on queue: scenarios::paths::gone: n8n does not do that',
  ]);
});
