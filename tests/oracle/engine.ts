/**
 * The executor that is our engine. A case runs as native.c runs it: the instruction among INT3s, in user code; what it
 * raises, or the INT3 it comes to, enters a handler that halts.
 */
import { Buffer } from 'node:buffer';
import { FpuRegisters } from '../../src/cpu/state/fpu-registers.ts';
import { segmentIndex, state as stateAddress } from '../../src/cpu/state/layout.ts';
import { findCpuModel } from '../../src/cpu/system/cpu-model.ts';
import { soloSiblings } from '../../src/cpu/testing/solo-siblings.ts';
import { Vcpu } from '../../src/cpu/vcpu.ts';
import { MmioBus } from '../../src/device-model/mmio.ts';
import { PortBus } from '../../src/device-model/port-io.ts';
import { GuestMemory } from '../../src/memory/guest-memory.ts';
import { cr0, cr4, efer } from '../../src/spec/x86/registers.ts';
import { webAssembly } from '../../src/wasm/webassembly.ts';
import { type Case, type CaseBatch, fillWindow, type Results, ResultWriter, StateView } from './case.ts';
import { buildMemory, ldtSelector, physical, readFrame, system, tssSelector } from './engine-memory.ts';
import type { Executor } from './executor.ts';
import { fxField, gdt, hang, ldt, noFault, region, stateField } from './layout.ts';

const budget = 10_000;
const wasmPage = 0x1_0000;
const breakpoint = 3;
const pageFault = 14;
const fetchBit = 16;
const resumeFlag = 0x1_0000n;
const pushesError = new Set([8, 10, 11, 12, 13, 14, 17]);
const fsBase = segmentIndex.fs;
const gsBase = segmentIndex.gs;

/** `translate`: everything that can be translated runs so, from the first time on; `staying`: see `VcpuOptions`. */
export const accelerators = ['interpret', 'translate', 'staying'] as const;
export type Accelerator = (typeof accelerators)[number];

const translations = { interpret: 'never', translate: 'always', staying: 'staying' } as const;

function openVcpu(accelerator: Accelerator): Vcpu {
  const pages = physical.ramSize / wasmPage;
  const memory = new GuestMemory(
    new webAssembly.Memory({ initial: pages, maximum: pages, shared: true }),
    physical.ramSize,
  );
  const model = findCpuModel('max');
  if (model === undefined) throw new Error('there is no CPU model "max"');
  let now = 0;
  return new Vcpu({
    memory,
    mmio: new MmioBus(),
    ports: new PortBus(),
    interrupts: { hasInterrupt: () => false, acknowledge: () => -1, taskPriority: 0 },
    externalMsrs: { read: () => undefined, write: () => false },
    model,
    apicId: 0,
    nowNs: () => now++,
    translates: translations[accelerator],
    random: () => 1n,
    tscChanged: () => {},
    // Locked instructions run as they do where several processors share the memory.
    siblings: soloSiblings(memory),
  });
}

/** Long mode as Linux sets it up, as far as user code notices. */
function setUp(vcpu: Vcpu): void {
  const { state } = vcpu;
  buildMemory(vcpu.memory);
  state.set64('cr0', BigInt((cr0.pe | cr0.mp | cr0.et | cr0.ne | cr0.wp | cr0.am | cr0.pg) >>> 0));
  state.set64('cr3', BigInt(physical.pml4));
  state.set64('cr4', BigInt(cr4.pae | cr4.pge | cr4.osfxsr | cr4.osxmmexcpt | cr4.osxsave | cr4.fsgsbase | cr4.umip));
  state.set64('efer', BigInt(efer.sce | efer.lme | efer.lma | efer.nxe));
  state.set64('xcr0', 3n);
  state.setTable('gdtr', BigInt(system.gdt), system.gdtLimit);
  state.setTable('idtr', BigInt(system.idt), system.idtLimit);
  state.setSegment(segmentIndex.ldtr, {
    selector: ldtSelector,
    base: BigInt(system.ldt),
    limit: system.ldtLimit,
    attributes: 0x82,
  });
  state.setSegment(segmentIndex.tr, {
    selector: tssSelector,
    base: BigInt(system.tss),
    limit: system.tssLimit,
    attributes: 0x8b,
  });
}

/** Loads a segment register with what its descriptor says, unchecked. */
function loadSegment(vcpu: Vcpu, index: number, selector: number): void {
  const entry = selector >> 3;
  const raw = (selector & 4 ? ldt[entry] : gdt[entry]) ?? 0n;
  const attributes = Number((raw >> 40n) & 0xf0ffn);
  const units = Number((raw & 0xffffn) | ((raw >> 32n) & 0xf_0000n));
  const limit = attributes & 0x8000 ? units * 0x1000 + 0xfff : units;
  const base = ((raw >> 16n) & 0xff_ffffn) | (((raw >> 56n) & 0xffn) << 24n);
  vcpu.state.setSegment(index, { selector, base, limit, attributes });
}

function loadFloat(vcpu: Vcpu, fx: Uint8Array): void {
  const { view } = vcpu.state;
  const from = new DataView(fx.buffer, fx.byteOffset, fx.length);
  const fpu = new FpuRegisters(view);
  fpu.fcw = from.getUint16(fxField.fcw, true);
  fpu.fsw = from.getUint16(fxField.fsw, true);
  fpu.valid = from.getUint8(fxField.ftw);
  fpu.fop = from.getUint16(fxField.fop, true);
  fpu.fip = from.getBigUint64(fxField.fip, true);
  fpu.fdp = from.getBigUint64(fxField.fdp, true);
  view.setUint32(stateAddress.mxcsr, from.getUint32(fxField.mxcsr, true), true);
  const top = (fpu.fsw >> 11) & 7;
  for (let i = 0; i < 8; i++) {
    const significand = from.getBigUint64(fxField.st + 16 * i, true);
    fpu.write(top + i, { significand, signExponent: from.getUint16(fxField.st + 16 * i + 8, true) });
  }
  new Uint8Array(view.buffer, stateAddress.xmm, 256).set(fx.subarray(fxField.xmm, fxField.end));
}

function storeFloat(vcpu: Vcpu, fx: Uint8Array): void {
  const { view } = vcpu.state;
  const to = new DataView(fx.buffer, fx.byteOffset, fx.length);
  const fpu = new FpuRegisters(view);
  fx.fill(0);
  to.setUint16(fxField.fcw, fpu.fcw, true);
  to.setUint16(fxField.fsw, fpu.fsw, true);
  to.setUint8(fxField.ftw, fpu.valid);
  to.setUint16(fxField.fop, fpu.fop, true);
  to.setBigUint64(fxField.fip, fpu.fip, true);
  to.setBigUint64(fxField.fdp, fpu.fdp, true);
  to.setUint32(fxField.mxcsr, view.getUint32(stateAddress.mxcsr, true), true);
  to.setUint32(fxField.mxcsr + 4, 0xffff, true);
  const top = (fpu.fsw >> 11) & 7;
  for (let i = 0; i < 8; i++) {
    const { significand, signExponent } = fpu.read(top + i);
    to.setBigUint64(fxField.st + 16 * i, significand, true);
    to.setUint16(fxField.st + 16 * i + 8, signExponent, true);
  }
  fx.set(new Uint8Array(view.buffer, stateAddress.xmm, 256), fxField.xmm);
}

class EngineExecutor implements Executor {
  readonly name = 'engine';
  readonly #vcpu: Vcpu;
  readonly #before = new Uint8Array(region.data.size);
  readonly #window: Uint8Array;
  readonly #after = new StateView(new DataView(new ArrayBuffer(stateField.size)), 0);

  constructor(accelerator: Accelerator) {
    this.#vcpu = openVcpu(accelerator);
    this.#window = this.#vcpu.memory.bytes.subarray(physical.data, physical.data + region.data.size);
    setUp(this.#vcpu);
  }

  execute(batch: CaseBatch): Results {
    const writer = new ResultWriter();
    for (let i = 0; i < batch.count; i++) this.#one(batch.case(i), writer);
    return writer.finish();
  }

  #one(c: Case, writer: ResultWriter): void {
    fillWindow(this.#before, c.patches);
    this.#vcpu.memory.write(physical.data, this.#before);
    const code = c.code.subarray(0, region.code.address + region.code.size - c.codeAddress);
    const place = c.codeAddress - region.code.address + physical.code;
    this.#vcpu.memory.write(place, code);
    this.#load(c.state);
    const exit = this.#vcpu.run(budget);
    this.#vcpu.memory.write(place, new Uint8Array(code.length).fill(0xcc));
    this.#store(c, exit === 'halt');
    const same = Buffer.compare(this.#before, this.#window) === 0;
    writer.append(this.#after.bytes, this.#before, this.#window, same);
  }

  #load(from: StateView): void {
    const { state } = this.#vcpu;
    this.#vcpu.halted = false;
    state.shadow = 0;
    state.cpl = 3;
    state.eflags = Number(from.quad(stateField.rflags));
    state.rip = from.quad(stateField.rip);
    for (let i = 0; i < 16; i++) state.setGpr(i, from.gpr(i));
    for (let i = 0; i < 6; i++) loadSegment(this.#vcpu, i, from.selector(i));
    state.setSegmentBase(fsBase, from.quad(stateField.fsBase));
    state.setSegmentBase(gsBase, from.quad(stateField.gsBase));
    loadFloat(this.#vcpu, from.fx);
    this.#vcpu.modeChanged();
  }

  #store(c: Case, halted: boolean): void {
    const { state } = this.#vcpu;
    const to = this.#after;
    to.bytes.fill(0);
    for (let i = 0; i < 16; i++) to.setGpr(i, state.gpr(i));
    for (let i = 0; i < 6; i++) to.setSelector(i, state.selector(i));
    to.setQuad(stateField.fsBase, state.segmentBase(fsBase));
    to.setQuad(stateField.gsBase, state.segmentBase(gsBase));
    storeFloat(this.#vcpu, to.fx);
    const vector = (Number(state.rip) - system.handlers) >> 4;
    if (halted && vector >= 0 && vector < 256) this.#storeFault(c, vector);
    else to.vector = hang;
  }

  /** The exception's frame; an INT3 or a failing fetch elsewhere than at the instruction is where it completed. */
  #storeFault(c: Case, vector: number): void {
    const { state, memory } = this.#vcpu;
    const to = this.#after;
    const frame = readFrame(memory, state.gpr(4), pushesError.has(vector));
    const start = c.state.quad(stateField.rip);
    to.setGpr(4, frame.rsp);
    to.setSelector(1, frame.cs);
    to.setSelector(2, frame.ss);
    to.setQuad(stateField.rflags, frame.rflags & ~resumeFlag);
    to.setQuad(stateField.rip, frame.rip);
    to.vector = noFault;
    const landed = frame.rip - 1n;
    if (vector === breakpoint && (landed < start || landed >= start + BigInt(c.code.length))) {
      to.setQuad(stateField.rip, landed);
    } else if (vector !== pageFault || (frame.error & fetchBit) === 0 || frame.rip === start) {
      to.vector = vector;
      to.error = frame.error;
      if (vector === pageFault) to.setQuad(stateField.cr2, state.get64('cr2'));
    }
  }
}

/** A fresh engine with nothing but the case's memory around it. */
export function openEngine(accelerator: Accelerator): Executor {
  return new EngineExecutor(accelerator);
}
