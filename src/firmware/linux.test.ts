import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadGuestKernel } from './guest-kernel.ts';
import { assertFails, bootRequest, loaded, mib, put, stringAt } from './testing/guest.ts';
import { linuxImage } from './testing/images.ts';

describe('Linux, 64-bit entry', () => {
  const initrd = new Uint8Array(300_000).fill(0x42);
  const request = bootRequest(linuxImage(), 64 * mib, {
    commandLine: 'console=ttyS0 ünï',
    initrd,
    rsdpAddress: 0xe_0000,
  });
  const { protocol, state } = loaded(loadGuestKernel(request));
  const { memory } = request;
  const params = state.rsi;

  it('enters at 0x200 behind the preferred address in long mode with interrupts off', () => {
    assert.equal(protocol, 'linux-64');
    assert.equal(state.mode, 'long');
    assert.equal(state.rip, 0x100_0200);
    assert.equal(state.rflags, 2);
    assert.equal(state.cr0, 0x8000_0011);
    assert.equal(state.cr4, 0x20);
    assert.equal(state.efer, 0x500);
    assert.equal(memory.readU8(state.rip), (0x200 * 7 + 1) & 0xff);
    assert.equal(memory.readU8(0x100_0000 + 0x3fff), (0x3fff * 7 + 1) & 0xff);
  });

  it('has __BOOT_CS and __BOOT_DS, flat, in registers and GDT', () => {
    assert.deepEqual(state.cs, { selector: 0x10, base: 0, limit: 0xffff_ffff, attributes: 0xa09b });
    assert.deepEqual(state.ss, { selector: 0x18, base: 0, limit: 0xffff_ffff, attributes: 0xc093 });
    assert.deepEqual([state.ds, state.es], [state.ss, state.ss]);
    assert.equal(memory.readU64(state.gdtr.base + 0x10), 0x00af_9b00_0000_ffffn);
    assert.equal(memory.readU64(state.gdtr.base + 0x18), 0x00cf_9300_0000_ffffn);
    assert.ok(state.gdtr.limit >= 0x1f);
  });

  it('maps the first 4 GiB one to one', () => {
    const frame = 0x000f_ffff_ffff_f000n;
    for (const linear of [0, 0x10_0000, 0x100_0200, 0xbfff_ffff, 0xfee0_0000, 0xffff_ffff]) {
      const pml4e = memory.readU64(state.cr3);
      const pdpte = memory.readU64(Number(pml4e & frame) + Math.floor(linear / 2 ** 30) * 8);
      const pde = memory.readU64(Number(pdpte & frame) + (Math.floor(linear / 2 ** 21) & 511) * 8);
      assert.equal(pml4e & 3n, 3n);
      assert.equal(pdpte & 3n, 3n);
      assert.equal(pde & 0x83n, 0x83n);
      assert.equal(Number(pde & frame) + (linear % 2 ** 21), linear);
    }
    assert.equal(memory.readU64(state.cr3 + 8), 0n);
  });

  it('passes the setup header, the command line, the initrd, the map and the RSDP', () => {
    assert.equal(memory.readU32(params + 0x202), 0x5372_6448);
    assert.equal(memory.readU16(params + 0x206), 0x020f);
    assert.equal(memory.readU8(params + 0x210), 0xff);
    assert.equal(memory.readU8(params + 0x211), 0x01, 'QUIET is cleared');
    assert.equal(memory.readU16(params + 0x1fa), 0xffff);
    assert.equal(memory.readU32(params + 0x214), 0x100_0000);
    assert.equal(stringAt(memory, memory.readU32(params + 0x228)), 'console=ttyS0 \xc3\xbcn\xc3\xaf');
    const address = memory.readU32(params + 0x218);
    assert.equal(memory.readU32(params + 0x21c), 300_000);
    assert.equal(address % 4096, 0);
    assert.equal(address, 64 * mib - 303_104, 'as high as possible');
    assert.deepEqual(memory.read(address, 300_000), initrd);
    assert.equal(memory.readU64(params + 0x70), 0xe_0000n);
    assert.equal(memory.readU8(params + 0x1e8), 4);
    assert.equal(memory.readU64(params + 0x2d0 + 60), 0x10_0000n);
    assert.equal(memory.readU64(params + 0x2d0 + 68), BigInt(63 * mib));
    assert.equal(memory.readU32(params + 0x2d0 + 76), 1);
    assert.equal(memory.readU8(params + 0x1ef), 0, 'sentinel');
    assert.equal(memory.readU64(params + 0x250), 0n, 'setup_data');
  });

  it('keeps everything it places apart', () => {
    const pieces: [number, number][] = [
      [state.gdtr.base, 32],
      [params, 4096],
      [state.cr3, 6 * 4096],
      [state.rsp - 2048, 2048],
      [memory.readU32(params + 0x228), 18],
      [0x100_0000, 0x20_0000],
      [memory.readU32(params + 0x218), 300_000],
    ];
    pieces.sort((a, b) => a[0] - b[0]);
    for (const [index, [start]] of pieces.entries()) {
      const [before, length] = pieces[index - 1] ?? [0, 0x500];
      assert.ok(before + length <= start, `0x${start.toString(16)}`);
    }
  });
});

describe('Linux load address', () => {
  const ripOf = (fields: Parameters<typeof linuxImage>[0], size = 64 * mib): number =>
    loaded(loadGuestKernel(bootRequest(linuxImage(fields), size))).state.rip - 0x200;

  it('is the lowest aligned one above the preferred one, below which the kernel would move itself up', () => {
    assert.equal(ripOf({ preferred: 0x8000 }), 2 * mib);
    assert.equal(ripOf({ preferred: 0x100_0001 }), 18 * mib);
    const small = loadGuestKernel(bootRequest(linuxImage(), 16 * mib));
    assertFails(small, 'does-not-fit', /from 0x1000000 on.*--memory/);
    const nowhere = loadGuestKernel(bootRequest(linuxImage({ preferred: 0xffff_ffff_ffff_0000n })));
    assertFails(nowhere, 'does-not-fit', /--memory/);
  });

  it('respects the minimum alignment where the wanted one leaves no room', () => {
    const request = bootRequest(linuxImage({ minAlignment: 12, alignment: 0x100_0000, preferred: 0 }), 8 * mib);
    const { state } = loaded(loadGuestKernel(request));
    assert.equal(state.rip, 0x10_0200);
    assert.equal(request.memory.readU32(state.rsi + 0x230), 0x1000);
  });

  it('of a kernel that cannot be relocated is the one in its header', () => {
    assert.equal(ripOf({ relocatable: 0, preferred: 0x10_0000, alignment: 0x1000 }), 0x10_0000);
    assert.equal(ripOf({ relocatable: 0, preferred: 0x200_0000 }), 0x10_0000, 'it moves itself');
  });

  it('keeps the initrd below its limit and clear of the run-time area', () => {
    const image = linuxImage({ initrdAddressMax: 0x1ff_ffff, initSize: 0x80_0000 });
    const request = bootRequest(image, 64 * mib, { initrd: new Uint8Array(3 * mib) });
    const { state } = loaded(loadGuestKernel(request));
    assert.equal(request.memory.readU32(state.rsi + 0x218), 29 * mib);
  });
});

describe('Linux, 32-bit entry', () => {
  it('serves kernels without the 64-bit entry', () => {
    const request = bootRequest(linuxImage({ xloadflags: 0, relocatable: 0, preferred: 0x10_0000 }));
    const { protocol, state } = loaded(loadGuestKernel(request));
    assert.equal(protocol, 'linux-32');
    assert.equal(state.mode, 'protected');
    assert.equal(state.rip, 0x10_0000);
    assert.equal(state.cr0, 0x11);
    assert.deepEqual([state.cr4, state.efer, state.rflags], [0, 0, 2]);
    assert.deepEqual([state.rbx, state.rdi, state.rbp], [0, 0, 0]);
    assert.equal(state.cs.attributes, 0xc09b);
    assert.equal(request.memory.readU64(state.gdtr.base + 0x10), 0x00cf_9b00_0000_ffffn);
    assert.equal(request.memory.readU32(state.rsi + 0x202), 0x5372_6448);
  });

  it('serves old protocols', () => {
    const image = linuxImage({ version: 0x0204, xloadflags: 0xffff, relocatable: 0xff });
    const { protocol, state } = loaded(loadGuestKernel(bootRequest(image)));
    assert.equal(protocol, 'linux-32');
    assert.equal(state.rip, 0x10_0000);
  });
});

describe('Linux refusals', () => {
  const load = (image: Uint8Array, size?: number, rest?: object) => loadGuestKernel(bootRequest(image, size, rest));

  it('name truncation at every length', () => {
    const image = linuxImage();
    for (const length of [0, 1, 511, 512, 0x205, 0x206, 0x263, 0x264, 2560, 3000, image.length - 16]) {
      assertFails(load(image.subarray(0, length)), 'truncated', /empty|header|should have|too few/);
    }
    loaded(load(image.subarray(0, image.length - 15)));
  });

  it('name protocols and images that are too old', () => {
    assertFails(load(linuxImage({ version: 0x0201 })), 'unsupported', /2\.01/);
    assertFails(load(linuxImage({ loadflags: 0 })), 'unsupported', /bzImage/);
  });

  it('name command lines that do not fit', () => {
    const image = linuxImage({ commandLineSize: 10 });
    assertFails(load(image, undefined, { commandLine: 'x'.repeat(11) }), 'bad-command-line', /11 bytes.*10/);
    loaded(load(image, undefined, { commandLine: 'x'.repeat(10) }));
    assertFails(load(linuxImage(), undefined, { commandLine: 'a\0b' }), 'bad-command-line', /zero byte/);
    const huge = linuxImage({ commandLineSize: 0xffff_ffff });
    assertFails(load(huge, undefined, { commandLine: 'x'.repeat(700_000) }), 'does-not-fit', /640 KiB/);
  });

  it('name what does not fit into RAM, with sizes', () => {
    assertFails(load(linuxImage({ initSize: 0x800_0000 })), 'does-not-fit', /128 MiB.*64 MiB|128 MiB.*63\.\d MiB/);
    assertFails(load(linuxImage({ initSize: 0xffff_ffff })), 'does-not-fit', /--memory/);
    assertFails(load(linuxImage({ relocatable: 0, code32Start: 0xf000_0000 })), 'does-not-fit', /--memory/);
    assertFails(load(linuxImage({ relocatable: 0, preferred: 2n ** 63n })), 'does-not-fit', /--memory/);
    const initrd = new Uint8Array(62 * mib);
    assertFails(load(linuxImage(), undefined, { initrd }), 'does-not-fit', /initrd of 62 MiB.*--memory/);
    const low = linuxImage({ initrdAddressMax: 0x8_0000 });
    assertFails(load(low, undefined, { initrd: new Uint8Array(4096) }), 'does-not-fit', /initrd/);
  });

  it('name contradictions', () => {
    assertFails(load(linuxImage({ alignment: 0 })), 'malformed', /alignment/);
    assertFails(load(linuxImage({ alignment: 0x3000 })), 'malformed', /alignment/);
    assertFails(load(linuxImage({ relocatable: 0, code32Start: 0x1000 })), 'malformed', /below 1 MiB/);
    assertFails(load(linuxImage({ codeBytes: 0x200 })), 'malformed', /64-bit entry/);
    const empty = linuxImage();
    put(empty, [0x1f4, 4, 0]);
    assertFails(load(empty), 'malformed', /empty kernel/);
  });

  it('send modules to other protocols', () => {
    const modules = [{ data: new Uint8Array(1), commandLine: '' }];
    assertFails(load(linuxImage(), undefined, { modules }), 'unsupported', /--initrd/);
  });
});
