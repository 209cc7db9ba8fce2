/** The oracle for image formats: QEMU's tool, which makes and reads all of them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Random } from '../../support/testing/seeded-random.ts';

const found = spawnSync('qemu-img', ['--version']).status === 0;

/** Why tests with the tool are skipped, or false. */
export const withoutQemuImg: string | false = found ? false : 'qemu-img is not installed (Debian: qemu-utils)';

export class Workshop {
  readonly folder = mkdtempSync(join(tmpdir(), 'corbel-images-'));

  constructor(context: TestContext) {
    context.after(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, bytes: Uint8Array): void {
    writeFileSync(this.path(name), bytes);
  }

  /** @returns what the tool prints */
  run(...args: string[]): string {
    const { status, stdout, stderr } = spawnSync('qemu-img', args, { cwd: this.folder, encoding: 'utf8' });
    assert.equal(status, 0, `qemu-img ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** Makes an image of `content`. @param args more of `qemu-img convert`: `-O`, `-o` */
  image(name: string, content: Uint8Array, ...args: string[]): string {
    this.write('content.raw', content);
    this.run('convert', '-f', 'raw', ...args, 'content.raw', name);
    return this.path(name);
  }

  /** What QEMU reads from an image. */
  content(name: string, format: string): Uint8Array {
    this.run('convert', '-f', format, '-O', 'raw', name, 'read.raw');
    return readFileSync(this.path('read.raw'));
  }
}

/** Runs of random bytes, of text that compresses, and of zeroes, from a sector to two megabytes long. */
export function sparseContent(sizeBytes: number, seed: number): Uint8Array {
  const random = new Random(seed);
  const content = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; ) {
    const length = 512 << random.below(13);
    const run = content.subarray(at, at + length);
    const kind = random.below(3);
    if (kind === 1) random.fill(run);
    if (kind === 2) run.fill(1 + random.below(255));
    at += length;
  }
  return content;
}
