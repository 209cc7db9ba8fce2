/** A process that writes to an image is killed at any moment; QEMU's tools judge what it leaves. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openImage } from '../../src/block/open-image.ts';
import { SlotModel, type SlotRequest, slotBytes } from '../../src/block/testing/slot-disk.ts';
import { nodeImageHost } from '../../src/host/node/disk/image-host.ts';
import { qemuImg, run } from '../../src/host/node/disk/testing/qemu-tools.ts';
import { value } from '../../src/support/testing/expect.ts';
import { Random } from '../oracle/random.ts';

const writer = fileURLToPath(new URL('./kill-writer.ts', import.meta.url));
const slots = 4000;
const leaks = 3;

const kinds: readonly (readonly [name: string, options: string, mode: 'plain' | 'snapshots'])[] = [
  ['plain', 'cluster_size=64k', 'plain'],
  ['small clusters', 'cluster_size=512', 'plain'],
  ['version 2', 'compat=0.10,cluster_size=4k', 'plain'],
  ['snapshots', 'cluster_size=4k', 'snapshots'],
];

/** @param path gives the path of a file in a folder of the test's own */
export function defineKillLane(seed: number, kills: number, path: (name: string) => string): void {
  for (const [name, options, mode] of kinds) {
    test(`killed ${kills} times: ${name}`, async (t) => {
      t.diagnostic(`CORBEL_DISK_SEED=${seed}`);
      for (let round = 0; round < kills; round++) {
        const image = path(`${name}.qcow2`);
        rmSync(image, { force: true });
        const size = Math.ceil((slots * slotBytes) / 512) * 512;
        await qemuImg('create', '-q', '-f', 'qcow2', '-o', options, image, String(size));
        const random = new Random(seed, round, name);
        const output = await killWriter([image, String(seed + round), String(slots), mode], 20 + random.below(700));
        await judge(image, modelOf(output), mode, path);
      }
    });
  }
}

/** Runs the writer for some time after it has begun. @returns what it said */
function killWriter(args: readonly string[], afterMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [writer, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const output: Buffer[] = [];
    let errors = '';
    child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), afterMs));
    child.stdout.on('data', (bytes: Buffer) => output.push(bytes));
    child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()));
    child.on('error', reject);
    child.on('close', (status, signal) => {
      if (signal === 'SIGKILL') resolve(Buffer.concat(output).toString());
      else reject(new Error(`the writer ended by itself, with status ${status}: ${errors}`));
    });
  });
}

function modelOf(output: string): SlotModel {
  const model = new SlotModel(slots);
  const requests = new Map<number, SlotRequest>();
  for (const line of output.split('\n').slice(0, -1)) {
    const [word, first = '', slot, zero] = line.split(' ');
    if (word === 'start') {
      const request: SlotRequest = { number: Number(first), slot: Number(slot), zero: zero === 'true' };
      requests.set(request.number, request);
      model.started(request);
    } else if (word === 'flushed' && first !== '') {
      model.flushed(first.split(',').map((covered) => requests.get(Number(covered)) as SlotRequest));
    }
  }
  return model;
}

async function judge(
  image: string,
  model: SlotModel,
  mode: 'plain' | 'snapshots',
  path: (name: string) => string,
): Promise<void> {
  // While the counts of a whole tree change, the image is marked, and opening it repairs it.
  if (mode === 'snapshots') {
    const { disk } = value(await openImage(nodeImageHost(), image, { format: 'qcow2', readOnly: false }));
    value(await disk.close());
  }
  const checked = await run('qemu-img', ['check', '-f', 'qcow2', image]);
  assert.ok(checked.status === 0 || checked.status === leaks, `status ${checked.status}: ${checked.text}`);
  if (checked.status === leaks) await qemuImg('check', '-q', '-f', 'qcow2', '-r', 'leaks', image);
  await qemuImg('check', '-q', '-f', 'qcow2', image);
  const raw = path('left.raw');
  await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', image, raw);
  const bytes = readFileSync(raw);
  for (let slot = 0; slot < model.slots; slot++) {
    const wrong = model.judge(slot, bytes.subarray(slot * slotBytes, (slot + 1) * slotBytes));
    assert.equal(wrong ?? 'right', 'right');
  }
}
