/** Register values after RESET. SDM Vol. 3A table 9-1. */
import { cr0, dr6, dr7 } from '../spec/x86/registers.ts';
import type { CpuState } from './state/cpu-state.ts';
import { resetFpu } from './state/fpu-registers.ts';
import { segmentIndex, state } from './state/layout.ts';
import { cpuSignature } from './system/cpu-model.ts';

export function resetState(cpu: CpuState): void {
  new Uint8Array(cpu.view.buffer, 0, state.end).fill(0);
  cpu.view.setInt32(state.tlbBase, 0x1000, true);
  cpu.eflags = 2;
  cpu.set64('cr0', BigInt(cr0.cd) | BigInt(cr0.nw) | BigInt(cr0.et));
  cpu.set64('xcr0', 1n);
  cpu.setGpr(2, BigInt(cpuSignature));
  cpu.rip = 0xfff0n;
  cpu.setSegment(segmentIndex.cs, { selector: 0xf000, base: 0xffff_0000n, limit: 0xffff, attributes: 0x9b });
  for (const index of [segmentIndex.es, segmentIndex.ss, segmentIndex.ds, segmentIndex.fs, segmentIndex.gs]) {
    cpu.setSegment(index, { selector: 0, base: 0n, limit: 0xffff, attributes: 0x93 });
  }
  cpu.setSegment(segmentIndex.ldtr, { selector: 0, base: 0n, limit: 0xffff, attributes: 0x82 });
  cpu.setSegment(segmentIndex.tr, { selector: 0, base: 0n, limit: 0xffff, attributes: 0x8b });
  cpu.setTable('gdtr', 0n, 0xffff);
  cpu.setTable('idtr', 0n, 0xffff);
  cpu.setDr(6, BigInt(dr6.fixedOnes));
  cpu.setDr(7, BigInt(dr7.fixedOnes));
  resetFpu(cpu.view);
}
