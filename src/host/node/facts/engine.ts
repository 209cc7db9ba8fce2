/** What the WebAssembly engine under us can do; the translator needs it. */
import { spawnSync } from 'node:child_process';
import { webAssembly } from '../../../wasm/webassembly.ts';
import { type Fact, fact } from './fact.ts';

/** Magic and version. Every row below adds sections. Source: WebAssembly core specification 3.0, chapter 5. */
const header = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/** The smallest module that is valid only where the feature is there. */
const probes: readonly { readonly id: string; readonly title: string; readonly sections: readonly number[] }[] = [
  {
    id: 'wasm-simd',
    title: 'WebAssembly SIMD',
    // One function [] -> [v128] that returns a constant.
    sections: [1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0, 10, 22, 1, 20, 0, 0xfd, 12, ...new Array(16).fill(0), 0x0b],
  },
  // One shared memory of one page.
  { id: 'wasm-threads', title: 'WebAssembly threads', sections: [5, 4, 1, 3, 1, 1] },
  // Two memories.
  { id: 'wasm-multi-memory', title: 'WebAssembly multi-memory', sections: [5, 5, 2, 0, 1, 0, 1] },
  // One function [] -> [] that ends in return_call of itself.
  {
    id: 'wasm-tail-calls',
    title: 'WebAssembly tail calls',
    sections: [1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 6, 1, 4, 0, 0x12, 0, 0x0b],
  },
  // One memory with 64-bit addresses.
  { id: 'wasm-memory64', title: 'WebAssembly memory64', sections: [5, 3, 1, 4, 1] },
];

function compiles(bytes: Uint8Array<ArrayBuffer>): boolean {
  try {
    return new webAssembly.Module(bytes) !== undefined;
  } catch {
    return false;
  }
}

export function webAssemblyFacts(): Fact[] {
  return probes.map(({ id, title, sections }) => {
    const valid = compiles(Uint8Array.from([...header, ...sections]));
    return fact(id, title, valid ? 'yes' : 'no', valid ? 'V8 accepts it' : 'V8 refuses it; use the pinned Node');
  });
}

/** Hints are a custom section, valid everywhere: only V8's own list of options tells whether they are used. */
export function branchHints(): Fact {
  const title = 'WebAssembly branch hints';
  const listed = spawnSync(process.execPath, ['--v8-options'], { encoding: 'utf8', timeout: 10_000 });
  const option = 'experimental-wasm-branch-hinting';
  const byDefault = new RegExp(`--${option} .*\\n.*default: (\\S+)`).exec(listed.stdout ?? '')?.[1];
  if (byDefault === undefined) return fact('wasm-branch-hints', title, 'unknown', "V8's option list does not name it");
  return byDefault === `--${option}`
    ? fact('wasm-branch-hints', title, 'yes', 'on by default in this V8')
    : fact('wasm-branch-hints', title, 'no', `off by default in this V8; --${option} turns it on`);
}

export function nodeVersion(): Fact {
  const { node, v8 } = process.versions;
  const enough = Number(node.split('.', 1)[0]) >= 26;
  return fact('node', 'Node 26', enough ? 'yes' : 'no', `this is Node ${node} with V8 ${v8}`);
}
