import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cr4, eflags } from '../../spec/x86/registers.ts';
import { segmentAt, segmentField, segmentIndex, state } from '../state/layout.ts';
import { type BareMachine, bareMachine, enterLongMode } from '../testing/bare-machine.ts';

const code = 0x1_0000;
const target = 0xffff_8000_0000_1000n;

const syscall = [0x0f, 0x05] as const;
const sysretq = [0x48, 0x0f, 0x07] as const;

interface Case {
  readonly bytes: readonly number[];
  readonly cpl: 0 | 3;
  readonly flags: number;
  readonly fmask?: bigint;
  readonly smap?: boolean;
  readonly rcx?: bigint;
}

/** State after one instruction. `watched`: with a breakpoint armed elsewhere, which makes it take the slow path. */
function after({ bytes, cpl, flags, fmask = 0n, smap = false, rcx = target }: Case, watched: boolean): BareMachine {
  const machine = bareMachine();
  const { vcpu, memory } = machine;
  enterLongMode(machine, code, cpl);
  memory.write(code, Uint8Array.from(bytes));
  const { state: cpu } = vcpu;
  cpu.set64('star', 0x0023_0010n << 32n);
  cpu.set64('lstar', target);
  cpu.set64('fmask', fmask);
  if (smap) cpu.set64('cr4', cpu.get64('cr4') | BigInt(cr4.smap));
  cpu.eflags = flags;
  cpu.setGpr(1, rcx);
  cpu.setGpr(11, BigInt(flags | eflags.rf | eflags.vm));
  if (watched) {
    cpu.setDr(0, 0x1234n);
    cpu.setDr(7, 0x402n);
    vcpu.debug.refresh(vcpu);
  }
  vcpu.modeChanged();
  vcpu.run(0);
  return machine;
}

function visible({ vcpu }: BareMachine): Record<string, unknown> {
  const { state: cpu } = vcpu;
  const segment = (index: number): unknown[] => [
    cpu.segment(index),
    cpu.view.getUint32(segmentAt(index) + segmentField.access, true),
  ];
  return {
    rip: cpu.rip,
    rcx: cpu.gpr(1),
    r11: cpu.gpr(11),
    flags: cpu.eflags,
    cpl: cpu.cpl,
    cs: segment(segmentIndex.cs),
    ss: segment(segmentIndex.ss),
    tlb: cpu.view.getInt32(state.tlbBase, true),
  };
}

const everyFlag = 0x3f_7fd7 & ~(eflags.vm | eflags.rf | eflags.tf);
const flagImages = [2, eflags.if | eflags.cf, eflags.zf | eflags.of | eflags.ac, everyFlag];

test('SYSCALL in emitted code does what the slow path does', () => {
  for (const cpl of [0, 3] as const) {
    for (const flags of flagImages) {
      for (const fmask of [0n, 0x4_7700n, 0xffff_ffff_ffffn]) {
        for (const smap of [false, true]) {
          const run: Case = { bytes: syscall, cpl, flags, fmask, smap };
          assert.deepEqual(visible(after(run, false)), visible(after(run, true)));
        }
      }
    }
  }
});

test('SYSRET in emitted code does what the slow path does', () => {
  for (const flags of flagImages) {
    for (const rcx of [0x4000_0000n, target, 0x7fff_ffff_ffffn]) {
      const run: Case = { bytes: sysretq, cpl: 0, flags, rcx };
      assert.deepEqual(visible(after(run, false)), visible(after(run, true)));
    }
  }
});

test('after SYSCALL and SYSRET code runs at the new privilege', () => {
  const kernel = after({ bytes: syscall, cpl: 3, flags: 2 }, false);
  assert.equal(kernel.vcpu.state.cpl, 0);
  assert.equal(kernel.vcpu.state.rip, target);
  const user = after({ bytes: sysretq, cpl: 0, flags: 2, rcx: 0x1_1000n }, false);
  assert.equal(user.vcpu.state.cpl, 3);
  // HLT is privileged: #GP through an empty IDT is a shutdown.
  user.memory.writeU8(0x1_1000, 0xf4);
  assert.equal(user.vcpu.run(10), 'shutdown');
});
