/** `corbel exec` and `corbel cp`, with the guest's agent on this host behind a socket like that of a vsock device. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { noAgent } from '../host/node/agent/testing/agent-process.ts';
import { type AgentSocket, listenAsGuest } from '../host/node/agent/testing/agent-socket.ts';
import { corbelCommand, type Ended, type Running, startProgram } from './testing/corbel-process.ts';

const top = fs.mkdtempSync(join(tmpdir(), 'corbel-access-'));
let guest: AgentSocket;

before(async () => {
  for (const name of ['alpha', 'silent']) fs.mkdirSync(join(top, 'corbel', name), { recursive: true });
  guest = await listenAsGuest(join(top, 'corbel/alpha/vsock.sock'));
});

after(() => {
  guest.close();
  fs.rmSync(top, { recursive: true });
});

function start(args: readonly string[], input: Uint8Array | 'open' = new Uint8Array(0)): Running {
  return startProgram(['env', `XDG_RUNTIME_DIR=${top}`, ...corbelCommand, ...args], input);
}

const run = (args: readonly string[], input = ''): Promise<Ended> => start(args, Buffer.from(input)).ended;

test('exec: output, errors, input and status; options behind the name are the command’s', {
  skip: noAgent,
}, async () => {
  const ended = await run(['exec', 'alpha', 'sh', '-c', 'cat; echo "$@" >&2; exit 7', 'sh', '--help', '-x'], 'in\n');
  assert.deepEqual([ended.status, ended.stdout.toString(), ended.stderr], [7, 'in\n', '--help -x\n']);
  const options = ['--env', 'A=b c', '--directory', '/usr', 'alpha', '--', 'sh', '-c', 'echo "$A"; pwd'];
  assert.equal((await run(['exec', ...options])).stdout.toString(), 'b c\n/usr\n');
});

test('exec: bytes come through, and a reader that has enough ends it', { skip: noAgent }, async () => {
  const input = randomBytes(600_000);
  const ended = await start(['exec', 'alpha', 'cat'], input).ended;
  assert.ok(ended.stdout.equals(input));
  const { child, ended: closed } = start(['exec', 'alpha', 'yes'], 'open');
  child.stdout?.once('data', () => child.stdout?.destroy());
  assert.equal((await closed).status, 141);
});

test('exec: a signal goes to the command', { skip: noAgent }, async () => {
  const { child, ended } = start([
    'exec',
    'alpha',
    'sh',
    '-c',
    'trap "echo caught; exit 9" INT; echo up; while :; do sleep 0.05; done',
  ]);
  await new Promise<void>((resolve) => child.stdout?.once('data', () => resolve()));
  child.kill('SIGINT');
  const { status, stdout } = await ended;
  assert.deepEqual([status, stdout.toString()], [9, 'up\ncaught\n']);
});

test('exec: what cannot be done', { skip: noAgent }, async () => {
  const cases: [string[], number, RegExp][] = [
    [['exec'], 64, /needs the name/],
    [['exec', '../alpha', 'true'], 64, /cannot be a virtual machine's name/],
    [['exec', '--terminal', 'maybe', 'alpha'], 64, /auto, always or never/],
    [['exec', '--env', 'A', 'alpha'], 64, /NAME=VALUE/],
    [['exec', 'beta', 'true'], 65, /no virtual machine beta that runs with a vsock/],
    [['exec', 'silent', 'true'], 65, /no virtual machine silent/],
    [['exec', 'alpha', 'nonexistent-program'], 127, /nonexistent-program/],
    [['exec', 'alpha', '/etc/passwd'], 126, /Permission denied/],
    [['exec', '--user', 'nobody-there', 'alpha', 'true'], 65, /no user nobody-there/],
    [['exec', 'alpha', 'sh', '-c', 'kill -9 $$'], 137, /^$/],
  ];
  for (const [args, status, pattern] of cases) {
    const ended = await run(args);
    assert.equal(ended.status, status, args.join(' '));
    assert.match(ended.stderr, pattern);
  }
  assert.match((await run(['exec', '--help'])).stdout.toString(), /^Usage: corbel exec/);
});

test('exec on a terminal: size, editing, Ctrl-C, Ctrl-]', { skip: noAgent }, async () => {
  const words = ['env', `XDG_RUNTIME_DIR=${top}`, ...corbelCommand, 'exec', 'alpha', 'sh'].map((word) => `'${word}'`);
  const { child, ended } = startProgram(
    ['script', '-qec', `stty rows 31 cols 99; exec ${words.join(' ')}`, '/dev/null'],
    'open',
  );
  let screen = '';
  child.stdout?.on('data', (bytes: Buffer) => {
    screen += bytes.toString();
  });
  const type = async (keys: string, answer: RegExp): Promise<void> => {
    const from = screen.length;
    child.stdin?.write(keys);
    while (!answer.test(screen.slice(from))) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  await type('stty size; tty\r', /31 99\r\n\/dev\/pts\//);
  await type('echo wrong\x7f\x7f\x7f\x7f\x7fright-$((1+1))\r', /right-2\r\n/);
  await type('sleep 100\r', /sleep 100\r\n/);
  await type('\x03', /\^C/);
  await type('echo after-$?\r', /after-130/);
  child.stdin?.write('\x1d');
  assert.equal((await ended).status, 0);
});

test('cp: files and folders there and back', { skip: noAgent }, async () => {
  const folder = fs.mkdtempSync(join(top, 'copy-'));
  const data = randomBytes(300_000);
  fs.mkdirSync(join(folder, 'one/two'), { recursive: true });
  fs.writeFileSync(join(folder, 'one/two/data'), data);
  for (const [from, to] of [
    [join(folder, 'one'), `alpha:${folder}/guest`],
    [`alpha:${folder}/guest`, join(folder, 'back')],
    [`alpha:${folder}/guest/two/data`, folder],
    [join(folder, 'data'), `alpha:${folder}/one`],
  ] as const) {
    const ended = await run(['cp', from, to]);
    assert.deepEqual([ended.status, ended.stderr], [0, ''], `${from} to ${to}`);
  }
  for (const copy of ['back/two/data', 'data', 'one/data']) {
    assert.ok(fs.readFileSync(join(folder, copy)).equals(data), copy);
  }
});

test('cp: what cannot be done', { skip: noAgent }, async () => {
  spawnSync('mkfifo', [join(top, 'pipe')]);
  const cases: [string[], number, RegExp][] = [
    [['cp'], 64, /two names/],
    [['cp', 'alpha:a'], 64, /two names/],
    [['cp', './a', './b'], 64, /one of the two is in a guest/],
    [['cp', 'alpha:a', 'beta:b'], 64, /one of the two is in a guest/],
    [['cp', 'alpha:/', top], 64, /has no name/],
    [['cp', '/nonexistent', 'alpha:x'], 65, /there is no \/nonexistent/],
    [['cp', 'alpha:/nonexistent', top], 65, /nonexistent/],
    [['cp', 'beta:/etc/passwd', top], 65, /no virtual machine beta/],
    [['cp', join(top, 'pipe'), `alpha:${top}/other`], 65, /left out .*pipe/],
  ];
  for (const [args, status, pattern] of cases) {
    const ended = await run(args);
    assert.equal(ended.status, status, args.join(' '));
    assert.match(ended.stderr, pattern);
  }
});
