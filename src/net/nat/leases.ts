/** Which guest has which address: one each, kept for it as long as there are others to give. */
import { broadcastAddress, isGuestAddress, type Subnet } from './nat-config.ts';

/** An address that somebody else was found to use is not given for so long. */
const declinedMs = 600_000;

interface Lease {
  readonly client: string;
  address: number;
  /** Until then it is the client's; afterwards it is given to others if need be. */
  untilMs: number;
}

export class Leases {
  readonly #subnet: Subnet;
  readonly #durationMs: number;
  readonly #offerMs: number;
  readonly #byClient = new Map<string, Lease>();
  readonly #byAddress = new Map<number, Lease>();
  readonly #declinedUntilMs = new Map<number, number>();

  constructor(subnet: Subnet, durationMs: number, offerMs: number) {
    this.#subnet = subnet;
    this.#durationMs = durationMs;
    this.#offerMs = offerMs;
  }

  /** An address to offer. @returns undefined when there is none left */
  offer(client: string, wanted: number | undefined, nowMs: number): number | undefined {
    const known = this.#byClient.get(client);
    if (known !== undefined) {
      known.untilMs = Math.max(known.untilMs, nowMs + this.#offerMs);
      return known.address;
    }
    const address = wanted !== undefined && this.#mayTake(wanted, nowMs) ? wanted : this.#findFree(nowMs);
    if (address === undefined) return undefined;
    const before = this.#byAddress.get(address);
    if (before !== undefined) this.#byClient.delete(before.client);
    const lease = { client, address, untilMs: nowMs + this.#offerMs };
    this.#byClient.set(client, lease);
    this.#byAddress.set(address, lease);
    return address;
  }

  /** The client wants to use `address`. @returns whether it may */
  request(client: string, address: number, nowMs: number): boolean {
    if (this.#byClient.get(client)?.address !== address) {
      if (!this.#mayTake(address, nowMs)) return false;
      this.release(client);
      if (this.offer(client, address, nowMs) !== address) return false;
    }
    const lease = this.#byClient.get(client);
    if (lease !== undefined) lease.untilMs = nowMs + this.#durationMs;
    return true;
  }

  release(client: string): void {
    const lease = this.#byClient.get(client);
    if (lease === undefined) return;
    this.#byClient.delete(client);
    this.#byAddress.delete(lease.address);
  }

  /** The client found that somebody uses the address it was given. */
  decline(client: string, address: number, nowMs: number): void {
    if (this.#byClient.get(client)?.address !== address) return;
    this.release(client);
    this.#declinedUntilMs.set(address, nowMs + declinedMs);
  }

  #mayTake(address: number, nowMs: number): boolean {
    if (!isGuestAddress(this.#subnet, address) || address < this.#subnet.firstGuest) return false;
    if ((this.#declinedUntilMs.get(address) ?? 0) > nowMs) return false;
    return (this.#byAddress.get(address)?.untilMs ?? 0) <= nowMs;
  }

  /** The first address that nobody has had, or else the first that nobody has any more. */
  #findFree(nowMs: number): number | undefined {
    let expired: number | undefined;
    for (let address = this.#subnet.firstGuest; address < broadcastAddress(this.#subnet); address++) {
      if (!this.#mayTake(address, nowMs)) continue;
      if (!this.#byAddress.has(address)) return address;
      expired ??= address;
    }
    return expired;
  }
}
