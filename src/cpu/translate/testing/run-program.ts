/** Runs programs of `random-program.ts` in 64-bit mode. */
import { readEflags } from '../../state/flags.ts';
import { type BareMachine, enterLongMode } from '../../testing/bare-machine.ts';
import { program } from './random-program.ts';

export function load(machine: BareMachine, code: Uint8Array): void {
  const { vcpu, memory } = machine;
  enterLongMode(machine, program.code);
  memory.write(program.code, code);
  for (let n = 0; n < 64; n++) memory.writeU64(program.data + n * 8, BigInt(n) * 0x0123_4567_89ab_cdefn);
  for (let n = 0; n < 16; n++) vcpu.state.setGpr(n, 0x9e37_79b9_7f4a_7c15n * BigInt(n + 1));
  vcpu.state.setGpr(3, BigInt(program.data));
  vcpu.state.setGpr(4, BigInt(program.stack));
  vcpu.state.eflags = 2;
  vcpu.halted = false;
}

/** Runs to HLT in slices. @returns everything that the program can have changed. */
export function run(machine: BareMachine, code: Uint8Array, slice: number): string {
  load(machine, code);
  const { vcpu, memory } = machine;
  for (let n = 0; n < 20_000 && vcpu.run(slice) === 'budget'; n++);
  const registers = Array.from({ length: 16 }, (_, n) => vcpu.state.gpr(n).toString(16));
  const data = Array.from({ length: 64 }, (_, n) => memory.readU64(program.data + n * 8).toString(16));
  return [vcpu.halted, vcpu.state.rip.toString(16), readEflags(vcpu.state.view), ...registers, ...data].join(' ');
}
