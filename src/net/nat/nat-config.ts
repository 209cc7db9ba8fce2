/** What a NAT is asked to be. */
import { ipv4Address } from '../frame/address.ts';

export interface Subnet {
  readonly network: number;
  readonly prefixBits: number;
  /** The NAT's own address, and the guests' router. */
  readonly gateway: number;
  /** Where guests ask for names. */
  readonly dns: number;
  /** The first address that is given to a guest; the others follow. */
  readonly firstGuest: number;
}

/** The network that users of QEMU know. */
export const defaultSubnet: Subnet = {
  network: ipv4Address(10, 0, 2, 0),
  prefixBits: 24,
  gateway: ipv4Address(10, 0, 2, 2),
  dns: ipv4Address(10, 0, 2, 3),
  firstGuest: ipv4Address(10, 0, 2, 15),
};

export function subnetMask({ prefixBits }: Subnet): number {
  return (0xffff_ffff << (32 - prefixBits)) >>> 0;
}

export function broadcastAddress(subnet: Subnet): number {
  return (subnet.network | ~subnetMask(subnet)) >>> 0;
}

export function isInSubnet(subnet: Subnet, address: number): boolean {
  return (address & subnetMask(subnet)) >>> 0 === subnet.network;
}

/** Whether a guest may have the address. */
export function isGuestAddress(subnet: Subnet, address: number): boolean {
  return (
    isInSubnet(subnet, address) &&
    address !== subnet.network &&
    address !== broadcastAddress(subnet) &&
    address !== subnet.gateway &&
    address !== subnet.dns
  );
}

/** A port of the host whose connections go to a guest. */
export interface PortForward {
  readonly protocol: 'tcp' | 'udp';
  /** Dotted decimal. */
  readonly hostAddress: string;
  readonly hostPort: number;
  /** The first guest's, unless given. */
  readonly guestAddress: number | undefined;
  readonly guestPort: number;
}

export interface NatConfig {
  readonly subnet: Subnet;
  /** What DHCP calls the guest. */
  readonly hostName: string | undefined;
  readonly searchDomains: readonly string[];
  /** Whether the gateway's address leads to the host's loopback interface. */
  readonly allowLoopback: boolean;
  /** Whether guests reach 169.254.0.0/16, where clouds keep their machines' secrets. */
  readonly allowLinkLocal: boolean;
  /** Nothing but forwarded ports, DHCP and the gateway's echo. */
  readonly restricted: boolean;
  readonly mtuBytes: number;
}
