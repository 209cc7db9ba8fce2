import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buffer, eisaId, integer, name, nameString, packageOf, scope, string } from './aml.ts';

describe('AML encodings (ACPI Specification 6.3, chapter 20)', () => {
  it('of names', () => {
    const text = (bytes: readonly number[]): string => String.fromCharCode(...bytes);
    assert.equal(text(nameString('_S5')), '_S5_');
    assert.equal(text(nameString('\\_SB')), '\\_SB_');
    assert.equal(text(nameString('\\_SB.PCI0')), '\\._SB_PCI0');
    assert.equal(text(nameString('\\_SB.PCI0.ISA')), '\\/\x03_SB_PCI0ISA_');
    assert.deepEqual(nameString('\\'), [0x5c, 0]);
  });

  it('of integers, shortest form', () => {
    assert.deepEqual(integer(0), [0x00]);
    assert.deepEqual(integer(1), [0x01]);
    assert.deepEqual(integer(2), [0x0a, 2]);
    assert.deepEqual(integer(0xff), [0x0a, 0xff]);
    assert.deepEqual(integer(0x100), [0x0b, 0, 1]);
    assert.deepEqual(integer(0x1_0000), [0x0c, 0, 0, 1, 0]);
    assert.deepEqual(integer(0x1_0000_0000), [0x0e, 0, 0, 0, 0, 1, 0, 0, 0]);
  });

  it('of strings and identifiers', () => {
    assert.deepEqual(string('AB'), [0x0d, 0x41, 0x42, 0]);
    assert.deepEqual(eisaId('PNP0A03'), [0x0c, 0x41, 0xd0, 0x0a, 0x03]);
    assert.deepEqual(eisaId('PNP0F13'), [0x0c, 0x41, 0xd0, 0x0f, 0x13]);
  });

  it('of packages, buffers and scopes, with lengths of one to four bytes', () => {
    assert.deepEqual(packageOf(integer(5), integer(0)), [0x12, 5, 2, 0x0a, 5, 0]);
    assert.deepEqual(buffer([9, 8]), [0x11, 5, 0x0a, 2, 9, 8]);
    assert.deepEqual(name('X', integer(1)), [0x08, 0x58, 0x5f, 0x5f, 0x5f, 1]);
    const lengthOf = (count: number): number[] => scope('X', new Array<number>(count).fill(0xa3)).slice(1, 5);
    // The length counts itself, the four bytes of the name and the body.
    assert.deepEqual(lengthOf(58).slice(0, 1), [63]);
    assert.deepEqual(lengthOf(59).slice(0, 2), [0x40 | (65 & 0xf), 65 >> 4]);
    assert.deepEqual(lengthOf(4095 - 6).slice(0, 2), [0x4f, 0xff]);
    assert.deepEqual(lengthOf(4096 - 6).slice(0, 3), [0x80 | 1, 0x00, 0x01]);
    assert.deepEqual(lengthOf(0x10_0000 - 7), [0xc0 | 1, 0x00, 0x00, 0x01]);
  });
});
