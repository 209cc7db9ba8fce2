/** Two processors that run the same code, with one translator for both. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GuestMemory } from '../../memory/guest-memory.ts';
import { semantics } from '../semantics/index.ts';
import { bareMachine, enterLongMode } from '../testing/bare-machine.ts';
import type { TranslationService } from './job.ts';
import { LocalTranslation } from './local-translation.ts';
import { allocateMadeRegions, MadeRegions } from './made-regions.ts';
import { RegionCompiler } from './region-compiler.ts';
import { RegionLibrary } from './region-library.ts';

const code = 0x10_0000;
/** nop; L: add rax, 3; dec ecx; jnz L; hlt. */
const loop = Uint8Array.from([0x90, 0x48, 0x83, 0xc0, 0x03, 0xff, 0xc9, 0x75, 0xf8, 0xf4]);
const start = code + 1;
/** Too few for a region by itself. */
const few = 2000;
/** Enough. */
const many = 20_000;

function startMachine(translation?: (memory: GuestMemory) => TranslationService) {
  const machine = bareMachine(4, 'hot', translation === undefined ? { apicId: 0 } : { apicId: 0, translation });
  const { vcpu, memory } = machine;
  memory.write(code, loop);
  /** @returns rounds of the loop that were interpreted */
  const run = (rounds: number): number => {
    const before = vcpu.statistics().interpretedInstructions ?? 0;
    enterLongMode(machine, code);
    vcpu.state.setGpr(0, 0n);
    vcpu.state.setGpr(1, BigInt(rounds));
    vcpu.halted = false;
    while (vcpu.run(100) === 'budget');
    assert.equal(vcpu.state.gpr(0), BigInt(3 * rounds));
    return Math.floor(((vcpu.statistics().interpretedInstructions ?? 0) - before) / 3);
  };
  return { run, memory, regions: () => vcpu.statistics().regions };
}

function startTwo() {
  const told = allocateMadeRegions();
  const library = new RegionLibrary(2 ** 20, new MadeRegions(told));
  const translation = (memory: GuestMemory): TranslationService => {
    const parts = { semantics, features: new Set<string>(), ram: memory.bytes, nowMs: () => 0, library };
    const local = new LocalTranslation(new RegionCompiler({ ...parts, atomic: false, countsLookups: false }));
    return { post: (job) => local.post(job), poll: () => local.poll(), made: new MadeRegions(told) };
  };
  const tell = (ramOffset: number): void => new MadeRegions(told).tell(ramOffset, true);
  return { tell, one: startMachine(translation), other: startMachine(translation) };
}

test('a processor alone interprets a loop for some thousand rounds', () => {
  assert.ok(startMachine().run(few) >= few);
});

test('what one has a region for another enters there after some hundred rounds', () => {
  const { one, other } = startTwo();
  other.run(20);
  assert.ok(one.run(many) > few);
  assert.ok(other.run(few) < 500);
  assert.equal(other.regions(), 1);
});

test('and so it does where it comes to that code later', () => {
  const { one, other } = startTwo();
  one.run(many);
  assert.ok(other.run(few) < 500);
});

test('where there is other code by now, no region is entered, and none is made before its time', () => {
  const { one, other } = startTwo();
  // sub rax, -3
  other.memory.write(start, Uint8Array.from([0x48, 0x83, 0xe8, 0xfd]));
  one.run(many);
  assert.ok(other.run(few) >= few);
  assert.equal(other.regions(), 0);
  const interpreted = other.run(many);
  assert.ok(interpreted > few && interpreted < many, `${interpreted}`);
});

test('what was counted before is not forgotten over a region that there is not', () => {
  const { tell, other } = startTwo();
  const rounds = startMachine().run(many);
  other.run(rounds - few);
  tell(start);
  assert.ok(other.run(many) < 2 * few);
});

test('what is told of places without code, or outside RAM, does nothing', () => {
  const { tell, other } = startTwo();
  for (const place of [0, code + 7, 0x40_0000, 0xffff_ffff]) tell(place);
  other.run(20);
  for (const place of [start + 1, code + 0xfff, 0x40_0000, 0xffff_ffff]) tell(place);
  assert.ok(other.run(few) >= few);
});
