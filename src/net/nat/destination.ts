/** Where a guest's packets may go. */
import { ipv4Address } from '../frame/address.ts';
import { isInSubnet, type NatConfig } from './nat-config.ts';

const loopback = ipv4Address(127, 0, 0, 1);

const inBlock = (address: number, network: number, prefixBits: number): boolean =>
  address >>> (32 - prefixBits) === network >>> (32 - prefixBits);

/** The host's loopback network: on the guests' side the gateway stands for it. */
export function isLoopback(address: number): boolean {
  return inBlock(address, loopback, 8);
}

/**
 * The host's address for what a guest calls `destination`.
 * @returns undefined where guests may not go: "this host" (0.0.0.0/8, which sockets take for loopback), loopback,
 * groups and the reserved block, and what the configuration closes
 */
export function hostDestination(config: NatConfig, destination: number): number | undefined {
  if (config.restricted) return undefined;
  if (destination === config.subnet.gateway) return config.allowLoopback ? loopback : undefined;
  if (isInSubnet(config.subnet, destination)) return undefined;
  if (inBlock(destination, 0, 8) || isLoopback(destination)) return undefined;
  if (destination >>> 29 === 0b111) return undefined;
  if (inBlock(destination, ipv4Address(169, 254, 0, 0), 16) && !config.allowLinkLocal) return undefined;
  return destination;
}
