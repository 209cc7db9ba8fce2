import assert from 'node:assert/strict';
import { test } from 'node:test';
import { msix, pciCapability, pciCommand, pciConfig } from '../../spec/pc/pci.ts';
import { Msix } from './msix.ts';
import { PciFunction } from './pci-function.ts';

function bench(vectors = 3) {
  const sent: [number, number][] = [];
  const table = new Msix(vectors, 1, { deliver: (address, data) => void sent.push([address, data]) });
  const pciFunction = new PciFunction(
    { vendorId: 1, deviceId: 2, revision: 0, classCode: 0 },
    { regions: [table.region], onConfigWrite: () => table.configWritten() },
  );
  table.attach(pciFunction);
  const at = pciFunction.readConfig(pciConfig.capabilities, 1);
  const control = (value: number): void => pciFunction.writeConfig(at + msix.control, 2, value);
  const set = (vector: number, field: number, value: number): void =>
    table.region.write(vector * msix.entrySize + field, 4, value);
  const pending = (): number => table.region.read(pciFunction.readConfig(at + msix.pendingBits, 4) & ~7, 4);
  pciFunction.writeConfig(pciConfig.command, 2, pciCommand.memory | pciCommand.busMaster);
  for (let vector = 0; vector < vectors; vector++) {
    set(vector, msix.addressLow, 0xfee0_0000 + 0x1000 * vector);
    set(vector, msix.data, 0x40 + vector);
  }
  return { sent, table, pciFunction, at, control, set, pending };
}

test('the capability: table size, where table and pending bits lie', () => {
  const { pciFunction, at } = bench();
  assert.equal(pciFunction.readConfig(at, 1), pciCapability.msix);
  assert.equal(pciFunction.readConfig(at + 2, 2), 2);
  assert.deepEqual([pciFunction.readConfig(at + 4, 4) & 7, pciFunction.readConfig(at + 8, 4) & 7], [1, 1]);
  pciFunction.writeConfig(at + 2, 2, 0xffff);
  assert.equal(pciFunction.readConfig(at + 2, 2), 0xc002);
});

test('a vector sends its message; masked it stays pending until it is unmasked', () => {
  const { sent, table, control, set, pending } = bench();
  table.raise(1);
  assert.equal(table.enabled, false);
  control(msix.enable);
  table.raise(1);
  assert.deepEqual([sent, pending()], [[], 2], 'masked from the start');
  set(1, msix.vectorControl, 0);
  assert.deepEqual([sent, pending()], [[[0xfee0_1000, 0x41]], 0]);
  table.raise(1);
  table.raise(9);
  assert.equal(sent.length, 2);
});

test('the mask of the function holds every vector back', () => {
  const { sent, table, control, set, pending } = bench();
  for (const vector of [0, 1, 2]) set(vector, msix.vectorControl, 0);
  control(msix.enable | msix.functionMask);
  table.raise(0);
  table.raise(2);
  table.raise(2);
  assert.deepEqual([sent, pending()], [[], 5]);
  control(msix.enable);
  assert.deepEqual(
    sent.map(([, data]) => data),
    [0x40, 0x42],
  );
  assert.equal(pending(), 0);
});

test('a function that is no bus master sends nothing until it is one', () => {
  const { sent, table, control, set, pciFunction } = bench();
  set(0, msix.vectorControl, 0);
  control(msix.enable);
  pciFunction.writeConfig(pciConfig.command, 2, pciCommand.memory);
  table.raise(0);
  assert.deepEqual(sent, []);
  pciFunction.writeConfig(pciConfig.command, 2, pciCommand.memory | pciCommand.busMaster);
  assert.equal(sent.length, 1);
});

test('pending bits are not writable, nor is what lies behind the table; addresses of 64 bits arrive whole', () => {
  const { sent, table, control, set, pending } = bench(1);
  table.region.write(2048, 4, 0xffff_ffff);
  table.region.write(16, 4, 0xffff_ffff);
  assert.deepEqual([pending(), table.region.read(16, 4)], [0, 0]);
  set(0, msix.addressHigh, 1);
  set(0, msix.vectorControl, 0);
  control(msix.enable);
  table.raise(0);
  assert.deepEqual(sent, [[0x1_fee0_0000, 0x40]]);
  table.region.write(2, 2, 0xfee1);
  table.region.write(0, 1, 4);
  assert.equal(table.region.read(0, 4), 0xfee1_0004);
});

test('reset masks everything', () => {
  const { sent, table, control, set } = bench();
  set(0, msix.vectorControl, 0);
  table.reset();
  control(msix.enable);
  table.raise(0);
  assert.deepEqual(sent, []);
});
