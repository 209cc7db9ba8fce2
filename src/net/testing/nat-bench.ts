/** A NAT with a scripted guest on one side and a played host on the other. */

import { Nat } from '../nat/nat.ts';
import { defaultSubnet, type NatConfig } from '../nat/nat-config.ts';
import { FakeHostNetwork } from './fake-host-network.ts';
import { ManualNetClock } from './manual-net-clock.ts';
import { ScriptedGuest } from './scripted-guest.ts';

export const natConfig: NatConfig = {
  subnet: defaultSubnet,
  hostName: undefined,
  searchDomains: [],
  allowLoopback: false,
  allowLinkLocal: false,
  restricted: false,
  mtuBytes: 1500,
};

export function natBench(changes: Partial<NatConfig> = {}) {
  const clock = new ManualNetClock();
  const host = new FakeHostNetwork();
  const nat = new Nat({ ...natConfig, ...changes }, host, clock);
  const guest = new ScriptedGuest(nat);
  /** Lets microtasks and what the NAT deferred run. */
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 10; i++) {
      await Promise.resolve();
      clock.settle();
    }
  };
  return { clock, host, nat, guest, settle };
}
