/** Where the structures of a virtio PCI function lie, and the capabilities that say so. VIRTIO 1.2 4.1.4. */
import type { AccessSize } from '../../device-model/port-io.ts';
import { pciCapability } from '../../spec/pc/pci.ts';
import { virtioCapabilityField as field, virtioCapability, virtioCommon } from '../../spec/virtio/pci.ts';
import type { PciFunction, PciRegion } from '../pci/pci-function.ts';
import type { VirtioDescription } from './virtio-device.ts';

/** Offsets in the BAR; every structure has a page. */
export const structure = {
  bar: 0,
  barBytes: 0x4000,
  common: 0,
  isr: 0x1000,
  device: 0x2000,
  notify: 0x3000,
  /** Bytes between the doorbells of two queues. */
  notifyMultiplier: 4,
} as const;

interface Capability {
  readonly type: number;
  readonly offset: number;
  readonly length: number;
  /** What follows the fields that all capabilities have. */
  readonly extra?: number;
}

/** Adds the capabilities. @returns the window to the BAR in configuration space */
export function addVirtioCapabilities(
  pciFunction: PciFunction,
  region: PciRegion,
  description: VirtioDescription,
): PciWindow {
  const queues = description.queueSizes.length;
  const capabilities: Capability[] = [
    { type: virtioCapability.common, offset: structure.common, length: virtioCommon.size },
    { type: virtioCapability.isr, offset: structure.isr, length: 1 },
    {
      type: virtioCapability.notify,
      offset: structure.notify,
      length: queues * structure.notifyMultiplier,
      extra: structure.notifyMultiplier,
    },
  ];
  const configLength = description.config.length;
  if (configLength > 0)
    capabilities.push({ type: virtioCapability.device, offset: structure.device, length: configLength });
  for (const capability of capabilities) add(pciFunction, capability, []);
  const writable = [field.bar, field.offset, field.regionLength, field.pciData];
  const at = add(pciFunction, { type: virtioCapability.pciAccess, offset: 0, length: 0, extra: 0 }, writable);
  return new PciWindow(pciFunction, region, at);
}

/** @param writable fields that the guest may change: the bar's byte, the others' four */
function add(pciFunction: PciFunction, capability: Capability, writable: readonly number[]): number {
  const { type, offset, length, extra } = capability;
  const size = extra === undefined ? field.size : field.size + 4;
  const body = new DataView(new ArrayBuffer(size));
  body.setUint8(field.length, size);
  body.setUint8(field.type, type);
  body.setUint8(field.bar, structure.bar);
  body.setUint32(field.offset, offset, true);
  body.setUint32(field.regionLength, length, true);
  if (extra !== undefined) body.setUint32(field.notifyMultiplier, extra, true);
  const mask = new Uint8Array(size);
  for (const at of writable) mask.fill(0xff, at, at + (at === field.bar ? 1 : 4));
  return pciFunction.addCapability(pciCapability.vendor, new Uint8Array(body.buffer, 2), mask.subarray(2));
}

/** Access to the BAR by way of configuration space, for software that runs before BARs have addresses. 4.1.4.9. */
export class PciWindow {
  readonly #function: PciFunction;
  readonly #region: PciRegion;
  readonly #at: number;

  constructor(pciFunction: PciFunction, region: PciRegion, capability: number) {
    this.#function = pciFunction;
    this.#region = region;
    this.#at = capability;
  }

  beforeRead(offset: number, size: AccessSize): void {
    const target = this.#targetOf(offset, size);
    if (target !== undefined)
      this.#function.config.set(this.#at + field.pciData, 4, this.#region.read(target.offset, target.size));
  }

  afterWrite(offset: number, size: AccessSize): void {
    const target = this.#targetOf(offset, size);
    if (target !== undefined)
      this.#region.write(target.offset, target.size, this.#function.config.read(this.#at + field.pciData, target.size));
  }

  /** Where in the BAR an access to the window leads; undefined if it is none, or leads nowhere. */
  #targetOf(offset: number, size: AccessSize): { offset: number; size: AccessSize } | undefined {
    const data = this.#at + field.pciData;
    if (offset + size <= data || offset >= data + 4) return undefined;
    const { config } = this.#function;
    const at = config.read(this.#at + field.offset, 4);
    const length = config.read(this.#at + field.regionLength, 4);
    if (config.read(this.#at + field.bar, 1) !== structure.bar) return undefined;
    if ((length !== 1 && length !== 2 && length !== 4) || at % length !== 0) return undefined;
    return at + length <= structure.barBytes ? { offset: at, size: length } : undefined;
  }
}
