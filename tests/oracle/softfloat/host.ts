/** Builds the C harness and runs cases through it. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeReplies, encodeRequests, type OracleReply, type OracleRequest, replySize } from './records.ts';

function run(command: string, args: readonly string[], input: Uint8Array = new Uint8Array()): Buffer {
  const child = spawnSync(command, args, { input, maxBuffer: 1 << 30 });
  if (child.error !== undefined) throw new Error(`${command} could not be run: ${child.error.message}`);
  if (child.status !== 0) throw new Error(`${command} failed (${child.status ?? child.signal}): ${child.stderr}`);
  return child.stdout;
}

export class Oracle {
  readonly #folder: string;
  readonly #operations: readonly string[];

  /** Compiles the harness into a temporary folder. @throws where gcc is missing: these tests need it on an x64 host. */
  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'corbel-softfloat-'));
    const source = join(import.meta.dirname, 'harness.c');
    try {
      run('gcc', ['-O1', '-Wall', '-Wextra', '-o', this.#binary(), source]);
      this.#operations = run(this.#binary(), ['--list']).toString().trim().split('\n');
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #binary(): string {
    return join(this.#folder, 'harness');
  }

  /** In the harness's order. */
  operations(): readonly string[] {
    return this.#operations;
  }

  /** Runs requests on the CPU. @returns the raw replies */
  executeRaw(operation: string, requests: readonly OracleRequest[]): Uint8Array {
    const index = this.#operations.indexOf(operation);
    if (index < 0) throw new Error(`the harness has no operation ${operation}`);
    const bytes = run(this.#binary(), [], encodeRequests(index, requests));
    if (bytes.length !== requests.length * replySize) throw new Error(`short output of the harness: ${operation}`);
    return bytes;
  }

  execute(operation: string, requests: readonly OracleRequest[]): OracleReply[] {
    return decodeReplies(this.executeRaw(operation, requests));
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
