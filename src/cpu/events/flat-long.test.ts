import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eflags } from '../../spec/x86/registers.ts';
import { segmentIndex, shadowBit } from '../state/layout.ts';
import { type BareMachine, bareMachine, enterLongMode } from '../testing/bare-machine.ts';
import { bothWays } from '../testing/both-ways.ts';
import { deliverFlat, iretFlat } from './flat-long.ts';
import { deliverGeneral, type Interruption } from './interrupt.ts';
import { iret } from './iret.ts';

const gdt = 0x7000;
const idt = 0x8000;
const tss = 0x9000;
const stack = 0x2_0000;
const kernelStack = 0x3_0000;
const istStack = 0x4_0000;
const handler = 0xffff_8000_0123_4567n;
const code = 0x1_0000n;

const kernelCode = 0x00af_9b00_0000_ffffn;
const userCode = 0x00af_fb00_0000_ffffn;
const kernelData = 0x00cf_9300_0000_ffffn;
const userData = 0x00cf_f300_0000_ffffn;
const selectors = { kernelCode: 8, kernelData: 16, userData: 0x1b, userCode: 0x23 } as const;

/** Vector 14: interrupt gate; 32: trap gate; 8: interrupt gate with IST 1. */
function longMachine(cpl: 0 | 3): BareMachine {
  const machine = bareMachine();
  const { vcpu, memory } = machine;
  enterLongMode(machine, Number(code), cpl);
  [0n, kernelCode, kernelData, userData, userCode].forEach((descriptor, n) => {
    memory.writeU64(gdt + n * 8, descriptor);
  });
  vcpu.state.setTable('gdtr', BigInt(gdt), 0x27);
  const gate = (vector: number, type: bigint, ist: bigint): void => {
    const low = (handler & 0xffffn) | (8n << 16n) | (ist << 32n) | (type << 40n) | ((handler & 0xffff_0000n) << 32n);
    memory.writeU64(idt + vector * 16, low);
    memory.writeU64(idt + vector * 16 + 8, handler >> 32n);
  };
  gate(14, 0x8en, 0n);
  gate(32, 0x8fn, 0n);
  gate(8, 0x8en, 1n);
  vcpu.state.setTable('idtr', BigInt(idt), 0xfff);
  vcpu.state.setSegment(segmentIndex.tr, { selector: 0x40, base: BigInt(tss), limit: 0x67, attributes: 0x8b });
  memory.writeU64(tss + 4, BigInt(kernelStack));
  memory.writeU64(tss + 0x24, BigInt(istStack));
  vcpu.state.setGpr(4, BigInt(stack - 8));
  vcpu.state.eflags = eflags.if | eflags.cf | eflags.df | eflags.iopl;
  vcpu.modeChanged();
  return machine;
}

const deliverBoth = (machine: BareMachine, event: Omit<Interruption, 'returnRip'>): boolean => {
  const whole = { ...event, returnRip: 0xffff_8000_dead_beefn };
  return bothWays(
    machine,
    (cpu) => deliverFlat(cpu, whole),
    (cpu) => deliverGeneral(cpu, whole),
  );
};

test('delivery the short way does what delivery the general way does', () => {
  for (const cpl of [0, 3] as const) {
    assert.ok(deliverBoth(longMachine(cpl), { vector: 14, errorCode: 6, source: 'fault' }));
    assert.ok(deliverBoth(longMachine(cpl), { vector: 32, source: 'external' }));
    assert.ok(deliverBoth(longMachine(cpl), { vector: 8, errorCode: 0, source: 'fault' }));
    const stepped = longMachine(cpl);
    stepped.vcpu.state.setFlag(eflags.tf | eflags.nt, true);
    stepped.vcpu.state.midRepeat = true;
    stepped.vcpu.modeChanged();
    assert.ok(deliverBoth(stepped, { vector: 32, source: 'trap' }));
  }
});

test('delivery refuses the short way to what is unusual', () => {
  const refused = (change: (machine: BareMachine) => void, vector = 14): void => {
    const machine = longMachine(3);
    change(machine);
    assert.equal(deliverBoth(machine, { vector, source: 'trap' }), false);
  };
  refused(({ memory }) => memory.writeU8(idt + 14 * 16 + 5, 0x0e));
  refused(({ memory }) => memory.writeU8(idt + 14 * 16 + 5, 0x8c));
  refused(({ memory }) => memory.writeU8(idt + 14 * 16 + 5, 0x9e));
  refused(({ memory }) => memory.writeU16(idt + 14 * 16 + 10, 0x1234));
  refused(({ memory }) => memory.writeU16(idt + 14 * 16 + 2, 0));
  refused(({ memory }) => memory.writeU16(idt + 14 * 16 + 2, 12));
  refused(({ memory }) => memory.writeU8(gdt + 8 + 5, 0x1b));
  refused(({ memory }) => memory.writeU8(gdt + 8 + 5, 0x9a));
  refused(({ memory }) => memory.writeU8(gdt + 8 + 6, 0xcf));
  refused(({ memory }) => memory.writeU64(tss + 4, 0x8000_0000_0000_0000n));
  refused(({ memory }) => memory.writeU64(tss + 4, 0x3_0010n));
  refused(({ vcpu }) => vcpu.state.setTable('idtr', BigInt(idt), 14 * 16 + 14));
  refused(({ vcpu }) => vcpu.state.setTable('gdtr', BigInt(gdt), 14));
  refused(() => {}, 1);
});

interface Frame {
  readonly rip?: bigint;
  readonly cs: number;
  readonly flags: number;
  readonly ss: number;
}

function returningMachine({ rip = code, cs, flags, ss }: Frame): BareMachine {
  const machine = longMachine(0);
  const values = [rip, BigInt(cs), BigInt(flags), 0x1234_5678_9abcn, BigInt(ss)];
  values.forEach((value, n) => {
    machine.memory.writeU64(kernelStack + n * 8, value);
  });
  machine.vcpu.state.setGpr(4, BigInt(kernelStack));
  machine.vcpu.state.shadow |= shadowBit.nmi;
  return machine;
}

const returnBoth = (machine: BareMachine): boolean => bothWays(machine, iretFlat, (cpu) => iret(cpu, 64, 0n));
const toUser = { cs: selectors.userCode, ss: selectors.userData, flags: 0x202 };

test('IRETQ the short way does what it does the general way', () => {
  const everyFlag = 0x3f_7fd7 & ~(eflags.nt | eflags.vm);
  for (const flags of [2, 0x202, eflags.tf, eflags.ac | eflags.zf | eflags.of, everyFlag]) {
    assert.ok(returnBoth(returningMachine({ ...toUser, flags })));
    assert.ok(returnBoth(returningMachine({ cs: selectors.kernelCode, ss: selectors.kernelData, flags })));
    assert.ok(returnBoth(returningMachine({ cs: selectors.kernelCode, ss: 0, flags })));
  }
  const nullSegments = returningMachine(toUser);
  for (const index of [segmentIndex.ds, segmentIndex.fs])
    nullSegments.vcpu.state.setSegment(index, { selector: 0, base: 0x1234n, limit: 5, attributes: 0 });
  assert.ok(returnBoth(nullSegments));
});

test('IRETQ refuses the short way to what is unusual', () => {
  const refused = (frame: Partial<Frame>, change: (machine: BareMachine) => void = () => {}): void => {
    const machine = returningMachine({ ...toUser, ...frame });
    change(machine);
    assert.equal(returnBoth(machine), false);
  };
  refused({ rip: 1n << 60n });
  refused({ cs: selectors.kernelCode | 3 });
  refused({ cs: 0x22 });
  refused({ cs: 0 });
  refused({ cs: selectors.userData });
  refused({ ss: 0 });
  refused({ ss: selectors.userCode });
  refused({ ss: selectors.kernelData });
  refused({}, ({ vcpu }) => vcpu.state.setFlag(eflags.nt, true));
  refused({}, ({ vcpu }) => {
    vcpu.state.cpl = 3;
    vcpu.modeChanged();
  });
  refused({}, ({ memory }) => memory.writeU8(gdt + 0x20 + 5, 0x7b));
  refused({}, ({ memory }) => memory.writeU8(gdt + 0x20 + 6, 0xcf));
});
