/**
 * Debian at work under Corbel and under QEMU, one after the other on one disk: packages from the archive, files by SSH,
 * and either boots what the other wrote.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { type Ended, startProgram } from '../../src/cli/testing/corbel-process.ts';
import { GuestConsole } from './console.ts';
import { buildImage, corbel, freePort, hour, noQemu, reasonToSkip, scp, ssh } from './image.ts';

const folder = mkdtempSync(join(tmpdir(), 'corbel-peers-'));
after(() => rmSync(folder, { recursive: true }));
const disk = join(folder, 'corbel/images/debian-bookworm-20260101T000000.qcow2');
const own = join(folder, 'own.qcow2');
const data = join(folder, 'data');
const dataBytes = 200 << 20;
let dataSum = '';
/** A host may be busy with other things. */
const patientSeconds = 3000;

/** With the image among those that `corbel run debian` looks for. */
const debian = ['env', `XDG_CACHE_HOME=${folder}`, ...corbel, 'run', 'debian'];
const sumOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

/** A proxy of this host's own for packages, as the guest reaches it. */
function packageProxy(): string {
  const told = spawnSync('apt-config', ['shell', 'PROXY', 'Acquire::http::Proxy']).stdout.toString();
  const url = /^PROXY='(.+)'$/m.exec(told)?.[1];
  return url === undefined
    ? ''
    : `-o Acquire::http::Proxy=${url.replace(/\/\/(localhost|127\.0\.0\.1)\b/, '//10.0.2.2')}`;
}

async function timed(context: TestContext, what: string, work: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await work();
  context.diagnostic(`${what}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
}

/** What both have to do. @param command starts the machine with its SSH server at `port` */
async function work(context: TestContext, command: readonly string[], port: number, then: () => Promise<void>) {
  const console = new GuestConsole(command);
  try {
    await timed(context, 'to a shell', () => console.logIn());
    assert.equal(await console.run('systemctl is-system-running --wait'), 'running');
    const apt = `DEBIAN_FRONTEND=noninteractive apt-get -q -y ${packageProxy()}`;
    await ssh(folder, port, 'apt-get clean; rm -rf /var/lib/apt/lists/*');
    await timed(context, 'apt-get update', () => ssh(folder, port, `${apt} update`));
    await timed(context, 'apt-get install', () => ssh(folder, port, `${apt} --reinstall install hello`));
    assert.equal(await ssh(folder, port, 'hello'), 'Hello, world!');
    await timed(context, '200 MB to the guest', () => scp(folder, port, data, 'guest:data'));
    assert.equal((await ssh(folder, port, 'sha256sum data')).split(' ')[0], dataSum);
    await timed(context, '200 MB from the guest', () => scp(folder, port, 'guest:data', join(folder, 'back')));
    assert.equal(sumOf(join(folder, 'back')), dataSum);
    await then();
    await timed(context, 'power-off', async () => assert.equal(await console.powerOff(), 0));
  } finally {
    console.kill();
  }
  const check = spawnSync('qemu-img', ['check', own]);
  assert.equal(check.status, 0, check.stdout.toString() + check.stderr.toString());
}

/** @param input standard input of the command */
function exec(command: string, options: readonly string[], input = ''): Promise<Ended> {
  const words = [...debian, '--exec', command, '--exec-timeout', String(patientSeconds), ...options];
  return startProgram(words, Buffer.from(input)).ended;
}

describe('Debian at work', { skip: await reasonToSkip() }, () => {
  before(
    () => {
      mkdirSync(join(folder, 'corbel/images'), { recursive: true });
      buildImage(folder, disk, ['--size', '4G']);
      writeFileSync(data, randomFillSync(Buffer.alloc(dataBytes)));
      dataSum = sumOf(data);
    },
    { timeout: hour },
  );

  test('one command, whose input, output, errors and status are its own', { timeout: hour }, async (context) => {
    await timed(context, 'boot, command and power-off', async () => {
      const command = 'wc -c; echo oops >&2; systemctl is-active network.target; systemctl is-system-running; exit 7';
      const { status, stdout, stderr } = await exec(command, [], 'x'.repeat(1_000_000));
      assert.deepEqual([status, stdout.toString(), stderr], [7, '1000000\nactive\nrunning\n', 'oops\n']);
    });
  });

  test('a command without an agent: told apart from a slow guest, and powered off', { timeout: hour }, async () => {
    const options = ['--append', 'systemd.mask=corbel-agent.socket', '--exec-timeout', '120'];
    const { status, stdout, stderr } = await exec('true', options);
    assert.deepEqual([status, stdout.toString()], [65, '']);
    assert.match(stderr, /^corbel: no agent answered in the guest within 120 s: /);
    assert.match(stderr, /Power down\n$/);
  });

  test('under Corbel, on an overlay of its own', { timeout: hour }, async (context) => {
    const port = await freePort();
    const network = `user,loopback=on,hostfwd=tcp:127.0.0.1:${port}-:22`;
    await work(context, [...debian, '--overlay', own, '--net', network], port, async () => {
      await ssh(folder, port, 'echo corbel >written-by; sync');
    });
  });

  test('under QEMU, on the overlay that Corbel wrote', { timeout: hour, skip: noQemu }, async (context) => {
    const port = await freePort();
    const qemu = [
      ...['qemu-system-x86_64', '-accel', 'tcg', '-cpu', 'max', '-m', '1G', '-nographic', '-no-reboot'],
      ...['-drive', `if=virtio,format=qcow2,file=${own}`],
      ...['-nic', `user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:${port}-:22`],
    ];
    await work(context, qemu, port, async () => {
      assert.equal(await ssh(folder, port, 'cat written-by'), 'corbel');
      await ssh(folder, port, 'echo qemu >written-by; sync');
    });
  });

  test('under Corbel again, on the overlay that QEMU wrote', { timeout: hour, skip: noQemu }, async () => {
    const { status, stdout, stderr } = await exec('cat written-by; hello; sha256sum <data', ['--overlay', own]);
    assert.deepEqual([status, stdout.toString(), stderr], [0, `qemu\nHello, world!\n${dataSum}  -\n`, '']);
    assert.equal(spawnSync('qemu-img', ['check', own]).status, 0);
  });
});
