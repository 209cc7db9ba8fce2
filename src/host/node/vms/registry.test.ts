import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  abandonVm,
  claimVm,
  findVm,
  finishVm,
  hasEnded,
  listVms,
  removeVm,
  type VmClaim,
  type VmEntry,
  vmNames,
  vmSockets,
} from './registry.ts';
import { definitionOf } from './testing/definition.ts';
import { useVmHome } from './testing/vm-home.ts';
import { vmStateFolder, vmsFolder } from './vm-folders.ts';
import type { VmOutcome } from './vm-records.ts';

const home = useVmHome();
const patience = { timeout: 60_000 };
const outcome: VmOutcome = {
  kind: 'power-off',
  status: 0,
  summary: 'the guest powered off',
  endedAt: '2026-01-02T04:00:00Z',
};
const claimant = fileURLToPath(new URL('./testing/claimant.ts', import.meta.url));

function claimed(name: string): VmClaim {
  const claim = claimVm(definitionOf(name));
  assert.ok(claim.ok, claim.ok ? '' : claim.error.message);
  return claim.value;
}

function found(name: string): VmEntry {
  const entry = findVm(name);
  assert.ok(entry.ok, entry.ok ? '' : entry.error.message);
  return entry.value;
}

interface Claimant {
  readonly child: ChildProcess;
  /** Has it claim the name; resolves with what it says. */
  claim(): Promise<string>;
  kill(): Promise<void>;
}

async function startClaimant(name: string): Promise<Claimant> {
  const child = spawn(process.execPath, [claimant, name], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return {
    child,
    claim: async () => {
      child.stdin.write('\n');
      return String((await once(child.stdout, 'data'))[0]);
    },
    kill: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

test('nothing there is an empty list, and looking makes nothing', () => {
  assert.deepEqual(listVms(), { ok: true, value: [] });
  assert.deepEqual(vmNames(), []);
  assert.ok(!existsSync(vmsFolder()));
  const none = findVm('web');
  assert.ok(!none.ok && /no virtual machine web/.test(none.error.message));
});

test('a claim makes it run; given back it has ended, and may start again with its disks', () => {
  const claim = claimed('web');
  assert.ok(claim.isNew);
  assert.equal(found('web').state, 'running');
  assert.equal(found('web').process?.pid, process.pid);
  assert.equal(vmSockets(found('web'))?.control, join(home, 'run/corbel/web/control.sock'));
  for (const folder of [claim.stateFolder, claim.socketsFolder]) assert.equal(statSync(folder).mode & 0o777, 0o700);
  const again = claimVm(definitionOf('web'));
  assert.ok(!again.ok && again.error.message.includes(`process ${process.pid} runs it`));
  writeFileSync(join(claim.stateFolder, 'overlay.qcow2'), 'disk');
  writeFileSync(join(claim.stateFolder, 'console.log'), 'old');
  const running = found('web');
  assert.equal(hasEnded(running), false);
  assert.ok(finishVm(claim, outcome).ok);
  assert.equal(hasEnded(running), true);
  assert.deepEqual([found('web').state, found('web').outcome], ['ended', outcome]);
  assert.equal(vmSockets(found('web')), undefined);
  assert.ok(!existsSync(claim.socketsFolder));
  const second = claimed('web');
  assert.deepEqual([second.isNew, found('web').state, found('web').outcome], [false, 'running', undefined]);
  assert.deepEqual(readdirSync(second.stateFolder).sort(), ['definition.json', 'overlay.qcow2', 'process.json']);
  assert.equal(removeVm('web').ok, false, 'it runs');
  assert.ok(finishVm(second, outcome).ok);
  assert.ok(removeVm('web').ok);
  assert.deepEqual(vmNames(), []);
  assert.deepEqual(
    readdirSync(vmsFolder()).filter((name) => !name.startsWith('.lock')),
    [],
  );
});

test('what has never run leaves nothing, unless there was one before', () => {
  const fresh = claimed('fresh');
  assert.ok(abandonVm(fresh, outcome).ok);
  assert.deepEqual([existsSync(fresh.stateFolder), existsSync(fresh.socketsFolder)], [false, false]);
  assert.ok(finishVm(claimed('old'), outcome).ok);
  assert.ok(abandonVm(claimed('old'), { ...outcome, kind: 'refused' }).ok);
  assert.equal(found('old').outcome?.kind, 'refused');
  assert.ok(removeVm('old').ok);
});

test('of many that claim a name at the same time one gets it', patience, async () => {
  for (const round of ['new', 'crashed']) {
    const claimants = await Promise.all(Array.from({ length: 6 }, () => startClaimant('race')));
    const answers = await Promise.all(claimants.map((one) => one.claim()));
    const winner = claimants[answers.indexOf('claimed\n')];
    assert.equal(answers.filter((answer) => answer === 'claimed\n').length, 1, `${round}: ${answers.join('')}`);
    for (const answer of answers.filter((text) => text !== 'claimed\n')) {
      assert.match(answer, new RegExp(`already \\(process ${winner?.child.pid} runs it\\)`));
    }
    assert.equal(found('race').process?.pid, winner?.child.pid);
    await Promise.all(claimants.map((one) => one.kill()));
    assert.equal(found('race').state, 'crashed');
  }
  assert.ok(removeVm('race').ok);
});

test('one whose process was killed has crashed; its sockets go, and it can be removed', patience, async () => {
  const one = await startClaimant('dead');
  await one.claim();
  const sockets = vmSockets(found('dead'));
  assert.ok(sockets !== undefined);
  const server = createServer().listen(sockets.console);
  await once(server, 'listening');
  await one.kill();
  const listed = listVms();
  assert.ok(listed.ok);
  assert.deepEqual(
    listed.value.map(({ name, state }) => [name, state]),
    [['dead', 'crashed']],
  );
  assert.ok(!existsSync(sockets.console) && !existsSync(join(home, 'run/corbel/dead')));
  server.close();
  assert.ok(removeVm('dead').ok);
});

test('a process that took over the number of the one that died is not taken for it', () => {
  const claim = claimed('recycled');
  const file = join(claim.stateFolder, 'process.json');
  const record = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...record, started: 'before/1' }));
  assert.equal(found('recycled').state, 'crashed');
  // Nor is what it says of its end.
  assert.ok(finishVm(claim, outcome).ok);
  assert.equal(found('recycled').state, 'crashed');
  assert.ok(removeVm('recycled').ok);
});

test('damaged and foreign records are told, and can be removed', () => {
  const process_ = { version: 1, pid: 1, started: 'x', startedAt: '2026-01-01T00:00:00Z', socketsFolder: '/nowhere' };
  const cases: [string, unknown, RegExp][] = [
    ['process', '{"version":1,"pid":', /not JSON/],
    ['process', 'null', /no object/],
    ['process', [], /another version/],
    ['process', { ...process_, version: 2 }, /another version/],
    ['process', { ...process_, pid: '1' }, /pid is wrong/],
    ['process', { ...process_, pid: -1 }, /pid is wrong/],
    ['process', { ...process_, socketsFolder: 7 }, /socketsFolder is wrong/],
    ['process', { ...process_, startedAt: 'soon' }, /startedAt is wrong/],
    ['definition', { version: 1 }, /name is wrong/],
    ['definition', { version: 1, ...definitionOf('x'), arguments: [1] }, /arguments is wrong/],
    ['outcome', { version: 1, ...outcome, status: 1.5 }, /status is wrong/],
    ['outcome', ' '.repeat(9 << 20), /no record/],
  ];
  for (const [record, content, message] of cases) {
    const folder = vmStateFolder('bad');
    mkdirSync(folder, { mode: 0o700 });
    writeFileSync(join(folder, `${record}.json`), typeof content === 'string' ? content : JSON.stringify(content));
    const entry = found('bad');
    assert.equal(entry.state, 'damaged', JSON.stringify(content).slice(0, 80));
    assert.match(entry.damage ?? '', message);
    assert.ok(removeVm('bad').ok);
  }
});

test('a record cannot have anything deleted but sockets', () => {
  const precious = join(home, 'precious');
  mkdirSync(precious);
  writeFileSync(join(precious, 'file'), 'x');
  const claim = claimed('pointing');
  const file = join(claim.stateFolder, 'process.json');
  const record = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...record, started: 'x', socketsFolder: precious }));
  assert.ok(listVms().ok);
  assert.ok(removeVm('pointing').ok);
  assert.ok(existsSync(join(precious, 'file')));
});

test('a runtime folder that another state folder uses, too, is not shared by two of one name', () => {
  const claim = claimed('twin');
  const first = process.env.XDG_STATE_HOME;
  process.env.XDG_STATE_HOME = join(home, 'other');
  const refused = claimVm(definitionOf('twin'));
  assert.ok(!refused.ok && refused.error.message.includes(`process ${process.pid} uses the sockets`));
  process.env.XDG_STATE_HOME = first;
  assert.ok(existsSync(claim.socketsFolder));
  // Of a process that has died they are taken over.
  const file = join(claim.socketsFolder, 'process.json');
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), started: 'before/1' }));
  writeFileSync(join(claim.socketsFolder, 'console.sock'), '');
  process.env.XDG_STATE_HOME = join(home, 'other');
  const second = claimed('twin');
  process.env.XDG_STATE_HOME = first;
  assert.deepEqual(readdirSync(second.socketsFolder), ['process.json']);
  rmSync(claim.stateFolder, { recursive: true });
});

test('files and links among the folders are no virtual machines', () => {
  writeFileSync(join(vmsFolder(), 'file'), '');
  symlinkSync(home, join(vmsFolder(), 'link'));
  mkdirSync(join(vmsFolder(), '.removed-1'));
  assert.deepEqual(vmNames(), []);
  assert.equal(claimVm(definitionOf('file')).ok, false);
  assert.equal(claimVm(definitionOf('link')).ok, false);
  for (const name of ['file', 'link']) rmSync(join(vmsFolder(), name));
});
