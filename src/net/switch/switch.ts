/** A learning Ethernet switch with VLANs. Source: IEEE 802.1Q 8.6 to 8.8; no spanning tree, so loops must not be built. */
import { bridgeReserved, ethernet, groupBit, vlanTag } from '../../spec/net/ethernet.ts';
import { read16, read32 } from '../frame/bytes.ts';
import type { Frame, FrameSink, NetPort, Offload } from '../port.ts';
import { MacTable } from './mac-table.ts';
import { Retagger, taggedVlan } from './vlan-frame.ts';

/**
 * `access`: all that passes is untagged and belongs to one VLAN. `trunk`: untagged frames belong to the native VLAN,
 * tagged ones to that of their tag, and both pass.
 */
export type PortMode = { readonly kind: 'access'; readonly vlan: number } | { readonly kind: 'trunk' };

/** Where frames without a tag belong on a trunk. */
export const nativeVlan = 1;

export const maxSwitchPorts = 256;

class SwitchPort implements NetPort {
  readonly index: number;
  readonly mode: PortMode;
  receiver: FrameSink | undefined;
  /** Whether a frame from here was refused elsewhere, and nobody was told yet that there is room. */
  refused = false;
  readonly #switch: Switch;

  constructor(owner: Switch, index: number, mode: PortMode) {
    this.#switch = owner;
    this.index = index;
    this.mode = mode;
  }

  connect(receiver: FrameSink): void {
    this.receiver = receiver;
  }

  send(frame: Frame, offload?: Offload): boolean {
    return this.#switch.forward(this, frame, offload);
  }

  resume(): void {
    this.#switch.resumeOthers(this);
  }

  close(): void {
    this.#switch.removePort(this);
  }
}

export class Switch {
  readonly #nowMs: () => number;
  readonly #ports: (SwitchPort | undefined)[] = [];
  readonly #table = new MacTable();
  readonly #incoming = new Retagger();
  readonly #outgoing = new Retagger();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** @returns undefined when all ports are taken */
  addPort(mode: PortMode): NetPort | undefined {
    const free = this.#ports.indexOf(undefined);
    const index = free < 0 ? this.#ports.length : free;
    if (index >= maxSwitchPorts) return undefined;
    const port = new SwitchPort(this, index, mode);
    this.#ports[index] = port;
    return port;
  }

  /** Called by ports: a frame has come in. @returns false when the only port it goes to has no room */
  forward(from: SwitchPort, frame: Frame, offload?: Offload): boolean {
    if (frame.length < ethernet.headerBytes || this.#ports[from.index] !== from) return true;
    const tagged = taggedVlan(frame);
    // A tag without a VLAN carries a priority alone, which this switch does not know.
    if (tagged === vlanTag.priorityOnly) {
      const untagged = this.#incoming.untag(frame);
      if (taggedVlan(untagged) === vlanTag.priorityOnly) return true;
      return this.forward(from, untagged, this.#incoming.move(offload, -vlanTag.bytes));
    }
    const vlan = incomingVlan(from.mode, tagged);
    if (vlan < 0 || ((frame[ethernet.source] as number) & groupBit) !== 0 || isReserved(frame)) return true;
    const now = this.#nowMs();
    this.#table.learn(frame, ethernet.source, vlan, from.index, now);
    const isGroup = ((frame[ethernet.destination] as number) & groupBit) !== 0;
    const known = isGroup ? -1 : this.#table.find(frame, ethernet.destination, vlan, now);
    if (known === from.index) return true;
    if (known >= 0) {
      const port = this.#ports[known];
      if (port === undefined || !carries(port.mode, vlan)) return true;
      from.refused = !this.#deliver(port, frame, offload, vlan, tagged >= 0);
      return !from.refused;
    }
    for (const port of this.#ports) {
      if (port !== undefined && port !== from && carries(port.mode, vlan)) {
        this.#deliver(port, frame, offload, vlan, tagged >= 0);
      }
    }
    return true;
  }

  /** Called by ports: what is connected to `port` has room again. */
  resumeOthers(port: SwitchPort): void {
    for (const other of this.#ports) {
      if (other === undefined || other === port || !other.refused) continue;
      other.refused = false;
      other.receiver?.resume();
    }
  }

  removePort(port: SwitchPort): void {
    if (this.#ports[port.index] !== port) return;
    this.#ports[port.index] = undefined;
    this.#table.forget(port.index);
  }

  #deliver(port: SwitchPort, frame: Frame, offload: Offload | undefined, vlan: number, tagged: boolean): boolean {
    const { receiver } = port;
    if (receiver === undefined) return true;
    const wantsTag = port.mode.kind === 'trunk' && vlan !== nativeVlan;
    if (wantsTag === tagged) return receiver.send(frame, offload);
    if (wantsTag) return receiver.send(this.#outgoing.tag(frame, vlan), this.#outgoing.move(offload, vlanTag.bytes));
    return receiver.send(this.#outgoing.untag(frame), this.#outgoing.move(offload, -vlanTag.bytes));
  }
}

/** The VLAN that a frame belongs to where it comes in, or -1 where it must not. */
function incomingVlan(mode: PortMode, tagged: number): number {
  const own = mode.kind === 'access' ? mode.vlan : nativeVlan;
  if (tagged < 0) return own;
  if (mode.kind === 'access' || tagged > vlanTag.last) return -1;
  return tagged;
}

function carries(mode: PortMode, vlan: number): boolean {
  return mode.kind === 'trunk' || mode.vlan === vlan;
}

/** Addresses of protocols between bridges, which end at each bridge. */
function isReserved(frame: Frame): boolean {
  const at = ethernet.destination;
  return (
    read16(frame, at) === bridgeReserved.high &&
    (read32(frame, at + 2) & bridgeReserved.lowMask) >>> 0 === bridgeReserved.low
  );
}
