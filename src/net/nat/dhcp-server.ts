/** Gives guests their addresses. Source: RFC 2131 4.3. */
import { dhcp, dhcpBroadcastFlag, dhcpMessage, dhcpOption } from '../../spec/net/dhcp.ts';
import { broadcastMac, type MacAddress } from '../frame/address.ts';
import { bytesOf32, type DhcpRequest, readDhcpRequest, writeDhcpReply } from '../frame/dhcp-message.ts';
import { encodeDnsName } from '../frame/dns-message.ts';
import { Leases } from './leases.ts';
import { broadcastAddress, type NatConfig, subnetMask } from './nat-config.ts';

const leaseSeconds = 86_400;
const offerSeconds = 60;
const everybody = 0xffff_ffff;

/** Where an answer goes. */
export interface DhcpAnswer {
  readonly mac: MacAddress;
  readonly address: number;
  readonly message: Uint8Array;
}

export class DhcpServer {
  readonly #config: NatConfig;
  readonly #nowMs: () => number;
  readonly #leases: Leases;
  readonly #options: readonly (readonly [number, Uint8Array])[];

  constructor(config: NatConfig, nowMs: () => number) {
    this.#config = config;
    this.#nowMs = nowMs;
    this.#leases = new Leases(config.subnet, leaseSeconds * 1000, offerSeconds * 1000);
    this.#options = configurationOptions(config);
  }

  /** @param bytes a message to the server's port */
  receive(bytes: Uint8Array): DhcpAnswer | undefined {
    const request = readDhcpRequest(bytes);
    if (request === undefined) return undefined;
    const client = clientName(request);
    const now = this.#nowMs();
    switch (request.messageType) {
      case 0:
        return this.#bootp(request, client, now);
      case dhcpMessage.discover: {
        const address = this.#leases.offer(client, request.requestedAddress, now);
        return address === undefined ? undefined : this.#answer(request, dhcpMessage.offer, address);
      }
      case dhcpMessage.request:
        return this.#request(request, client, now);
      case dhcpMessage.decline:
        if (request.requestedAddress !== undefined) this.#leases.decline(client, request.requestedAddress, now);
        return undefined;
      case dhcpMessage.release:
        this.#leases.release(client);
        return undefined;
      case dhcpMessage.inform:
        return this.#answer(request, dhcpMessage.ack, 0);
      default:
        return undefined;
    }
  }

  #bootp(request: DhcpRequest, client: string, now: number): DhcpAnswer | undefined {
    const address = this.#leases.offer(client, undefined, now);
    if (address === undefined || !this.#leases.request(client, address, now)) return undefined;
    return this.#answer(request, 0, address);
  }

  #request(request: DhcpRequest, client: string, now: number): DhcpAnswer | undefined {
    if (request.serverId !== undefined && request.serverId !== this.#config.subnet.gateway) {
      // It took another server's offer.
      this.#leases.release(client);
      return undefined;
    }
    const address = request.requestedAddress ?? request.clientAddress;
    if (!this.#leases.request(client, address, now)) return this.#answer(request, dhcpMessage.nak, 0);
    return this.#answer(request, dhcpMessage.ack, address);
  }

  #answer(request: DhcpRequest, messageType: number, yourAddress: number): DhcpAnswer {
    const { gateway } = this.#config.subnet;
    const refused = messageType === dhcpMessage.nak;
    const server = [dhcpOption.serverId, bytesOf32(gateway)] as const;
    const lease = yourAddress === 0 ? [] : leaseOptions;
    const options = refused ? [server] : [server, ...lease, ...this.#options];
    const message = writeDhcpReply(request, { messageType, yourAddress, serverAddress: gateway, options });
    if (refused) return { mac: broadcastMac, address: everybody, message };
    if (request.clientAddress !== 0) return { mac: request.clientMac, address: request.clientAddress, message };
    if ((request.flags & dhcpBroadcastFlag) !== 0) return { mac: broadcastMac, address: everybody, message };
    return { mac: request.clientMac, address: yourAddress, message };
  }
}

/** RFC 2131 4.4.5: renew after a half, ask anybody after seven eighths. */
const leaseOptions = [
  [dhcpOption.leaseTime, bytesOf32(leaseSeconds)],
  [dhcpOption.renewalTime, bytesOf32(leaseSeconds / 2)],
  [dhcpOption.rebindingTime, bytesOf32((leaseSeconds * 7) / 8)],
] as const;

function configurationOptions(config: NatConfig): (readonly [number, Uint8Array])[] {
  const { subnet, hostName, searchDomains, mtuBytes } = config;
  const options: (readonly [number, Uint8Array])[] = [
    [dhcpOption.subnetMask, bytesOf32(subnetMask(subnet))],
    [dhcpOption.broadcastAddress, bytesOf32(broadcastAddress(subnet))],
    [dhcpOption.interfaceMtu, Uint8Array.of(mtuBytes >>> 8, mtuBytes & 0xff)],
  ];
  if (!config.restricted) {
    options.push([dhcpOption.router, bytesOf32(subnet.gateway)], [dhcpOption.dnsServers, bytesOf32(subnet.dns)]);
  }
  if (hostName !== undefined) options.push([dhcpOption.hostName, ascii(hostName)]);
  const first = searchDomains[0];
  if (first !== undefined) options.push([dhcpOption.domainName, ascii(first)]);
  const names = searchDomains.flatMap((domain) => [...(encodeDnsName(domain) ?? [])]);
  if (names.length > 0) options.push([dhcpOption.domainSearch, Uint8Array.from(names)]);
  return options;
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0) & 0x7f);
}

function clientName({ clientId, clientMac }: DhcpRequest): string {
  return String(clientId ?? clientMac);
}

/** Whether a datagram is for the server. */
export function isForDhcpServer(config: NatConfig, destination: number, port: number): boolean {
  const { subnet } = config;
  return (
    port === dhcp.serverPort &&
    (destination === everybody || destination === subnet.gateway || destination === broadcastAddress(subnet))
  );
}
