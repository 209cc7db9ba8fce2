/** The slow paths of segment loads, far branches and software interrupts: arguments in, events out. */
import { eflags } from '../../spec/x86/registers.ts';
import { generalProtection } from '../guest-fault.ts';
import { status } from '../interpret/status.ts';
import { segmentChanged } from '../mode.ts';
import type { Processor } from '../processor.ts';
import { blockKeys } from '../state/block-key.ts';
import { segmentIndex, shadowBit, state } from '../state/layout.ts';
import { loadSegment } from './descriptors.ts';
import { farReturn, farTransfer } from './far-transfer.ts';
import { iretFlat32 } from './flat-32.ts';
import { iretFlat } from './flat-long.ts';
import { deliver } from './interrupt.ts';
import { iret } from './iret.ts';
import { loadUsualSegment } from './plain-ram.ts';

type Size = 16 | 32 | 64;

/** LDS, LES, LFS, LGS, LSS. */
export function loadFarSegment(cpu: Processor): number {
  const index = cpu.state.scratch32(0);
  loadSegment(cpu, index, cpu.state.scratch32(1));
  segmentChanged(cpu, index);
  return status.next;
}

/** MOV and POP to a segment register. Of SS: the next instruction runs before any event (SDM Vol. 3A 6.8.3). */
export function movToSreg(cpu: Processor): number {
  const index = cpu.state.scratch32(0);
  loadSegment(cpu, index, cpu.state.scratch32(1));
  if (index === segmentIndex.ss) cpu.state.shadow |= shadowBit.movSs;
  segmentChanged(cpu, index);
  return status.next;
}

/** MOV and POP to DS, ES, FS and GS in regions: what is unusual is left to the interpreter, for regions must not wait for others. */
export function loadInRegion(cpu: Processor): number {
  const index = cpu.state.scratch32(0);
  if (!loadUsualSegment(cpu, index, cpu.state.scratch32(1) & 0xffff)) return status.redo;
  segmentChanged(cpu, index);
  return status.next;
}

export function farBranch(cpu: Processor, call: boolean): number {
  const offset = cpu.state.scratch(0);
  const selector = cpu.state.scratch32(1) & 0xffff;
  farTransfer(cpu, { offset, selector, size: cpu.state.scratch32(2) as Size }, call, cpu.nextRip());
  return status.changed;
}

export function retFar(cpu: Processor): number {
  farReturn(cpu, cpu.state.scratch32(0) as Size, cpu.state.scratch32(1) & 0xffff);
  return status.changed;
}

/** Emitted code goes on by itself unless instructions are stepped or IRET may have let in an interrupt or an NMI. */
export function iretCall(cpu: Processor): number {
  const size = cpu.state.scratch32(0) as Size;
  const { view, shadow } = cpu.state;
  const stepped = view.getInt32(state.blockKey, true) >= blockKeys.firstStep;
  const usual = (size === 64 && iretFlat(cpu)) || (size === 32 && iretFlat32(cpu));
  if (!usual) {
    iret(cpu, size, cpu.nextRip());
    return status.changed;
  }
  const steps = view.getInt32(state.blockKey, true) >= blockKeys.firstStep;
  const waits = view.getInt32(state.interruptWaiting, true) !== 0 || (shadow & shadowBit.nmi) !== 0;
  return stepped || steps || waits ? status.changed : status.transfer;
}

/** INT3, INTO, INT n: software interrupts, whose frames point behind the instruction. */
export function softwareInterrupt(cpu: Processor, vector: number): number {
  deliver(cpu, { vector, source: 'software', returnRip: cpu.nextRip() });
  cpu.debug.handlerEntered = true;
  return status.changed;
}

/** INT1: a #DB trap without DR6 bits and without a check of the gate's DPL. */
export function int1(cpu: Processor): number {
  deliver(cpu, { vector: 1, source: 'trap', returnRip: cpu.nextRip() });
  cpu.debug.handlerEntered = true;
  return status.changed;
}

/** INT n in virtual-8086 mode needs IOPL 3 (CR4.VME does not exist). */
export function interruptCall(cpu: Processor): number {
  const vector = cpu.state.scratch32(0) & 0xff;
  if (cpu.state.flag(eflags.vm) && cpu.state.iopl < 3) throw generalProtection();
  return softwareInterrupt(cpu, vector);
}
