/** The virtio devices of a guest, made anew for each run of it. */
import { randomFillSync } from 'node:crypto';
import type { DiskFailure } from '../../block/disk-failure.ts';
import { VirtioBlock } from '../../devices/virtio/block.ts';
import { VirtioEntropy } from '../../devices/virtio/entropy.ts';
import { VirtioNet } from '../../devices/virtio/net.ts';
import type { VirtioDevice } from '../../devices/virtio/virtio-device.ts';
import { virtioDeviceId } from '../../spec/virtio/virtio.ts';
import type { OpenDisk } from './disks.ts';
import { modulesFor } from './guest/linux-modules.ts';
import type { Network } from './net/network.ts';

export interface GuestDevice {
  /** What messages call it. */
  readonly name: string;
  readonly device: VirtioDevice;
}

export interface GuestDeviceOptions {
  readonly disks: readonly OpenDisk[];
  readonly networks: readonly Network[];
}

/** What devices ask of the run that they are part of. */
export interface DeviceHooks {
  /** The host has no room for what the guest writes to a disk. Resolves when it is worth another try. */
  noSpace(disk: string, failure: DiskFailure): Promise<void>;
}

/** Queues of a disk: as many processors of a guest can send requests without waiting for each other. */
const diskQueues = 4;

/** The order is that of the PCI device numbers: what is always there first, so that the others find their place again. */
export function createGuestDevices({ disks, networks }: GuestDeviceOptions, hooks: DeviceHooks): GuestDevice[] {
  return [
    { name: 'entropy', device: new VirtioEntropy((into) => void randomFillSync(into)) },
    ...disks.map(({ name, disk }, number) => ({
      name: `disk ${name}`,
      device: new VirtioBlock({
        disk,
        serial: `corbel-${number}`,
        queues: diskQueues,
        noSpace: (failure) => hooks.noSpace(name, failure),
      }),
    })),
    ...networks.map(({ port, mac, mtuBytes }, number) => ({
      name: `network card ${number}`,
      device: new VirtioNet({ port, mac, mtuBytes, later: (task) => void setImmediate(task) }),
    })),
  ];
}

/** The kernel modules that the linux guest loads for such devices. */
export function guestModules({ disks, networks }: GuestDeviceOptions): string[] {
  const { entropy, block, network } = virtioDeviceId;
  return modulesFor([entropy, ...(disks.length > 0 ? [block] : []), ...(networks.length > 0 ? [network] : [])]);
}
