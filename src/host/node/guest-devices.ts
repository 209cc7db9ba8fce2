/** The virtio devices of a guest, made anew for each run of it. */
import type { DiskFailure } from '../../block/disk-failure.ts';
import { VirtioBalloon } from '../../devices/virtio/balloon.ts';
import { type BlockOptions, VirtioBlock } from '../../devices/virtio/block.ts';
import { VirtioConsole } from '../../devices/virtio/console.ts';
import type { PortOptions } from '../../devices/virtio/console-port.ts';
import { VirtioEntropy } from '../../devices/virtio/entropy.ts';
import { VirtioNet } from '../../devices/virtio/net.ts';
import { VirtioNinep } from '../../devices/virtio/ninep.ts';
import type { VirtioDevice } from '../../devices/virtio/virtio-device.ts';
import { VirtioVsock } from '../../devices/virtio/vsock.ts';
import { NinepSession } from '../../ninep/session.ts';
import { virtioDeviceId } from '../../spec/virtio/virtio.ts';
import type { OpenDisk } from './disks.ts';
import { modulesFor } from './guest/linux-modules.ts';
import type { BalloonTarget } from './guest-balloon.ts';
import type { Network } from './net/network.ts';
import type { PortSocket } from './port-socket.ts';
import { fillRandom } from './random.ts';
import type { OpenShare } from './shared-folder/shares.ts';
import type { VsockSockets } from './vsock/vsock-sockets.ts';

export interface GuestDevice {
  /** What messages call it. */
  readonly name: string;
  readonly device: VirtioDevice;
}

export interface GuestDeviceOptions {
  readonly disks: readonly OpenDisk[];
  readonly networks: readonly Network[];
  readonly shares: readonly OpenShare[];
  readonly vsock: VsockSockets | undefined;
  /** Whether there is a virtio console (hvc0). */
  readonly console: boolean;
  readonly ports: readonly PortSocket[];
  /** Absent: it has no balloon. */
  readonly balloon: BalloonTarget | undefined;
}

export interface GuestDevices {
  readonly all: readonly GuestDevice[];
  /** Sends bytes to hvc0. */
  readonly sendToConsole: (bytes: Uint8Array) => Promise<boolean>;
  readonly balloon: VirtioBalloon | undefined;
}

/** What devices ask of the run that they are part of. */
export interface DeviceHooks {
  /** The host has no room for what the guest writes to a disk; see `BlockOptions.noSpace`. */
  noSpace(disk: string, failure: DiskFailure, retry: () => Promise<boolean>): Promise<void>;
  /** Takes what the guest writes to hvc0. */
  consoleOutput(bytes: Uint8Array): Promise<void>;
  /** Gives whole pages of the guest's RAM back to the host. */
  releaseMemory(ramOffset: number, length: number): void;
}

/** Queues of a disk: as many processors of a guest can send requests without waiting for each other. */
const diskQueues = 4;

/** The order is that of the PCI device numbers: what is always there first, so that the others find their place again. */
export function createGuestDevices(options: GuestDeviceOptions, hooks: DeviceHooks): GuestDevices {
  const all: GuestDevice[] = [{ name: 'entropy', device: new VirtioEntropy(fillRandom) }];
  const balloon =
    options.balloon === undefined
      ? undefined
      : new VirtioBalloon({
          targetBytes: options.balloon.bytes,
          release: (offset, length) => hooks.releaseMemory(offset, length),
        });
  if (balloon !== undefined) all.push({ name: 'balloon', device: balloon });
  const console = createConsole(options, hooks);
  if (console !== undefined) all.push({ name: 'console', device: console });
  options.disks.forEach(({ name, disk }, number) => {
    const serial = `corbel-${number}`;
    const noSpace: BlockOptions['noSpace'] = (failure, retry) => hooks.noSpace(name, failure, retry);
    all.push({ name: `disk ${name}`, device: new VirtioBlock({ disk, serial, queues: diskQueues, noSpace }) });
  });
  options.networks.forEach(({ port, mac, mtuBytes }, number) => {
    const device = new VirtioNet({ port, mac, mtuBytes, later: (task) => void setImmediate(task) });
    all.push({ name: `network card ${number}`, device });
  });
  for (const { spec, tree } of options.shares) {
    const open = (): NinepSession => new NinepSession(tree, spec);
    all.push({ name: `folder ${spec.tag}`, device: new VirtioNinep({ tag: spec.tag, open }) });
  }
  if (options.vsock !== undefined) all.push({ name: 'vsock', device: createVsock(options.vsock) });
  return { all, sendToConsole: (bytes) => console?.send(0, bytes) ?? Promise.resolve(false), balloon };
}

function createVsock(sockets: VsockSockets): VirtioVsock {
  const device = new VirtioVsock(sockets.guestCid, sockets);
  sockets.attach(device);
  return device;
}

/** hvc0 is port 0 if it is there at all. */
function createConsole({ console, ports }: GuestDeviceOptions, hooks: DeviceHooks): VirtioConsole | undefined {
  if (!console && ports.length === 0) return undefined;
  const first: PortOptions[] = console
    ? [{ name: '', console: true, receive: (bytes) => hooks.consoleOutput(bytes) }]
    : [];
  const device = new VirtioConsole([
    ...first,
    ...ports.map((port) => ({ name: port.name, console: false, receive: (bytes: Uint8Array) => port.receive(bytes) })),
  ]);
  ports.forEach((port, n) => {
    const number = first.length + n;
    port.attach({
      send: (bytes) => device.send(number, bytes),
      setHostOpen: (open) => device.setHostOpen(number, open),
    });
  });
  return device;
}

/** The kernel modules that the linux guest loads for such devices. */
export function guestModules({
  disks,
  networks,
  shares,
  vsock,
  console,
  ports,
  balloon,
}: GuestDeviceOptions): string[] {
  const ids: number[] = [virtioDeviceId.entropy];
  if (disks.length > 0) ids.push(virtioDeviceId.block);
  if (networks.length > 0) ids.push(virtioDeviceId.network);
  if (shares.length > 0) ids.push(virtioDeviceId.fileSystem9p);
  if (vsock !== undefined) ids.push(virtioDeviceId.socket);
  if (console || ports.length > 0) ids.push(virtioDeviceId.console);
  if (balloon !== undefined) ids.push(virtioDeviceId.balloon);
  return modulesFor(ids);
}
