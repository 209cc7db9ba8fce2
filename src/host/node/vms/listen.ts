import type { Server } from 'node:net';
import { fail, ok, type Result } from '../../../support/result.ts';

/** Opens a socket in the file system, for this user alone as its folder is. */
export function listenOn(server: Server, path: string): Promise<Result<void>> {
  return new Promise((resolve) => {
    server.once('error', (error) => resolve(fail('input', `the socket ${path} cannot be opened (${error.message}).`)));
    server.listen(path, () => {
      // A connection that cannot be accepted (no more descriptors) is the caller's loss.
      server.on('error', () => {});
      resolve(ok(undefined));
    });
  });
}
