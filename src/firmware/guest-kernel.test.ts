import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadGuestKernel } from './guest-kernel.ts';
import { ascii, assertFails, bootRequest, mib, randomSource } from './testing/guest.ts';
import { elfImage, linuxImage, multibootHeader } from './testing/images.ts';

/** A file of 4 KiB with a magic in it. */
function fileWith(offset: number, magic: string): Uint8Array {
  const file = new Uint8Array(0x9000);
  file.set(ascii(magic), offset);
  return file;
}

describe('files that are no kernels', () => {
  const load = (file: Uint8Array) => loadGuestKernel(bootRequest(file, 4 * mib));

  it('are named if they are images for other machines', () => {
    assertFails(load(fileWith(0x38, 'ARM\x64')), 'wrong-architecture', /64-bit ARM/);
    assertFails(load(fileWith(0x38, 'RSC\x05')), 'wrong-architecture', /RISC-V/);
    assertFails(load(fileWith(0x24, '\x18\x28\x6f\x01')), 'wrong-architecture', /32-bit ARM/);
  });

  it('are named if they are compressed or archives', () => {
    assertFails(load(fileWith(0, '\x1f\x8b\x08')), 'not-a-kernel', /gzip/);
    assertFails(load(fileWith(0, '\x28\xb5\x2f\xfd')), 'not-a-kernel', /zstd/);
    assertFails(load(fileWith(0, '!<arch>\n')), 'not-a-kernel', /package/);
    assertFails(load(fileWith(0, '070701')), 'not-a-kernel', /--initrd/);
    assertFails(load(fileWith(0x8001, 'CD001')), 'not-a-kernel', /CD image/);
  });

  it('are refused otherwise', () => {
    assertFails(load(new Uint8Array(0)), 'truncated', /empty/);
    assertFails(load(ascii('hello')), 'truncated', /5 bytes/);
    assertFails(load(fileWith(0, 'text')), 'not-a-kernel', /no kernel that can be started/);
  });
});

describe('damaged kernels', () => {
  const flat = new Uint8Array(0x800);
  flat.set(multibootHeader(0x1_0000, [0x10_0000, 0x10_0000, 0, 0, 0x10_0000]), 0);
  const originals = [
    linuxImage(),
    linuxImage({ relocatable: 0, preferred: 0x10_0000, xloadflags: 0 }),
    elfImage({ bits: 32, pvhEntry: 0x10_0000 }),
    elfImage({ bits: 64, pvhEntry: 0x10_0000 }),
    flat,
  ];
  /** Bytes that headers live in; damage elsewhere changes nothing. */
  const interesting = 0x2a0;

  it('give a value, never an exception, and write nothing outside RAM', () => {
    const random = randomSource(0x5eed);
    const counts = { ok: 0, failed: 0 };
    const shared = bootRequest(new Uint8Array(0), 4 * mib, {
      initrd: new Uint8Array(5000),
      commandLine: 'a command line',
    });
    for (let round = 0; round < 4000; round++) {
      const original = originals[round % originals.length] ?? flat;
      const kernel = original.slice(0, round % 7 === 0 ? random() % original.length : original.length);
      for (let change = random() % 6; change >= 0; change--) {
        const at = random() % Math.min(interesting, Math.max(kernel.length, 1));
        const value = [random(), 0, 0xff, 0x80][random() % 4] ?? 0;
        for (let length = random() % 5; length >= 0; length--)
          if (at + length < kernel.length) kernel[at + length] = value;
      }
      const result = loadGuestKernel({ ...shared, kernel });
      if (result.ok) {
        counts.ok++;
        assert.ok(result.value.state.rip < 4 * mib);
      } else {
        counts.failed++;
        assert.match(result.error.message, /^[A-Z].*\.$/s);
      }
    }
    assert.ok(counts.ok > 100 && counts.failed > 1000, JSON.stringify(counts));
  });

  it('of random bytes are refused', () => {
    const random = randomSource(0xbad);
    const request = bootRequest(new Uint8Array(0), 4 * mib);
    for (let round = 0; round < 200; round++) {
      const kernel = Uint8Array.from({ length: random() % 4096 }, random);
      assert.equal(loadGuestKernel({ ...request, kernel }).ok, false);
    }
  });
});
