/** Resource descriptors: what _CRS lists. ACPI Specification 6.3, 6.4. */
import { resourceFlag, resourceSpace, resourceTag } from '../../spec/acpi/aml.ts';
import { type Aml, buffer, littleEndian } from './aml.ts';

/** The buffer of a _CRS: descriptors and the end tag, whose checksum 0 means "not checked". */
export function resourceTemplate(...descriptors: readonly Aml[]): number[] {
  return buffer([...descriptors.flat(), resourceTag.endTag, 0]);
}

/** Fixed I/O ports. */
export function io(port: number, length: number): number[] {
  const base = littleEndian(port, 2);
  return [resourceTag.io, resourceFlag.decode16, ...base, ...base, 1, length];
}

/** An edge-triggered ISA interrupt. */
export function irq(line: number): number[] {
  return [resourceTag.irqNoFlags, ...littleEndian(1 << line, 2)];
}

/** Fixed memory below 4 GiB. */
export function memory32(address: number, length: number, writable: boolean): number[] {
  const access = writable ? resourceFlag.readWrite : 0;
  return [
    resourceTag.memory32Fixed,
    ...littleEndian(9, 2),
    access,
    ...littleEndian(address, 4),
    ...littleEndian(length, 4),
  ];
}

/** Bus numbers, both ends included, that a root bridge passes on. */
export function busRange(first: number, last: number): number[] {
  return addressSpace(resourceTag.wordSpace, resourceSpace.bus, 0, first, last);
}

/** I/O ports, both ends included, that a root bridge passes on. */
export function ioWindow(first: number, last: number): number[] {
  return addressSpace(resourceTag.wordSpace, resourceSpace.io, resourceFlag.ioEntireRange, first, last);
}

/** Memory that a root bridge passes on. */
export function memoryWindow(start: number, length: number, cacheable = false): number[] {
  const last = start + length - 1;
  const tag = last > 0xffff_ffff ? resourceTag.qwordSpace : resourceTag.dwordSpace;
  const flags = cacheable ? resourceFlag.memoryCacheable : resourceFlag.memoryUncached;
  return addressSpace(tag, resourceSpace.memory, flags, start, last);
}

/** Bytes of one number in an address space descriptor. */
const fieldBytes: ReadonlyMap<number, number> = new Map([
  [resourceTag.wordSpace, 2],
  [resourceTag.dwordSpace, 4],
  [resourceTag.qwordSpace, 8],
]);

function addressSpace(tag: number, type: number, typeFlags: number, first: number, last: number): number[] {
  const bytes = fieldBytes.get(tag) ?? 0;
  // Granularity, minimum, maximum, translation, length.
  const numbers = [0, first, last, 0, last - first + 1];
  const length = 3 + numbers.length * bytes;
  return [
    tag,
    ...littleEndian(length, 2),
    type,
    resourceFlag.producerFixed,
    typeFlags,
    ...numbers.flatMap((value) => littleEndian(value, bytes)),
  ];
}
