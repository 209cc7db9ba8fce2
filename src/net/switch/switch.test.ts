import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetPort, Offload } from '../port.ts';
import { ManualNetClock } from '../testing/manual-net-clock.ts';
import { maxSwitchPorts, type PortMode, Switch } from './switch.ts';

const broadcast = 'ffffffffffff';
const station = (n: number): string => `0200000000${n.toString(16).padStart(2, '0')}`;
const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** A frame from one station to another, perhaps with a tag. */
function frame(destination: string, source: string, vlan?: number): Uint8Array {
  const tag = vlan === undefined ? '' : `8100${vlan.toString(16).padStart(4, '0')}`;
  return bytesOf(`${destination}${source}${tag}0800${'ab'.repeat(46)}`);
}

class Station {
  readonly port: NetPort;
  readonly seen: { hex: string; offload: Offload | undefined }[] = [];
  hasRoom = true;
  resumed = 0;

  constructor(middle: Switch, mode: PortMode = { kind: 'trunk' }) {
    const port = middle.addPort(mode);
    assert.ok(port);
    this.port = port;
    port.connect({
      send: (bytes, offload) => {
        if (this.hasRoom) this.seen.push({ hex: hexOf(bytes), offload: offload && { ...offload } });
        return this.hasRoom;
      },
      resume: () => {
        this.resumed++;
      },
    });
  }

  take(): string[] {
    return this.seen.splice(0).map(({ hex }) => hex);
  }
}

function bench(modes: PortMode[] = [{ kind: 'trunk' }, { kind: 'trunk' }, { kind: 'trunk' }]) {
  const clock = new ManualNetClock();
  const middle = new Switch(() => clock.nowMs());
  return { clock, middle, stations: modes.map((mode) => new Station(middle, mode)) as [Station, Station, Station] };
}

const counts = (stations: readonly Station[]): number[] => stations.map((one) => one.take().length);

test('unknown and broadcast go to all others, known to one, and nothing comes back', () => {
  const { stations } = bench();
  const [a, b] = stations;
  a.port.send(frame(station(2), station(1)));
  assert.deepEqual(counts(stations), [0, 1, 1]);
  b.port.send(frame(station(1), station(2)));
  assert.deepEqual(counts(stations), [1, 0, 0]);
  a.port.send(frame(station(2), station(1)));
  assert.deepEqual(counts(stations), [0, 1, 0]);
  a.port.send(frame(broadcast, station(1)));
  a.port.send(frame('01005e000001', station(1)));
  assert.deepEqual(counts(stations), [0, 2, 2]);
  a.port.send(frame(station(1), station(7)));
  assert.deepEqual(counts(stations), [0, 0, 0], 'both behind one port');
});

test('a station that moves is found at its new port; one that is silent is forgotten', () => {
  const { stations, clock } = bench();
  const [a, b, c] = stations;
  a.port.send(frame(broadcast, station(1)));
  c.port.send(frame(broadcast, station(1)));
  counts(stations);
  b.port.send(frame(station(1), station(2)));
  assert.deepEqual(counts(stations), [0, 0, 1]);
  clock.advance(301_000);
  b.port.send(frame(station(1), station(2)));
  assert.deepEqual(counts(stations), [1, 0, 1]);
  b.port.send(frame(station(2), station(3)));
  b.port.close();
  a.port.send(frame(station(2), station(1)));
  assert.deepEqual(counts(stations), [0, 0, 1], 'so is one whose cable was pulled');
  b.port.send(frame(broadcast, station(2)));
  assert.deepEqual(counts(stations), [0, 0, 0], 'a pulled cable carries nothing');
});

test('a storm of made-up addresses takes no memory, and stations that speak are still found', () => {
  const { stations } = bench();
  const [a, b] = stations;
  for (let i = 0; i < 50_000; i++) {
    const source = `02${i.toString(16).padStart(10, '0')}`;
    a.port.send(frame('020000000099', source));
  }
  b.port.send(frame(broadcast, station(2)));
  counts(stations);
  a.port.send(frame(station(2), station(1)));
  assert.deepEqual(counts(stations), [0, 1, 0]);
});

test('VLANs are apart, also where the same address is in both', () => {
  const modes: PortMode[] = [
    { kind: 'access', vlan: 10 },
    { kind: 'access', vlan: 10 },
    { kind: 'access', vlan: 20 },
  ];
  const { stations, middle } = bench(modes);
  const [a, b, c] = stations;
  const d = new Station(middle, { kind: 'access', vlan: 20 });
  c.port.send(frame(broadcast, station(2)));
  assert.deepEqual(counts([...stations, d]), [0, 0, 0, 1]);
  b.port.send(frame(broadcast, station(2)));
  assert.deepEqual(counts([...stations, d]), [1, 0, 0, 0]);
  a.port.send(frame(station(2), station(1)));
  d.port.send(frame(station(2), station(4)));
  assert.deepEqual(counts([...stations, d]), [0, 1, 1, 0]);
});

test('a trunk carries tags; access ports neither see nor send them', () => {
  const { stations } = bench([{ kind: 'access', vlan: 10 }, { kind: 'trunk' }, { kind: 'access', vlan: 1 }]);
  const [access, trunk, native] = stations;
  access.port.send(frame(broadcast, station(1)));
  assert.deepEqual(trunk.take(), [hexOf(frame(broadcast, station(1), 10))]);
  trunk.port.send(frame(broadcast, station(2), 10));
  assert.deepEqual(access.take(), [hexOf(frame(broadcast, station(2)))]);
  assert.deepEqual(native.take(), []);
  trunk.port.send(frame(broadcast, station(2)));
  assert.deepEqual(native.take(), [hexOf(frame(broadcast, station(2)))], 'untagged is VLAN 1');
  trunk.port.send(frame(broadcast, station(2), 1));
  assert.deepEqual(native.take(), [hexOf(frame(broadcast, station(2)))]);
  access.port.send(frame(broadcast, station(1), 10));
  trunk.port.send(frame(broadcast, station(2), 4095));
  assert.deepEqual(counts(stations), [0, 0, 0], 'a tag on an access port, and a VLAN that there is not');
  access.port.send(frame(broadcast, station(1), 0));
  assert.deepEqual(trunk.take(), [hexOf(frame(broadcast, station(1), 10))], 'a priority tag is none');
});

test('what is left to do on a frame moves with its content', () => {
  const { stations } = bench([{ kind: 'access', vlan: 10 }, { kind: 'trunk' }, { kind: 'trunk' }]);
  const [access, trunk] = stations;
  const offload = { checksumStart: 34, checksumOffset: 16, segmentBytes: 1460 };
  access.port.send(frame(broadcast, station(1)), offload);
  assert.deepEqual(trunk.seen.pop()?.offload, { ...offload, checksumStart: 38 });
  trunk.port.send(frame(station(1), station(2), 10), { ...offload, checksumStart: 38 });
  assert.deepEqual(access.seen.pop()?.offload, offload);
  trunk.port.send(frame(station(1), station(2), 10), { ...offload, checksumStart: 2 });
  assert.deepEqual(access.seen.pop()?.offload, { ...offload, checksumStart: 0 });
});

test('a port that is full refuses what is for it alone, and says when it has room', () => {
  const { stations } = bench();
  const [a, b, c] = stations;
  b.port.send(frame(broadcast, station(2)));
  b.hasRoom = false;
  assert.equal(a.port.send(frame(station(2), station(1))), false);
  assert.equal(a.port.send(frame(broadcast, station(1))), true);
  b.port.resume();
  assert.deepEqual([a.resumed, b.resumed, c.resumed], [1, 0, 0]);
  b.port.resume();
  assert.equal(a.resumed, 1);
});

test('frames that no bridge forwards', () => {
  const { stations } = bench();
  const [a] = stations;
  a.port.send(frame('0180c2000000', station(1)));
  a.port.send(frame(broadcast, '010000000001'));
  a.port.send(new Uint8Array(13));
  assert.deepEqual(counts(stations), [0, 0, 0]);
  a.port.send(frame('0180c2000010', station(1)));
  a.port.send(bytesOf(`${broadcast}${station(1)}8100`));
  a.port.send(bytesOf(`${broadcast}${station(1)}${'81000000'.repeat(16_000)}`));
  assert.deepEqual(counts(stations), [0, 2, 2], 'a tag that is cut short is no tag');
});

test('ports have a limit, and are free again', () => {
  const middle = new Switch(() => 0);
  const ports = Array.from({ length: maxSwitchPorts }, () => middle.addPort({ kind: 'trunk' }));
  assert.ok(ports.every((port) => port !== undefined));
  assert.equal(middle.addPort({ kind: 'trunk' }), undefined);
  ports[7]?.close();
  ports[7]?.close();
  assert.ok(middle.addPort({ kind: 'trunk' }));
  assert.equal(middle.addPort({ kind: 'trunk' }), undefined);
});
