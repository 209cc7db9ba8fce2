/** The virtio devices of a guest, made anew for each run of it. */
import { randomFillSync } from 'node:crypto';
import type { DiskFailure } from '../../block/disk-failure.ts';
import { VirtioBlock } from '../../devices/virtio/block.ts';
import { VirtioEntropy } from '../../devices/virtio/entropy.ts';
import { VirtioNinep } from '../../devices/virtio/ninep.ts';
import type { VirtioDevice } from '../../devices/virtio/virtio-device.ts';
import { VirtioVsock } from '../../devices/virtio/vsock.ts';
import { NinepSession } from '../../ninep/session.ts';
import { virtioDeviceId } from '../../spec/virtio/virtio.ts';
import type { OpenDisk } from './disks.ts';
import { modulesFor } from './guest/linux-modules.ts';
import type { OpenShare } from './shared-folder/shares.ts';
import type { VsockSockets } from './vsock/vsock-sockets.ts';

export interface GuestDevice {
  /** What messages call it. */
  readonly name: string;
  readonly device: VirtioDevice;
}

export interface GuestDeviceOptions {
  readonly disks: readonly OpenDisk[];
  readonly shares: readonly OpenShare[];
  readonly vsock: VsockSockets | undefined;
}

/** What devices ask of the run that they are part of. */
export interface DeviceHooks {
  /** The host has no room for what the guest writes to a disk. Resolves when it is worth another try. */
  noSpace(disk: string, failure: DiskFailure): Promise<void>;
}

/** Queues of a disk: as many processors of a guest can send requests without waiting for each other. */
const diskQueues = 4;

/** The order is that of the PCI device numbers: what is always there first, so that the others find their place again. */
export function createGuestDevices(options: GuestDeviceOptions, hooks: DeviceHooks): GuestDevice[] {
  const { disks, shares, vsock } = options;
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
    ...shares.map(({ spec, tree }) => ({
      name: `folder ${spec.tag}`,
      device: new VirtioNinep({ tag: spec.tag, open: () => new NinepSession(tree, spec) }),
    })),
    ...(vsock === undefined ? [] : [{ name: 'vsock', device: createVsock(vsock) }]),
  ];
}

function createVsock(sockets: VsockSockets): VirtioVsock {
  const device = new VirtioVsock(sockets.guestCid, sockets);
  sockets.attach(device);
  return device;
}

/** The kernel modules that the linux guest loads for such devices. */
export function guestModules({ disks, shares, vsock }: GuestDeviceOptions): string[] {
  const { entropy, block, fileSystem9p, socket } = virtioDeviceId;
  return modulesFor([
    entropy,
    ...(disks.length > 0 ? [block] : []),
    ...(shares.length > 0 ? [fileSystem9p] : []),
    ...(vsock === undefined ? [] : [socket]),
  ]);
}
