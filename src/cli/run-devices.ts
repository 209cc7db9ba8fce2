/** Opens what the options of `corbel run` plug into a guest: all of it, or nothing. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeDisks, openDisks } from '../host/node/disks.ts';
import type { GuestDeviceOptions } from '../host/node/guest-devices.ts';
import { type NetworkOptions, openNetworks } from '../host/node/net/network.ts';
import { openPortSockets } from '../host/node/port-socket.ts';
import { openShares } from '../host/node/shared-folder/shares.ts';
import { socketName, vmSocketsFolder } from '../host/node/vms/vm-folders.ts';
import { VsockSockets, type VsockSpec } from '../host/node/vsock/vsock-sockets.ts';
import { ok, type Result } from '../support/result.ts';
import { defaultNetwork } from './net-options.ts';
import type { RunOptions } from './run-options.ts';
import { defaultGuestCid } from './share-options.ts';

export interface RunDevices {
  readonly options: GuestDeviceOptions;
  /** Gives everything back. @returns what is to be said about what did not go well */
  close(): Promise<string[]>;
}

type Closer = () => string[] | Promise<string[]>;

/** Errors: kind `input`, a sentence about what cannot be opened. @param notice takes what is to be said later on */
export async function openDevices(run: RunOptions, notice: (text: string) => void): Promise<Result<RunDevices>> {
  const closers: Closer[] = [];
  const close = async (): Promise<string[]> => {
    const complaints: string[] = [];
    for (const closer of closers.reverse()) complaints.push(...(await closer()));
    return complaints;
  };
  const opened = await openAll(run, notice, closers);
  if (opened.ok) return ok({ options: opened.value, close });
  await close();
  return opened;
}

/** @param closers grows by what gives back what was opened */
async function openAll(
  run: RunOptions,
  notice: (text: string) => void,
  closers: Closer[],
): Promise<Result<GuestDeviceOptions>> {
  const shares = await openShares(run.shares);
  if (!shares.ok) return shares;
  const disks = await openDisks(run.disks);
  if (!disks.ok) return disks;
  closers.push(() => closeDisks(disks.value));
  const networks = await openNetworks(networksOf(run), run.capturePath, notice);
  if (!networks.ok) return networks;
  closers.push(() => networks.value.close());
  const ports = await openPortSockets(run.ports);
  if (!ports.ok) return ports;
  closers.push(() => {
    for (const port of ports.value) port.close();
    return [];
  });
  const vsock = await openVsock(run, closers);
  if (!vsock.ok) return vsock;
  return ok({
    disks: disks.value,
    networks: networks.value.all,
    shares: shares.value,
    vsock: vsock.value,
    ports: ports.value,
    console: run.virtioConsole !== undefined,
    balloon: run.balloonBytes === undefined ? undefined : { bytes: run.balloonBytes },
  });
}

/** A guest with a name has a vsock for its agent, and so has one whose agent is to run a command. */
function vsockOf({ vsock, name, linux, command }: RunOptions, closers: Closer[]): Result<VsockSpec | undefined> {
  // The linux guest's own userland carries no agent.
  if (vsock !== undefined || linux) return ok(vsock);
  if (name === undefined) return ok(command === undefined ? undefined : privateVsock(closers));
  const folder = vmSocketsFolder(name);
  return folder.ok ? ok({ path: join(folder.value, socketName.vsock), guestCid: defaultGuestCid }) : folder;
}

function privateVsock(closers: Closer[]): VsockSpec {
  const folder = mkdtempSync(join(tmpdir(), 'corbel-'));
  closers.push(() => {
    rmSync(folder, { recursive: true, force: true });
    return [];
  });
  return { path: join(folder, socketName.vsock), guestCid: defaultGuestCid };
}

async function openVsock(run: RunOptions, closers: Closer[]): Promise<Result<VsockSockets | undefined>> {
  const spec = vsockOf(run, closers);
  if (!spec.ok) return spec;
  if (spec.value === undefined) return ok(undefined);
  const sockets = new VsockSockets(spec.value);
  const listening = await sockets.listen();
  if (!listening.ok) return listening;
  closers.push(() => {
    sockets.close();
    return [];
  });
  return ok(sockets);
}

/** The linux guest has a network unless it is told otherwise; what another guest would do with one, nobody knows. */
function networksOf({ networks, linux }: RunOptions): readonly NetworkOptions[] {
  return networks ?? (linux ? [defaultNetwork] : []);
}
