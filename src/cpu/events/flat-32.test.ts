import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cr0, eflags } from '../../spec/x86/registers.ts';
import { segmentIndex, shadowBit } from '../state/layout.ts';
import { type BareMachine, bareMachine } from '../testing/bare-machine.ts';
import { bothWays } from '../testing/both-ways.ts';
import { loadAnySegment, loadSegment } from './descriptors.ts';
import { deliverFlat32, iretFlat32 } from './flat-32.ts';
import { deliverGeneral, type Interruption } from './interrupt.ts';
import { iret } from './iret.ts';
import { loadUsualSegment } from './plain-ram.ts';

const gdt = 0x7000;
const idt = 0x8000;
const tss = 0x9000;
const stack = 0x2_0000;
const kernelStack = 0x3_0000;
const handler = 0x0012_3456;

const descriptors = [
  0n,
  0x00cf_9b00_0000_ffffn,
  0x00cf_9300_0000_ffffn,
  0x00cf_fb00_0000_ffffn,
  0x00cf_f300_0000_ffffn,
] as const;
const selectors = { kernelCode: 8, kernelData: 16, userCode: 0x1b, userData: 0x23 } as const;

/** Protected mode with flat segments and no paging. Vector 14: interrupt gate; 32: trap gate. */
function flatMachine(cpl: 0 | 3): BareMachine {
  const machine = bareMachine();
  const { vcpu, memory } = machine;
  const { state } = vcpu;
  state.set64('cr0', BigInt((cr0.pe | cr0.ne | cr0.et) >>> 0));
  for (const [n, descriptor] of descriptors.entries()) memory.writeU64(gdt + n * 8, descriptor);
  state.setTable('gdtr', BigInt(gdt), 0x27);
  const gate = (vector: number, type: number): void => {
    memory.writeU32(idt + vector * 8, (handler & 0xffff) | (selectors.kernelCode << 16));
    memory.writeU32(idt + vector * 8 + 4, (handler & 0xffff_0000) | (type << 8));
  };
  gate(14, 0x8e);
  gate(32, 0xef);
  state.setTable('idtr', BigInt(idt), 0x7ff);
  state.setSegment(segmentIndex.tr, { selector: 0x40, base: BigInt(tss), limit: 0x67, attributes: 0x8b });
  memory.writeU32(tss + 4, kernelStack);
  memory.writeU32(tss + 8, selectors.kernelData);
  const flat = { base: 0n, limit: 0xffff_ffff };
  const [code, data] = cpl === 0 ? [0xc09b, 0xc093] : [0xc0fb, 0xc0f3];
  state.setSegment(segmentIndex.cs, { selector: cpl === 0 ? 8 : 0x1b, ...flat, attributes: code });
  for (const index of [segmentIndex.ss, segmentIndex.ds, segmentIndex.es, segmentIndex.fs, segmentIndex.gs])
    state.setSegment(index, { selector: cpl === 0 ? 16 : 0x23, ...flat, attributes: data });
  state.cpl = cpl;
  state.rip = 0x1_0000n;
  state.setGpr(4, BigInt(stack - 4));
  state.eflags = eflags.if | eflags.cf | eflags.df | eflags.iopl;
  vcpu.modeChanged();
  return machine;
}

const deliverBoth = (machine: BareMachine, event: Omit<Interruption, 'returnRip'>): boolean => {
  const whole = { ...event, returnRip: 0xdead_beefn };
  return bothWays(
    machine,
    (cpu) => deliverFlat32(cpu, whole),
    (cpu) => deliverGeneral(cpu, whole),
  );
};

test('delivery the short way does what delivery the general way does', () => {
  for (const cpl of [0, 3] as const) {
    assert.ok(deliverBoth(flatMachine(cpl), { vector: 14, errorCode: 6, source: 'fault' }));
    assert.ok(deliverBoth(flatMachine(cpl), { vector: 32, source: 'external' }));
    const stepped = flatMachine(cpl);
    stepped.vcpu.state.setFlag(eflags.tf | eflags.nt, true);
    stepped.vcpu.state.midRepeat = true;
    stepped.vcpu.modeChanged();
    assert.ok(deliverBoth(stepped, { vector: 32, source: 'trap' }));
  }
});

test('delivery refuses the short way to what is unusual', () => {
  const refused = (change: (machine: BareMachine) => void, cpl: 0 | 3 = 3): void => {
    const machine = flatMachine(cpl);
    change(machine);
    machine.vcpu.modeChanged();
    assert.equal(deliverBoth(machine, { vector: 14, source: 'trap' }), false);
  };
  const gateAt = idt + 14 * 8;
  refused(({ memory }) => memory.writeU8(gateAt + 5, 0x0e));
  refused(({ memory }) => memory.writeU8(gateAt + 5, 0x86));
  refused(({ memory }) => memory.writeU8(gateAt + 5, 0x85));
  refused(({ memory }) => memory.writeU16(gateAt + 2, 0));
  refused(({ memory }) => memory.writeU16(gateAt + 2, 12));
  refused(({ memory }) => memory.writeU16(gateAt + 2, selectors.userCode));
  refused(({ memory }) => memory.writeU8(gdt + 8 + 5, 0x1b));
  refused(({ memory }) => memory.writeU8(gdt + 8 + 5, 0x9a));
  refused(({ memory }) => memory.writeU8(gdt + 8 + 5, 0x9f));
  refused(({ memory }) => memory.writeU8(gdt + 8 + 6, 0x8f));
  refused(({ memory }) => memory.writeU8(gdt + 8 + 7, 1));
  refused(({ memory }) => memory.writeU16(tss + 8, 0));
  refused(({ memory }) => memory.writeU16(tss + 8, selectors.userData));
  refused(({ memory }) => memory.writeU8(gdt + 16 + 5, 0x91));
  refused(({ memory }) => memory.writeU8(gdt + 16 + 6, 0xc0));
  refused(({ memory }) => memory.writeU32(tss + 4, 8));
  refused(({ memory }) => memory.writeU32(tss + 4, kernelStack + 8));
  refused(({ vcpu }) => {
    const tr = vcpu.state.segment(segmentIndex.tr);
    vcpu.state.setSegment(segmentIndex.tr, { ...tr, attributes: 0x83 });
  });
  refused(({ vcpu }) => vcpu.state.setTable('idtr', BigInt(idt), 14 * 8 + 6));
  refused(({ vcpu }) => {
    const ds = vcpu.state.segment(segmentIndex.ds);
    vcpu.state.setSegment(segmentIndex.ds, { ...ds, base: 16n });
  }, 0);
  assert.equal(deliverBoth(flatMachine(0), { vector: 1, source: 'trap' }), false);
});

test('delivery to a program whose data segments are not flat, and back, is told apart', () => {
  const machine = flatMachine(3);
  const { vcpu } = machine;
  deliverFlat32(vcpu, { vector: 14, source: 'fault', returnRip: 0x1000n });
  vcpu.state.setSegment(segmentIndex.es, { selector: 0x23, base: 0n, limit: 0xfff, attributes: 0xf3 });
  vcpu.modeChanged();
  assert.equal(iretFlat32(vcpu), false);
});

interface Frame {
  readonly cs: number;
  readonly ss: number;
  readonly flags: number;
}

function returningMachine({ cs, ss, flags }: Frame): BareMachine {
  const machine = flatMachine(0);
  const { vcpu, memory } = machine;
  [0x1234, cs, flags, stack - 64, ss].forEach((value, n) => {
    memory.writeU32(kernelStack + n * 4, value);
  });
  vcpu.state.setGpr(4, BigInt(kernelStack));
  vcpu.state.shadow |= shadowBit.nmi;
  return machine;
}

const returnBoth = (machine: BareMachine): boolean => bothWays(machine, iretFlat32, (cpu) => iret(cpu, 32, 0n));
const toUser = { cs: selectors.userCode, ss: selectors.userData, flags: 0x202 };

test('IRETD the short way does what it does the general way', () => {
  const everyFlag = 0x3f_7fd7 & ~(eflags.nt | eflags.vm);
  for (const flags of [2, 0x202, eflags.tf, eflags.ac | eflags.zf | eflags.of, everyFlag]) {
    const user = returningMachine({ ...toUser, flags });
    // The kernel's own data segments are dropped on the way, and code is flat no longer.
    assert.ok(returnBoth(user));
    assert.ok(returnBoth(returningMachine({ cs: selectors.kernelCode, ss: 0, flags })));
    const usual = returningMachine({ ...toUser, flags });
    for (const index of [segmentIndex.ds, segmentIndex.es]) loadSegment(usual.vcpu, index, selectors.userData);
    assert.ok(returnBoth(usual));
  }
});

test('IRETD refuses the short way to what is unusual', () => {
  const refused = (frame: Partial<Frame>, change: (machine: BareMachine) => void = () => {}): void => {
    const machine = returningMachine({ ...toUser, ...frame });
    change(machine);
    assert.equal(returnBoth(machine), false);
  };
  refused({ cs: selectors.kernelCode | 3 });
  refused({ cs: 0x1a });
  refused({ cs: 0 });
  refused({ cs: selectors.userData });
  refused({ ss: 0 });
  refused({ ss: selectors.userCode });
  refused({ ss: selectors.kernelData });
  refused({ flags: 2 | eflags.vm });
  refused({}, ({ vcpu }) => vcpu.state.setFlag(eflags.nt, true));
  refused({}, ({ vcpu }) => vcpu.state.setGpr(4, 0xffff_fff8n));
  refused({}, ({ memory }) => memory.writeU8(gdt + 0x18 + 5, 0x7b));
  refused({}, ({ memory }) => memory.writeU8(gdt + 0x20 + 6, 0x8f));
});

test('a segment load the short way does what it does the general way', () => {
  const loads = (selector: number, cpl: 0 | 3, change: (machine: BareMachine) => void = () => {}): boolean => {
    const machine = flatMachine(cpl);
    machine.memory.writeU64(gdt + 0x28, 0x1240_f312_3456_789an);
    machine.vcpu.state.setTable('gdtr', BigInt(gdt), 0x2f);
    change(machine);
    return bothWays(
      machine,
      (cpu) => loadUsualSegment(cpu, segmentIndex.fs, selector),
      (cpu) => loadAnySegment(cpu, segmentIndex.fs, selector),
    );
  };
  for (const cpl of [0, 3] as const) {
    for (const selector of [0, 3, selectors.userData, 0x28, 0x2b]) assert.ok(loads(selector, cpl));
    for (const selector of [4, 0x30, selectors.kernelCode]) assert.equal(loads(selector, cpl), false);
  }
  assert.ok(loads(selectors.kernelData, 0));
  assert.equal(loads(selectors.kernelData, 3), false);
  assert.equal(loads(selectors.kernelData | 1, 0), false);
  for (const [byte, value] of [
    [5, 0x73],
    [5, 0xf2],
    [5, 0xe3],
  ] as const)
    assert.equal(
      loads(0x28, 0, ({ memory }) => memory.writeU8(gdt + 0x28 + byte, value)),
      false,
    );
});
