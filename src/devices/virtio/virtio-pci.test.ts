/** The registers of a virtio PCI function, through configuration space and BARs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { msix, pciCapability, pciConfig, pciStatus } from '../../spec/pc/pci.ts';
import { virtioCapability, virtioCommon, virtioIsr, virtioNoVector } from '../../spec/virtio/pci.ts';
import { virtioFeature, virtioStatus } from '../../spec/virtio/virtio.ts';
import { rubbish } from '../testing/test-board.ts';
import { EchoDevice } from './testing/echo-device.ts';
import { TestMachine, turn } from './testing/test-machine.ts';
import { structure } from './virtio-capabilities.ts';

const { acknowledge, driver, driverOk, featuresOk, needsReset } = virtioStatus;

interface Capability {
  readonly id: number;
  readonly at: number;
}

function capabilities({ pci }: TestMachine): Capability[] {
  const found: Capability[] = [];
  for (let at = pci.pciFunction.readConfig(pciConfig.capabilities, 1); at !== 0; ) {
    found.push({ id: pci.pciFunction.readConfig(at, 1), at });
    at = pci.pciFunction.readConfig(at + 1, 1);
  }
  return found;
}

test('a modern device: identity and capabilities', () => {
  const bench = new TestMachine(new EchoDevice([8, 16], { deviceId: 2, classCode: 0x018000 }));
  const read = (at: number, size: 1 | 2 | 4): number => bench.pci.pciFunction.readConfig(at, size);
  assert.equal(read(0, 4), 0x1042_1af4);
  assert.equal(read(8, 4), 0x0180_0001);
  assert.notEqual(read(pciConfig.status, 2) & pciStatus.capabilities, 0);
  const vendor = capabilities(bench).filter(({ id }) => id === pciCapability.vendor);
  const described = vendor.map(({ at }) => [read(at + 3, 1), read(at + 4, 1), read(at + 8, 4), read(at + 12, 4)]);
  assert.deepEqual(described, [
    [virtioCapability.common, 0, 0, 0x38],
    [virtioCapability.isr, 0, 0x1000, 1],
    [virtioCapability.notify, 0, 0x3000, 8],
    [virtioCapability.device, 0, 0x2000, 8],
    [virtioCapability.pciAccess, 0, 0, 0],
  ]);
  for (const { at } of vendor) assert.equal(read(at + 2, 1), read(at + 3, 1) === 2 || read(at + 3, 1) === 5 ? 20 : 16);
});

test('features: offered in two halves, refused where nobody offered them or VERSION_1 is missing', () => {
  const bench = new TestMachine(new EchoDevice([8], { features: 5n }));
  const { version1, indirectDescriptors, eventIndex } = virtioFeature;
  assert.equal(bench.offeredFeatures(), 5n | version1 | indirectDescriptors | eventIndex);
  bench.write(virtioCommon.deviceFeatureSelect, 4, 2);
  assert.equal(bench.read(virtioCommon.deviceFeature, 4), 0);
  assert.equal(bench.negotiate(5n), false);
  bench.status = 0;
  assert.equal(bench.negotiate(version1 | 2n), false);
  bench.status = acknowledge | driver | featuresOk | driverOk;
  assert.equal(bench.status & driverOk, 0, 'no DRIVER_OK without FEATURES_OK');
  bench.status = 0;
  assert.equal(bench.negotiate(version1 | 4n), true);
  bench.write(virtioCommon.driverFeatureSelect, 4, 0);
  bench.write(virtioCommon.driverFeature, 4, 1);
  assert.equal(bench.read(virtioCommon.driverFeature, 4), 4, 'what was agreed on stays');
});

test('the device starts at DRIVER_OK, with what was negotiated and the queues that are enabled', async () => {
  const device = new EchoDevice([8, 8], { features: 5n });
  const bench = new TestMachine(device);
  bench.negotiate(virtioFeature.version1 | 1n);
  bench.setUpQueue(1, 4);
  await turn();
  assert.equal(device.starts, 0);
  bench.status = acknowledge | driver | featuresOk | driverOk;
  await turn();
  assert.equal(device.starts, 1);
  assert.equal(device.features, virtioFeature.version1 | 1n);
  bench.ring(0);
  bench.ring(1);
  bench.ring(7);
  await turn();
  assert.deepEqual(bench.reports, []);
});

test('queue registers: sizes are powers of two up to the largest, vectors exist, an enabled queue stays', () => {
  const bench = new TestMachine(new EchoDevice([16]));
  bench.write(virtioCommon.queueSelect, 2, 0);
  assert.equal(bench.read(virtioCommon.queueSize, 2), 16);
  for (const size of [0, 3, 32]) bench.write(virtioCommon.queueSize, 2, size);
  assert.equal(bench.read(virtioCommon.queueSize, 2), 16);
  bench.write(virtioCommon.queueSize, 2, 8);
  assert.equal(bench.read(virtioCommon.queueSize, 2), 8);
  bench.write(virtioCommon.queueVector, 2, 2);
  assert.equal(bench.read(virtioCommon.queueVector, 2), virtioNoVector);
  bench.write(virtioCommon.queueVector, 2, 1);
  assert.equal(bench.read(virtioCommon.queueVector, 2), 1);
  bench.write(virtioCommon.configVector, 2, 9);
  assert.equal(bench.read(virtioCommon.configVector, 2), virtioNoVector);
  bench.write(virtioCommon.queueDescriptors + 4, 4, 0x8765_4321);
  assert.equal(bench.read(virtioCommon.queueDescriptors + 4, 4), 0x8765_4321);
  bench.write(virtioCommon.queueEnable, 2, 1);
  bench.write(virtioCommon.queueEnable, 2, 0);
  bench.write(virtioCommon.queueSize, 2, 4);
  assert.deepEqual([bench.read(virtioCommon.queueEnable, 2), bench.read(virtioCommon.queueSize, 2)], [1, 8]);
  bench.write(virtioCommon.queueSelect, 2, 1);
  assert.equal(bench.read(virtioCommon.queueSize, 2), 0, 'there is no such queue');
  assert.equal(bench.read(virtioCommon.queueCount, 2), 1);
});

test('accesses of other widths see the bytes of the fields; writes that cover half a field do nothing', () => {
  const bench = new TestMachine(new EchoDevice([16]));
  assert.equal(bench.read(virtioCommon.queueSize, 4), 0xffff_0010);
  assert.equal(bench.read(virtioCommon.queueSize + 1, 1), 0);
  assert.equal(bench.read(virtioCommon.queueCount + 1, 2), 0);
  bench.write(virtioCommon.queueSize, 1, 8);
  assert.equal(bench.read(virtioCommon.queueSize, 2), 16);
  bench.write(virtioCommon.queueSize, 4, 0x0001_0008);
  assert.deepEqual([bench.read(virtioCommon.queueSize, 2), bench.read(virtioCommon.queueVector, 2)], [8, 1]);
});

test('a reset shows the old status until the device has stopped, and nothing else is taken until then', async () => {
  const device = new EchoDevice([8]);
  const bench = new TestMachine(device);
  const [queue] = await bench.bringUp(0n);
  const gate = Promise.withResolvers<void>();
  device.stopped = gate.promise;
  device.hold = true;
  queue?.add([], [1]);
  queue?.ring();
  await turn();
  bench.status = 0;
  await turn();
  assert.equal(bench.status, acknowledge | driver | featuresOk | driverOk);
  bench.status = acknowledge;
  gate.resolve();
  await turn();
  assert.equal(bench.status, 0);
  device.release();
  await turn();
  assert.equal(queue?.usedIndex, 0, 'what was in flight is forgotten');
  assert.equal(device.starts, 1);
  await bench.bringUp(0n);
  assert.equal(device.starts, 2);
});

test('a device that nobody started resets at once', () => {
  const bench = new TestMachine(new EchoDevice([8]));
  bench.negotiate(virtioFeature.version1);
  bench.status = 0;
  assert.equal(bench.status, 0);
});

test('a status of 0 right behind DRIVER_OK', async () => {
  const device = new EchoDevice([8]);
  const bench = new TestMachine(device);
  bench.negotiate(virtioFeature.version1);
  bench.setUpQueue(0, 8);
  bench.status = acknowledge | driver | featuresOk | driverOk;
  bench.status = 0;
  await turn();
  assert.deepEqual([bench.status, device.starts], [0, 0]);
});

test('configuration: readable, writable only where the device says so, told to the device', async () => {
  const config = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const device = new EchoDevice([8], { config, writableConfig: { offset: 4, length: 2 } });
  const bench = new TestMachine(device);
  await bench.bringUp(0n);
  assert.equal(bench.read(structure.device, 4), 0x0403_0201);
  assert.equal(bench.read(structure.device + 6, 4), 0xffff_0807);
  bench.write(structure.device + 2, 4, 0xdead_beef);
  assert.equal(bench.read(structure.device, 4), 0x0403_0201);
  assert.equal(bench.read(structure.device + 4, 4), 0x0807_dead);
  await turn();
  assert.equal(device.configWrites, 1);
  assert.deepEqual([...(device.transport?.readConfig() ?? [])], [1, 2, 3, 4, 0xad, 0xde, 7, 8]);
});

test('a configuration change: new bytes, another generation, an interrupt', async () => {
  const device = new EchoDevice([8]);
  const bench = new TestMachine(device);
  device.transport?.updateConfig(0, Uint8Array.of(7));
  await bench.bringUp(0n);
  assert.deepEqual(bench.messages, [], 'nobody to tell before the driver is up');
  const before = bench.read(virtioCommon.configGeneration, 1);
  device.transport?.updateConfig(4, Uint8Array.of(9, 9));
  assert.notEqual(bench.read(virtioCommon.configGeneration, 1), before);
  assert.deepEqual([bench.read(structure.device, 1), bench.read(structure.device + 4, 2)], [7, 0x0909]);
  assert.deepEqual(bench.messages, [0]);
});

test('without MSI-X the interrupt pin is up until the ISR is read', async () => {
  const device = new EchoDevice([8]);
  const bench = new TestMachine(device);
  const [queue] = await bench.bringUp(0n);
  const at = capabilities(bench).find(({ id }) => id === pciCapability.msix)?.at ?? 0;
  bench.pci.pciFunction.writeConfig(at + msix.control, 2, 0);
  await queue?.exchange([], [1]);
  assert.equal(bench.irq.level, true);
  device.transport?.updateConfig(0, Uint8Array.of(1));
  assert.equal(bench.read(structure.isr, 1), virtioIsr.queue | virtioIsr.config);
  assert.equal(bench.irq.level, false);
  assert.equal(bench.read(structure.isr, 1), 0);
  assert.deepEqual(bench.messages, []);
  await queue?.exchange([], [1]);
  assert.equal(bench.irq.level, true);
  bench.status = 0;
  assert.equal(bench.irq.level, false, 'a reset takes it back');
});

test('registers through the window in configuration space', () => {
  const bench = new TestMachine(new EchoDevice([8, 8, 8]));
  const { pciFunction } = bench.pci;
  const at = capabilities(bench).at(-1)?.at ?? 0;
  const point = (bar: number, offset: number, length: number): void => {
    pciFunction.writeConfig(at + 4, 1, bar);
    pciFunction.writeConfig(at + 8, 4, offset);
    pciFunction.writeConfig(at + 12, 4, length);
  };
  point(0, virtioCommon.queueCount, 2);
  assert.equal(pciFunction.readConfig(at + 16, 2), 3);
  point(0, virtioCommon.deviceStatus, 1);
  pciFunction.writeConfig(at + 16, 1, acknowledge);
  assert.equal(bench.status, acknowledge);
  for (const [bar, offset, length] of [
    [1, 0, 4],
    [0, 0, 3],
    [0, 2, 4],
    [0, structure.barBytes, 4],
    [0, 0xffff_fffc, 4],
  ] as const) {
    point(bar, offset, length);
    pciFunction.writeConfig(at + 16, 4, 0);
    assert.equal(bench.status, acknowledge);
  }
});

test('rubbish in every register, then a driver that behaves', async () => {
  const bench = new TestMachine(new EchoDevice([8], { writableConfig: { offset: 0, length: 8 } }));
  const values = [...rubbish(99, 30_000)];
  for (let n = 0; n + 2 < values.length; n += 3) {
    const [where = 0, what = 0, how = 0] = values.slice(n, n + 3);
    const size = ([1, 2, 4] as const)[how % 3] ?? 1;
    const offset = (where % 2 === 0 ? where % 0x40 : where % (structure.barBytes - 4)) & ~(size - 1);
    if (how % 7 === 0) bench.read(offset, size);
    // Small values mean something more often.
    else bench.write(offset, size, what >>> (how % 32));
    if (n % 1000 === 0) await turn();
  }
  bench.status = 0;
  await turn();
  assert.equal(bench.status & needsReset, 0);
  bench.messages.length = 0;
  const [queue] = await bench.bringUp(0n);
  assert.equal((await queue?.exchange([Uint8Array.of(1)], [1]))?.written, 1);
  assert.deepEqual(bench.messages, [1]);
});
