/** Builds what stands behind a guest's network card. */
import { capture } from '../../../net/capture.ts';
import type { MacAddress } from '../../../net/frame/address.ts';
import { Nat } from '../../../net/nat/nat.ts';
import { defaultSubnet, type NatConfig, type PortForward } from '../../../net/nat/nat-config.ts';
import type { NetPort } from '../../../net/port.ts';
import { limitRate, type RateLimits } from '../../../net/rate-limit.ts';
import type { Switch } from '../../../net/switch/switch.ts';
import { fail, ok, type Result } from '../../../support/result.ts';
import { randomBytes } from '../random.ts';
import { CaptureFile } from './capture-file.ts';
import { createHostNetwork } from './host-sockets.ts';
import { nodeNetClock } from './net-clock.ts';
import { Resolver } from './resolver.ts';
import { SharedSwitch } from './shared-switch.ts';
import { TapDevice } from './tap-device.ts';

export interface UserNetworkOptions {
  readonly forwards: readonly PortForward[];
  readonly allowLoopback: boolean;
  readonly allowLinkLocal: boolean;
  readonly restricted: boolean;
  readonly hostName: string | undefined;
}

/** What a card is plugged into. `user` together with `switch`: the machine in the middle also gives the NAT. */
export type NetBackend =
  | { readonly kind: 'user'; readonly user: UserNetworkOptions }
  | {
      readonly kind: 'switch';
      readonly path: string;
      readonly user: UserNetworkOptions | undefined;
      readonly vlan: number | undefined;
    }
  | { readonly kind: 'tap'; readonly name: string };

export interface NetworkOptions {
  readonly backend: NetBackend;
  /** The card's address; undefined: one is chosen. */
  readonly mac: MacAddress | undefined;
  readonly rate: RateLimits;
  readonly mtuBytes: number;
}

/** A network that is up. It outlives the guest's reboots. */
export interface Network {
  /** Whether somebody on it gives addresses to guests. */
  readonly hasDhcp: boolean;
  readonly mac: MacAddress;
  readonly mtuBytes: number;
  /** The end of the cable for the card. */
  readonly port: NetPort;
  close(): void;
}

/** What messages of a network are about that is not an error. */
export type NetworkNotice = (text: string) => void;

/** @param recording records what passes */
async function openNetwork(
  options: NetworkOptions,
  index: number,
  recording: CaptureFile | undefined,
  notice: NetworkNotice,
): Promise<Result<Network>> {
  const opened = await openBackend(options, notice);
  if (!opened.ok) return opened;
  const { rate, mtuBytes } = options;
  let { port } = opened.value;
  if (rate.fromPort !== undefined || rate.toPort !== undefined) port = limitRate(port, rate, nodeNetClock);
  if (recording !== undefined) port = capture(port, (bytes) => recording.write(bytes), nodeNetClock);
  const mac = options.mac ?? chooseMac(options.backend, index);
  const close = (): void => {
    port.close();
    opened.value.close();
  };
  return ok({ hasDhcp: hasNat(options.backend), mac, mtuBytes, port, close });
}

function hasNat(backend: NetBackend): boolean {
  return backend.kind === 'user' || (backend.kind === 'switch' && backend.user !== undefined);
}

/**
 * The address that QEMU's users know where nobody else can have it; a random one, under the same prefix, where other
 * machines are.
 */
function chooseMac(backend: NetBackend, index: number): MacAddress {
  if (backend.kind === 'user') return Uint8Array.of(0x52, 0x54, 0x00, 0x12, 0x34, 0x56 + index);
  return Uint8Array.of(0x52, 0x54, 0x00, ...randomBytes(3));
}

interface OpenBackend {
  readonly port: NetPort;
  close(): void;
}

async function openBackend(options: NetworkOptions, notice: NetworkNotice): Promise<Result<OpenBackend>> {
  const { backend, mtuBytes } = options;
  switch (backend.kind) {
    case 'user': {
      const nat = await openNat(backend.user, mtuBytes);
      return nat.ok ? ok({ port: nat.value, close: () => {} }) : nat;
    }
    case 'tap': {
      const tap = await TapDevice.open(backend.name);
      return tap.ok ? ok({ port: tap.value, close: () => {} }) : tap;
    }
    case 'switch':
      return openSwitch(backend, mtuBytes, notice);
  }
}

async function openNat(user: UserNetworkOptions, mtuBytes: number): Promise<Result<Nat>> {
  const resolver = new Resolver();
  const { searchDomains } = await resolver.configuration();
  const { allowLoopback, allowLinkLocal, restricted, hostName } = user;
  const config: NatConfig = {
    subnet: defaultSubnet,
    hostName,
    searchDomains,
    allowLoopback,
    allowLinkLocal,
    restricted,
    mtuBytes,
  };
  const nat = new Nat(config, createHostNetwork(resolver), nodeNetClock);
  for (const forward of user.forwards) {
    const opened = await nat.forward(forward);
    if (opened.ok) continue;
    nat.close();
    return fail('unavailable', `hostfwd: ${opened.error.message}`);
  }
  return ok(nat);
}

async function openSwitch(
  backend: NetBackend & { kind: 'switch' },
  mtuBytes: number,
  notice: NetworkNotice,
): Promise<Result<OpenBackend>> {
  const { path, user, vlan } = backend;
  const inTheMiddle = (middle: Switch): (() => void) | undefined => {
    if (user === undefined) return undefined;
    return plugNat(middle, user, mtuBytes, notice);
  };
  const opened = await SharedSwitch.open(path, inTheMiddle);
  if (!opened.ok) return opened;
  const shared = opened.value;
  const port = shared.addPort(vlan === undefined ? { kind: 'trunk' } : { kind: 'access', vlan });
  if (!port.ok) return port;
  if (shared.role === 'later' && user !== undefined && user.forwards.length > 0) {
    notice(`another machine has the switch ${path}, and its NAT; hostfwd has no effect here while that lasts.`);
  }
  return ok({ port: port.value, close: () => shared.close() });
}

/** Gives the switch in the middle a NAT. @returns what takes it away again */
function plugNat(middle: Switch, user: UserNetworkOptions, mtuBytes: number, notice: NetworkNotice): () => void {
  let nat: Nat | undefined;
  let gone = false;
  void openNat(user, mtuBytes).then((opened) => {
    if (!opened.ok) {
      notice(opened.error.message);
      return;
    }
    const port = middle.addPort({ kind: 'trunk' });
    if (gone || port === undefined) {
      opened.value.close();
      return;
    }
    nat = opened.value;
    nat.connect(port);
    port.connect(nat);
  });
  return () => {
    gone = true;
    nat?.close();
  };
}

export interface Networks {
  /** In the order of the cards. */
  readonly all: readonly Network[];
  /** Pulls all cables. @returns what went wrong meanwhile, a sentence each */
  close(): string[];
}

/** @param capturePath where everything that passes is recorded, if it is */
export async function openNetworks(
  options: readonly NetworkOptions[],
  capturePath: string | undefined,
  notice: NetworkNotice,
): Promise<Result<Networks>> {
  const recording = capturePath === undefined ? undefined : CaptureFile.open(capturePath);
  if (recording?.ok === false) return recording;
  const all: Network[] = [];
  const close = (): string[] => {
    for (const network of all) network.close();
    const failure = recording?.value.close();
    return failure === undefined ? [] : [`the capture file ${capturePath} is not complete (${failure}).`];
  };
  for (const [index, one] of options.entries()) {
    const opened = await openNetwork(one, index, recording?.value, notice);
    if (!opened.ok) {
      close();
      return opened;
    }
    all.push(opened.value);
  }
  return ok({ all, close });
}
