// PostgreSQL and Redis from the packages of the machine, for the shapes of n8n that need them. Both listen on loopback only, require a
// password for one stack, and keep their data below the folder of the stack.

import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';

import { freePort, waitReady } from './processes.mjs';

/** The database and the superuser that initdb creates. */
const DATABASE = 'postgres';
const USER = 'n8n';

const inPath = (program) =>
  (process.env.PATH ?? '')
    .split(':')
    .filter(Boolean)
    .map((folder) => path.join(folder, program))
    .find((file) => fs.existsSync(file));

/**
 * Returns the folder of the newest PostgreSQL on the machine: Debian keeps the server's programs out of PATH, one folder for each version.
 */
function postgresFolder() {
  const root = '/usr/lib/postgresql';
  const versions = fs.existsSync(root) ? fs.readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const found = versions.map((version) => path.join(root, version, 'bin')).find((folder) => fs.existsSync(path.join(folder, 'initdb')));
  return found ?? (inPath('initdb') && path.dirname(fs.realpathSync(inPath('initdb'))));
}

/** Returns the programs, or throws an error with the packages to install. */
export function servicePrograms() {
  const [postgres, redis] = [postgresFolder(), inPath('redis-server')];
  const missing = [!postgres && 'PostgreSQL (initdb, postgres)', !redis && 'Redis (redis-server)'].filter(Boolean);
  if (missing.length > 0) {
    throw new Error(
      `this shape needs ${missing.join(' and ')} on the machine; on Debian: apt-get update && apt-get install -y postgresql redis-server`,
    );
  }
  return { postgres, redis };
}

/** PostgreSQL does not run as root; then it runs as the user that Debian's package creates for it. */
function postgresUser() {
  if (process.getuid() !== 0) return {};
  const entry = fs.readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':'));
  const found = entry.find(([name]) => name === 'postgres');
  if (!found) throw new Error('PostgreSQL does not run as root, and this machine has no user postgres to run it as');
  return { uid: Number(found[2]), gid: Number(found[3]) };
}

/** Creates an empty database cluster, and returns the addresses and passwords of both services. */
export function prepareServices(state) {
  const { postgres, redis } = servicePrograms();
  const password = () => crypto.randomBytes(24).toString('base64url');
  const [data, redisFolder] = [path.join(state.dir, 'postgres'), path.join(state.dir, 'redis')];
  const user = postgresUser();
  state.services = {
    postgres: { programs: postgres, data, user, password: password(), port: 0 },
    redis: { program: redis, folder: redisFolder, password: password(), port: 0 },
  };
  fs.mkdirSync(redisFolder, { mode: 0o700 });
  fs.mkdirSync(data, { mode: 0o700 });
  const passwordFile = path.join(state.dir, 'postgres-password');
  fs.writeFileSync(passwordFile, `${state.services.postgres.password}\n`, { mode: 0o600 });
  if (user.uid !== undefined) {
    for (const own of [data, passwordFile]) fs.chownSync(own, user.uid, user.gid);
    fs.chmodSync(state.dir, 0o711); // what is inside is closed by itself
  }
  const argv = ['--auth=scram-sha-256', `--username=${USER}`, `--pwfile=${passwordFile}`, '--encoding=UTF8', '--locale=C.UTF-8', '--no-sync'];
  const made = spawnSync(path.join(postgres, 'initdb'), [...argv, '--pgdata', data], {
    ...user,
    cwd: data,
    env: { PATH: '/usr/bin:/bin', HOME: data },
    encoding: 'utf8',
  });
  if (made.status !== 0) throw new Error(`initdb failed: ${made.error?.message ?? made.stderr.slice(-2000)}`);
}

/** Variables by which n8n finds both. */
export const serviceVariables = ({ postgres, redis }) => ({
  DB_TYPE: 'postgresdb',
  DB_POSTGRESDB_HOST: '127.0.0.1',
  DB_POSTGRESDB_PORT: String(postgres.port),
  DB_POSTGRESDB_DATABASE: DATABASE,
  DB_POSTGRESDB_USER: USER,
  DB_POSTGRESDB_PASSWORD: postgres.password,
  QUEUE_BULL_REDIS_HOST: '127.0.0.1',
  QUEUE_BULL_REDIS_PORT: String(redis.port),
  QUEUE_BULL_REDIS_PASSWORD: redis.password,
});

const postgres = {
  // The first signal lets clients finish, this one ends them.
  stopSignal: 'SIGINT',
  async choosePorts(state) {
    state.services.postgres.port = await freePort();
  },
  launch(state) {
    const { programs, data, user, port } = state.services.postgres;
    const settings = ['listen_addresses=127.0.0.1', `unix_socket_directories=${data}`, 'fsync=off', 'max_connections=60'];
    const argv = [path.join(programs, 'postgres'), '-D', data, '-p', String(port), ...settings.flatMap((one) => ['-c', one])];
    return { argv, env: { PATH: '/usr/bin:/bin', HOME: data, TZ: 'UTC' }, cwd: data, ...user };
  },
  async ready(state, record) {
    const { port } = state.services.postgres;
    // Eight bytes that ask whether TLS is spoken: only a server that accepts connections answers, with one letter.
    const question = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
    await waitReady('postgres', record, async () => /^[SN]/.test(await exchange(port, question)) || 'no answer');
  },
};

const redis = {
  async choosePorts(state) {
    state.services.redis.port = await freePort();
  },
  launch(state) {
    const { program, folder, password, port } = state.services.redis;
    const lines = ['bind 127.0.0.1', `port ${port}`, `dir ${folder}`, `requirepass ${password}`, 'save ""', 'appendonly yes', 'daemonize no'];
    const file = path.join(folder, 'redis.conf');
    fs.writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
    return { argv: [program, file], env: { PATH: '/usr/bin:/bin', TZ: 'UTC' }, cwd: folder };
  },
  async ready(state, record) {
    const { port, password } = state.services.redis;
    await waitReady('redis', record, async () => (await exchange(port, `AUTH ${password}\r\nPING\r\n`, 12)).includes('PONG') || 'no answer');
  },
};

export const serviceComponents = { postgres, redis };

/** Sends bytes and returns at least `wanted` bytes of the response. */
function exchange(port, bytes, wanted = 1) {
  return new Promise((done, fail) => {
    const socket = net.connect({ port, host: '127.0.0.1' }, () => socket.write(bytes));
    let heard = '';
    socket.setTimeout(2000, () => socket.destroy(new Error('no answer in time')));
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
      if (heard.length >= wanted) socket.end();
    });
    socket.on('error', fail);
    socket.on('close', () => done(heard));
  });
}
