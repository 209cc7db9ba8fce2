import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadGuestKernel } from './guest-kernel.ts';
import { ascii, assertFails, bootRequest, loaded, mib, put, stringAt } from './testing/guest.ts';
import { elfImage, multibootHeader } from './testing/images.ts';

const modules = [
  { data: ascii('first module'), commandLine: 'one two' },
  { data: new Uint8Array(0), commandLine: '' },
];

describe('PVH', () => {
  for (const bits of [32, 64] as const) {
    it(`enters ELF${bits} in 32-bit protected mode with hvm_start_info in EBX`, () => {
      const kernel = elfImage({ bits, pvhEntry: 0x10_0010 });
      const initrd = ascii('initial RAM disk');
      const request = bootRequest(kernel, 16 * mib, { commandLine: 'quiet', initrd, modules, rsdpAddress: 0xe_0000 });
      const { protocol, state } = loaded(loadGuestKernel(request));
      const { memory } = request;
      assert.equal(protocol, 'pvh');
      assert.equal(state.mode, 'protected');
      assert.equal(state.rip, 0x10_0010);
      assert.deepEqual([state.cr0, state.cr4, state.efer, state.rflags], [0x11, 0, 0, 2]);
      assert.deepEqual([state.cs.attributes, state.cs.base, state.cs.limit], [0xc09b, 0, 0xffff_ffff]);
      assert.deepEqual([state.tr.base, state.tr.limit, state.tr.attributes], [0, 0x67, 0x8b]);
      const info = state.rbx;
      assert.equal(memory.readU32(info), 0x336e_c578);
      assert.equal(memory.readU32(info + 4), 1);
      assert.equal(memory.readU32(info + 8), 0);
      assert.equal(memory.readU32(info + 12), 3);
      assert.equal(stringAt(memory, Number(memory.readU64(info + 24))), 'quiet');
      assert.equal(memory.readU64(info + 32), 0xe_0000n);
      const list = Number(memory.readU64(info + 16));
      const first = Number(memory.readU64(list));
      assert.equal(first % 4096, 0);
      assert.deepEqual(memory.read(first, initrd.length), initrd);
      assert.equal(memory.readU64(list + 8), BigInt(initrd.length));
      assert.deepEqual(memory.read(Number(memory.readU64(list + 32)), 12), ascii('first module'));
      assert.equal(stringAt(memory, Number(memory.readU64(list + 48))), 'one two');
      assert.equal(memory.readU64(list + 72), 0n);
      const map = Number(memory.readU64(info + 40));
      assert.equal(memory.readU32(info + 48), 4);
      assert.equal(memory.readU64(map + 72), 0x10_0000n);
      assert.equal(memory.readU64(map + 80), BigInt(15 * mib));
      assert.equal(memory.readU32(map + 88), 1);
    });
  }

  it('loads segments and clears what the file does not hold', () => {
    const kernel = elfImage({
      pvhEntry: 0x20_0000,
      segments: [
        { paddr: 0x20_0000, memsz: 0x3000, data: new Uint8Array(0x10).fill(0x90) },
        { paddr: 0x10_0000, vaddr: 0xffff_8000_0000, data: ascii('data') },
        { paddr: 0x30_0000, memsz: 0, data: new Uint8Array(0) },
      ],
    });
    const request = bootRequest(kernel);
    loaded(loadGuestKernel(request));
    const expected = new Uint8Array(0x3000);
    expected.fill(0x90, 0, 0x10);
    assert.deepEqual(request.memory.read(0x20_0000, 0x3000), expected);
    assert.equal(request.memory.readU8(0x20_3000), 0xa5);
    assert.deepEqual(request.memory.read(0x10_0000, 4), ascii('data'));
  });
});

describe('ELF refusals', () => {
  const load = (image: Uint8Array, size?: number, rest?: object) => loadGuestKernel(bootRequest(image, size, rest));
  const code = new Uint8Array(0x100);

  it('name the machine that the kernel is for', () => {
    assertFails(load(elfImage({ machine: 183 })), 'wrong-architecture', /64-bit ARM/);
    assertFails(load(elfImage({ machine: 243 })), 'wrong-architecture', /RISC-V/);
    assertFails(load(elfImage({ machine: 999 })), 'wrong-architecture', /machine 999/);
    const big = elfImage();
    put(big, [5, 1, 2]);
    assertFails(load(big), 'wrong-architecture', /big-endian/);
  });

  it('name the missing entry', () => {
    assertFails(load(elfImage()), 'unsupported', /PVH note nor a multiboot header/);
  });

  it('name truncation at every length', () => {
    const image = elfImage({ pvhEntry: 0x10_0000 });
    for (let length = 4; length < image.length; length += 13) {
      assertFails(load(image.subarray(0, length)), 'truncated', /ends early/);
    }
  });

  it('name segments outside RAM, overlapping ones and a lost entry', () => {
    const at = (paddr: number, memsz = 0x100) => ({ paddr, memsz, data: code });
    const kernel = (...segments: ReturnType<typeof at>[]) => elfImage({ pvhEntry: 0x10_0000, segments });
    assertFails(load(kernel(at(0x10_0000), at(0x800_0000))), 'does-not-fit', /0x8000000.*--memory/);
    assertFails(load(kernel(at(0x10_0000, 0x7fff_0000_0000))), 'does-not-fit', /TiB/);
    assertFails(load(kernel(at(0x10_0000), at(0x0a_0000))), 'does-not-fit', /0xa0000/);
    assertFails(load(kernel(at(0x10_0000), at(0x10_00ff))), 'malformed', /overlaps/);
    assertFails(load(elfImage({ pvhEntry: 0x20_0000 })), 'malformed', /0x200000 is outside/);
    assertFails(load(kernel({ paddr: 0x10_0000, memsz: 0x10, data: code })), 'malformed', /larger in the file/);
    const many = Array.from({ length: 65 }, (_, index) => at(0x10_0000 + index * 0x1000));
    assertFails(load(kernel(...many)), 'malformed', /more than 64/);
    assertFails(load(elfImage({ segments: [], pvhEntry: 1 })), 'malformed', /nothing to load/);
  });

  it('name damaged headers', () => {
    const image = elfImage({ pvhEntry: 0x10_0000 });
    put(image, [0x36, 2, 8]);
    assertFails(load(image), 'malformed', /program headers of 8 bytes/);
    const classless = elfImage();
    put(classless, [4, 1, 3]);
    assertFails(load(classless), 'malformed', /class 3/);
  });

  it('name modules that do not fit, and leave no trace of the refused kernel', () => {
    const request = bootRequest(elfImage({ pvhEntry: 0x10_0000 }), 4 * mib, { initrd: new Uint8Array(4 * mib) });
    assertFails(loadGuestKernel(request), 'does-not-fit', /4 MiB.*--memory/);
    const refused = bootRequest(
      elfImage({
        pvhEntry: 0x10_0000,
        segments: [
          { paddr: 0x10_0000, data: code },
          { paddr: 0x10_0080, data: code },
        ],
      }),
    );
    assertFails(loadGuestKernel(refused), 'malformed', /overlaps/);
    assert.equal(refused.memory.readU8(0x10_0000), 0xa5);
  });
});

describe('multiboot', () => {
  it('loads an ELF kernel and describes everything in EBX', () => {
    const data = new Uint8Array(0x1000);
    data.set(multibootHeader(3), 0x40);
    const kernel = elfImage({ bits: 32, entry: 0x10_0100, segments: [{ paddr: 0x10_0000, memsz: 0x2000, data }] });
    const request = bootRequest(kernel, 16 * mib, { commandLine: 'root=none', modules });
    const { protocol, state } = loaded(loadGuestKernel(request));
    const { memory } = request;
    assert.equal(protocol, 'multiboot');
    assert.deepEqual([state.rax, state.rip, state.cr0, state.rflags], [0x2bad_b002, 0x10_0100, 0x11, 2]);
    assert.deepEqual([state.cs.attributes, state.ds.attributes], [0xc09b, 0xc093]);
    const info = state.rbx;
    assert.equal(memory.readU32(info), 0x24d);
    assert.equal(memory.readU32(info + 4), 639);
    assert.equal(memory.readU32(info + 8), 15 * 1024);
    assert.equal(stringAt(memory, memory.readU32(info + 16)), 'root=none');
    assert.equal(memory.readU32(info + 20), 2);
    const list = memory.readU32(info + 24);
    const [start, end] = [memory.readU32(list), memory.readU32(list + 4)];
    assert.equal(start, 0x10_2000, 'behind the kernel, page-aligned');
    assert.deepEqual(memory.read(start, end - start), ascii('first module'));
    assert.equal(stringAt(memory, memory.readU32(list + 8)), 'one two');
    assert.equal(memory.readU32(list + 16), memory.readU32(list + 20), 'an empty module');
    assert.equal(stringAt(memory, memory.readU32(info + 64)), 'Corbel');
    const map = memory.readU32(info + 48);
    assert.equal(memory.readU32(info + 44), 4 * 24);
    assert.equal(memory.readU32(map + 72), 20);
    assert.equal(memory.readU64(map + 76), 0x10_0000n);
    assert.equal(memory.readU64(map + 84), BigInt(15 * mib));
    assert.equal(memory.readU32(map + 92), 1);
  });

  it('finds the physical entry of a kernel that is linked high', () => {
    const data = new Uint8Array(0x1000);
    data.set(multibootHeader(0), 0);
    const segments = [{ paddr: 0x10_0000, vaddr: 0xc010_0000, data }];
    const { state } = loaded(loadGuestKernel(bootRequest(elfImage({ bits: 32, entry: 0xc010_0020, segments }))));
    assert.equal(state.rip, 0x10_0020);
  });

  /** A flat image whose header lies at 0x100 and is loaded to 1 MiB + 0x80. */
  const flat = (load: number, loadEnd: number, bssEnd: number, entry: number, header = 0x10_0100): Uint8Array => {
    const image = new Uint8Array(0x800).fill(0x77);
    image.set(multibootHeader(0x1_0000, [header, load, loadEnd, bssEnd, entry]), 0x100);
    return image;
  };

  it('loads by the addresses in the header', () => {
    const request = bootRequest(flat(0x10_0080, 0x10_0400, 0x10_1000, 0x10_0200));
    const { state } = loaded(loadGuestKernel(request));
    assert.equal(state.rip, 0x10_0200);
    assert.equal(request.memory.readU32(0x10_0100), 0x1bad_b002);
    assert.equal(request.memory.readU8(0x10_0080), 0x77);
    assert.equal(request.memory.readU8(0x10_007f), 0xa5);
    assert.equal(request.memory.readU8(0x10_03ff), 0x77);
    assert.equal(request.memory.readU8(0x10_0400), 0);
    assert.equal(request.memory.readU8(0x10_0fff), 0);
    assert.equal(request.memory.readU8(0x10_1000), 0xa5);
    const whole = bootRequest(flat(0x10_0080, 0, 0, 0x10_0200));
    loaded(loadGuestKernel(whole));
    assert.equal(whole.memory.readU8(0x10_07ff), 0x77, 'to the end of the file');
  });

  it('refuses contradictory addresses', () => {
    const load = (image: Uint8Array) => loadGuestKernel(bootRequest(image));
    assertFails(load(flat(0x10_0200, 0, 0, 0x10_0200)), 'malformed', /before what it loads/);
    assertFails(load(flat(0x0f_0000, 0, 0, 0x10_0200)), 'malformed', /before what it loads/);
    assertFails(load(flat(0x10_0080, 0x10_0040, 0, 0x10_0200)), 'malformed', /loads from/);
    assertFails(load(flat(0x10_0080, 0x20_0000, 0, 0x10_0200)), 'truncated', /should have/);
    assertFails(load(flat(0x10_0080, 0x10_0400, 0x10_0300, 0x10_0200)), 'malformed', /zero-filled/);
    assertFails(load(flat(0x10_0080, 0, 0xffff_ffff, 0x10_0200)), 'does-not-fit', /--memory/);
    assertFails(load(flat(0x10_0080, 0, 0, 0x20_0000)), 'malformed', /entry 0x200000/);
  });

  it('refuses flags that it does not know, and a header without anything to load', () => {
    const image = new Uint8Array(0x1000);
    image.set(multibootHeader(0x8), 0);
    assertFails(loadGuestKernel(bootRequest(image)), 'unsupported', /0x8/);
    image.set(multibootHeader(0x3), 0);
    assertFails(loadGuestKernel(bootRequest(image)), 'malformed', /neither load addresses nor ELF/);
  });

  it('takes a header in the first 8 KiB on a 4-byte boundary only', () => {
    for (const offset of [0x1ff4 + 4, 0x102]) {
      const image = new Uint8Array(0x4000);
      image.set(multibootHeader(0), offset);
      assertFails(loadGuestKernel(bootRequest(image)), 'not-a-kernel', /no multiboot header/);
    }
  });
});
