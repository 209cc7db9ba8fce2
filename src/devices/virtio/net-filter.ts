/** Which frames the driver wants to see. VIRTIO 1.2 5.1.6.5.1 to 5.1.6.5.3. */
import { ethernet, etherType, groupBit, vlanTag } from '../../spec/net/ethernet.ts';
import { virtioNetControl } from '../../spec/virtio/net.ts';

/** Longer tables are not kept; instead all frames of their kind pass. */
const maxAddresses = 256;
const vlanCount = 4096;

const { receiveMode, mac, vlan } = virtioNetControl;

type AddressSet = ReadonlySet<number> | 'all';

export class NetFilter {
  #address: number;
  /** By command; until the driver has said what it wants, it gets everything. */
  readonly #modes: boolean[] = [];
  #unicast: AddressSet = new Set();
  #multicast: AddressSet = new Set();
  /** Undefined: VLANs are not filtered. */
  readonly #vlans: Uint8Array | undefined;

  /** @param filtersVlans whether the driver will say which VLANs it wants, and gets none until then */
  constructor(address: Uint8Array, filtersVlans: boolean) {
    this.#address = addressAt(address, 0);
    this.#modes[receiveMode.promiscuous] = true;
    this.#vlans = filtersVlans ? new Uint8Array(vlanCount) : undefined;
  }

  wants(frame: Uint8Array): boolean {
    return this.#wantsVlan(frame) && (this.#modes[receiveMode.promiscuous] === true || this.#wantsAddress(frame));
  }

  /** Takes a command of the control queue. @returns whether it is one that can be carried out */
  control(kind: number, command: number, data: Uint8Array): boolean {
    switch (kind) {
      case receiveMode.class:
        if (command > receiveMode.noBroadcast || data.length < 1) return false;
        this.#modes[command] = data[0] !== 0;
        return true;
      case mac.class:
        if (command === mac.setTable) return this.#setTable(data);
        if (command !== mac.setAddress || data.length !== ethernet.addressBytes) return false;
        this.#address = addressAt(data, 0);
        return true;
      case vlan.class:
        return this.#setVlan(command, data);
      default:
        return false;
    }
  }

  #wantsAddress(frame: Uint8Array): boolean {
    const address = addressAt(frame, ethernet.destination);
    if (address === broadcast) return this.#modes[receiveMode.noBroadcast] !== true;
    if (((frame[ethernet.destination] as number) & groupBit) !== 0) {
      if (this.#modes[receiveMode.noMulticast] === true) return false;
      return this.#modes[receiveMode.allMulticast] === true || has(this.#multicast, address);
    }
    if (this.#modes[receiveMode.noUnicast] === true) return false;
    return this.#modes[receiveMode.allUnicast] === true || address === this.#address || has(this.#unicast, address);
  }

  #wantsVlan(frame: Uint8Array): boolean {
    if (this.#vlans === undefined || frame.length < ethernet.headerBytes + vlanTag.bytes) return true;
    if ((((frame[vlanTag.at] as number) << 8) | (frame[vlanTag.at + 1] as number)) !== etherType.vlan) return true;
    const control = ((frame[vlanTag.control] as number) << 8) | (frame[vlanTag.control + 1] as number);
    return this.#vlans[control & vlanTag.idMask] === 1;
  }

  /** Two tables, each a count of four bytes and the addresses: unicast, then multicast. */
  #setTable(data: Uint8Array): boolean {
    const unicast = readTable(data, 0);
    const multicast = unicast === undefined ? undefined : readTable(data, unicast.end);
    if (unicast === undefined || multicast === undefined) return false;
    this.#unicast = unicast.addresses;
    this.#multicast = multicast.addresses;
    return true;
  }

  #setVlan(command: number, data: Uint8Array): boolean {
    const id = (data[0] ?? 0) | ((data[1] ?? 0) << 8);
    if (this.#vlans === undefined || data.length < 2 || id >= vlanCount || command > vlan.delete) return false;
    this.#vlans[id] = command === vlan.add ? 1 : 0;
    return true;
  }
}

const broadcast = 0xffff_ffff_ffff;

function addressAt(bytes: Uint8Array, at: number): number {
  let address = 0;
  for (let i = 0; i < ethernet.addressBytes; i++) address = address * 256 + (bytes[at + i] as number);
  return address;
}

function has(set: AddressSet, address: number): boolean {
  return set === 'all' || set.has(address);
}

function readTable(data: Uint8Array, at: number): { addresses: AddressSet; end: number } | undefined {
  if (at + 4 > data.length) return undefined;
  const count = new DataView(data.buffer, data.byteOffset, data.length).getUint32(at, true);
  const end = at + 4 + count * ethernet.addressBytes;
  if (end > data.length) return undefined;
  if (count > maxAddresses) return { addresses: 'all', end };
  const addresses = new Set<number>();
  for (let entry = at + 4; entry < end; entry += ethernet.addressBytes) addresses.add(addressAt(data, entry));
  return { addresses, end };
}
