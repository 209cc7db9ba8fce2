/**
 * Writes cpio archives in the "newc" format, the one the kernel unpacks as initramfs.
 * Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst.
 */

/** File type bits of a mode (inode(7)). */
const fileType = { directory: 0o040000, character: 0o020000, regular: 0o100000, link: 0o120000 } as const;

export type CpioEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly data: Uint8Array }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | { readonly kind: 'character'; readonly path: string; readonly mode: number; readonly device: [number, number] };

const encoder = new TextEncoder();

function contents(entry: CpioEntry): { mode: number; data: Uint8Array; device: readonly [number, number] } {
  switch (entry.kind) {
    case 'directory':
      return { mode: fileType.directory | entry.mode, data: new Uint8Array(0), device: [0, 0] };
    case 'file':
      return { mode: fileType.regular | entry.mode, data: entry.data, device: [0, 0] };
    case 'link':
      return { mode: fileType.link | 0o777, data: encoder.encode(entry.target), device: [0, 0] };
    case 'character':
      return { mode: fileType.character | entry.mode, data: new Uint8Array(0), device: entry.device };
  }
}

function record(inode: number, path: string, mode: number, data: Uint8Array, device: readonly [number, number]) {
  const name = encoder.encode(`${path}\0`);
  const linkCount = (mode & fileType.directory) === fileType.directory ? 2 : 1;
  // Owner, group and modification time stay 0: the same input gives the same archive.
  const numbers = [inode, mode, 0, 0, linkCount, 0, data.length, 0, 0, device[0], device[1], name.length, 0];
  const header = encoder.encode(`070701${numbers.map((n) => n.toString(16).padStart(8, '0')).join('')}`);
  const dataAt = align4(header.length + name.length);
  const bytes = new Uint8Array(align4(dataAt + data.length));
  bytes.set(header, 0);
  bytes.set(name, header.length);
  bytes.set(data, dataAt);
  return bytes;
}

function align4(n: number): number {
  return (n + 3) & ~3;
}

/** The archive of `entries`, in order: a directory has to come before what it holds. Paths carry no leading slash. */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const records = entries.map((entry, index) => {
    const { mode, data, device } = contents(entry);
    return record(index + 1, entry.path, mode, data, device);
  });
  records.push(record(0, 'TRAILER!!!', 0, new Uint8Array(0), [0, 0]));
  const archive = new Uint8Array(records.reduce((sum, bytes) => sum + bytes.length, 0));
  let offset = 0;
  for (const bytes of records) {
    archive.set(bytes, offset);
    offset += bytes.length;
  }
  return archive;
}
