/**
 * A QEMU joins a switch of ours as it joins another QEMU's (`-netdev stream`), and the network boot code of its card,
 * which nobody here wrote, gets an address from the NAT and makes it known.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openNetworks } from '../../src/host/node/net/network.ts';
import { formatIpv4, formatMac } from '../../src/net/frame/address.ts';
import { readArpPacket } from '../../src/net/frame/arp-packet.ts';
import { read16 } from '../../src/net/frame/bytes.ts';

const qemu = 'qemu-system-x86_64';
const rom = '/usr/lib/ipxe/qemu/pxe-e1000.rom';
const mac = '52:54:00:aa:bb:cc';

function reasonToSkip(): string | false {
  if (spawnSync(qemu, ['--version']).error !== undefined) return `${qemu} is not installed`;
  return existsSync(rom) ? false : 'the network boot code for QEMU (ipxe-qemu) is not installed';
}

const user = { forwards: [], allowLoopback: false, allowLinkLocal: false, restricted: false, hostName: undefined };

test('iPXE in a QEMU gets an address through a shared switch', { skip: reasonToSkip(), timeout: 240_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'corbel-ipxe-'));
  const path = join(folder, 'lan');
  const rate = { toPort: undefined, fromPort: undefined };
  const backend = { kind: 'switch', path, vlan: undefined, user } as const;
  const networks = await openNetworks([{ backend, mac: undefined, rate, mtuBytes: 1500 }], undefined, () => {});
  assert.ok(networks.ok);
  const announced = Promise.withResolvers<string>();
  networks.value.all[0]?.port.connect({
    send: (frame) => {
      const packet = read16(frame, 12) === 0x0806 ? readArpPacket(frame, 14) : undefined;
      if (packet !== undefined && formatMac(packet.senderMac) === mac) {
        announced.resolve(formatIpv4(packet.senderAddress));
      }
      return true;
    },
    resume: () => {},
  });
  const peer = spawn(
    qemu,
    [
      ...['-nodefaults', '-display', 'none', '-accel', 'tcg', '-m', '64', '-boot', 'n', '-device', 'VGA'],
      ...['-netdev', `stream,id=lan,server=off,addr.type=unix,addr.path=${path}`],
      ...['-device', `e1000,netdev=lan,mac=${mac},romfile=${rom}`],
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const ended = once(peer, 'close').then(() => 'QEMU ended');
  try {
    assert.equal(await Promise.race([announced.promise, ended]), '10.0.2.15');
  } finally {
    peer.kill();
    await ended;
    networks.value.close();
    await rm(folder, { recursive: true });
  }
});
