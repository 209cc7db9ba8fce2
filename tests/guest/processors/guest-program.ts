/** Programs of our own for the linux guest. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { CpioEntry } from '../../../src/host/node/guest/cpio.ts';

/** Compiles `NAME.c` of this folder into `program`, which is `bin/NAME` in the guest. */
export function buildProgram(name: string, program: string): CpioEntry {
  const source = fileURLToPath(new URL(`./${name}.c`, import.meta.url));
  const { status, error, stderr } = spawnSync('gcc', ['-static', '-O2', '-pthread', '-o', program, source]);
  assert.equal(status, 0, error?.message ?? String(stderr));
  return { kind: 'file', path: `bin/${name}`, mode: 0o755, data: readFileSync(program) };
}
