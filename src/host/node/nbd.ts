import type { Disk } from '../../block/disk.ts';
import type { DiskFailure } from '../../block/disk-failure.ts';
import { openNbdDisk } from '../../block/nbd/nbd-disk.ts';
import { parseNbdUrl } from '../../block/nbd/url.ts';
import type { Result } from '../../support/result.ts';
import { SocketStream } from './socket-stream.ts';

const patienceMs = 15_000;

/**
 * Opens an export of an NBD server as a disk.
 * @param url `nbd://host[:port]/export` or `nbd+unix:///export?socket=path`
 * @param withinMs time for the way to the server and the handshake
 */
export async function openNbd(url: string, withinMs = patienceMs): Promise<Result<Disk, DiskFailure>> {
  const parsed = parseNbdUrl(url);
  if (!parsed.ok) return parsed;
  const stream = new SocketStream(parsed.value.address);
  const timer = setTimeout(() => stream.abort(`the server has not answered for ${withinMs / 1000} s`), withinMs);
  const disk = await openNbdDisk(url, stream, parsed.value.exportName);
  clearTimeout(timer);
  return disk;
}
