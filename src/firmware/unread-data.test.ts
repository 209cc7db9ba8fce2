/** What a guest is given and its host reads to where it goes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pageFlag, pageSize } from '../memory/guest-memory.ts';
import { fail, ok, type Result } from '../support/result.ts';
import type { UnreadData } from './boot-request.ts';
import { loadGuestKernel } from './guest-kernel.ts';
import { ascii, assertFails, bootRequest, loaded, mib } from './testing/guest.ts';
import { elfImage, linuxImage, multibootHeader } from './testing/images.ts';

const content = ascii('initial RAM disk'.repeat(1000));

function unread(read: (target: Uint8Array) => Result<void>): UnreadData & { readonly reads: Uint8Array[] } {
  const reads: Uint8Array[] = [];
  const readInto = (target: Uint8Array): Result<void> => {
    reads.push(target);
    return read(target);
  };
  return { length: content.length, readInto, reads };
}

const multibootPage = new Uint8Array(0x1000);
multibootPage.set(multibootHeader(0), 0x40);

const kernels = {
  Linux: linuxImage(),
  PVH: elfImage({ pvhEntry: 0x10_0000 }),
  multiboot: elfImage({ entry: 0x10_0100, segments: [{ paddr: 0x10_0000, data: multibootPage }] }),
};

for (const [name, kernel] of Object.entries(kernels)) {
  describe(name, () => {
    it('has it read once, to its place, in pages that become dirty', () => {
      const initrd = unread((target) => {
        target.set(content);
        return ok(undefined);
      });
      const request = bootRequest(kernel, 64 * mib, { initrd });
      loaded(loadGuestKernel(request));
      const { memory } = request;
      const [target] = initrd.reads;
      assert.equal(initrd.reads.length, 1);
      assert.equal(target?.buffer, memory.bytes.buffer);
      const at = target.byteOffset;
      assert.deepEqual(memory.read(at, content.length), content);
      const pages = [at, at + content.length - 1].map((offset) => memory.pageFlags[Math.floor(offset / pageSize)]);
      assert.deepEqual(pages, [pageFlag.dirty, pageFlag.dirty]);
    });

    it('is refused with the words of the one who could not read it', () => {
      const initrd = unread(() => fail('input', 'The initrd disk.img changed.'));
      const request = bootRequest(kernel, 64 * mib, { initrd });
      assertFails(loadGuestKernel(request), 'unreadable', /^The initrd disk.img changed\.$/);
    });

    it('is not read where it does not fit', () => {
      const initrd = unread(() => ok(undefined));
      const request = bootRequest(kernel, 64 * mib, { initrd: { ...initrd, length: 64 * mib } });
      assertFails(loadGuestKernel(request), 'does-not-fit', /--memory/);
      assert.equal(initrd.reads.length, 0);
    });
  });
}
