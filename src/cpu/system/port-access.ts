/** IN and OUT: IOPL and the TSS's I/O permission bitmap. SDM Vol. 1 19.5. */
import type { AccessSize } from '../../device-model/port-io.ts';
import { generalProtection } from '../guest-fault.ts';
import { status } from '../interpret/status.ts';
import type { Processor } from '../processor.ts';
import { canonical } from '../state/cpu-state.ts';
import { segmentIndex } from '../state/layout.ts';

const bitmapOffsetField = 0x66;

function checkBitmap(cpu: Processor, port: number, bytes: number): void {
  const { state, mmu } = cpu;
  const limit = state.segmentLimit(segmentIndex.tr);
  const type = state.segmentAttributes(segmentIndex.tr) & 0xf;
  const base = canonical(state.segmentBase(segmentIndex.tr));
  if (base === undefined || (type & 0xd) !== 9 || limit < bitmapOffsetField + 1) throw generalProtection();
  const at = mmu.read(base + bitmapOffsetField, 2, true) + (port >> 3);
  if (at + 1 > limit) throw generalProtection();
  const bits = mmu.read(base + at, 2, true) >> (port & 7);
  if ((bits & ((1 << bytes) - 1)) !== 0) throw generalProtection();
}

function check(cpu: Processor, port: number, bytes: number): void {
  const { state } = cpu;
  if (state.real || (!state.virtual8086 && state.cpl <= state.iopl)) return;
  checkBitmap(cpu, port, bytes);
}

/** Arguments: port, bytes. */
export function checkIo(cpu: Processor): number {
  check(cpu, cpu.state.scratch32(0) & 0xffff, cpu.state.scratch32(1));
  return status.next;
}

export function portIn(cpu: Processor): number {
  const { state } = cpu;
  const port = state.scratch32(0) & 0xffff;
  const bytes = state.scratch32(1) as AccessSize;
  check(cpu, port, bytes);
  const value = cpu.ports.read(port, bytes);
  cpu.debug.portAccess(port, bytes);
  state.setScratch(0, BigInt(value));
  return status.next;
}

export function portOut(cpu: Processor): number {
  const { state } = cpu;
  const port = state.scratch32(0) & 0xffff;
  const bytes = state.scratch32(1) as AccessSize;
  const value = state.scratch32(2);
  check(cpu, port, bytes);
  cpu.debug.portAccess(port, bytes);
  cpu.ports.write(port, bytes, value);
  return status.next;
}
