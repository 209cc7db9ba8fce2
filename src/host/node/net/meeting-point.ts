/**
 * A UNIX socket where several processes meet without having been told their roles: the first one listens, the others
 * connect. Whoever listens is unique at any time, whatever processes start, end or die at once.
 */

import { existsSync, linkSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { type Failure, fail, ok, type Result } from '../../../support/result.ts';
import { randomBytes } from '../random.ts';

export type Meeting =
  | { readonly role: 'first'; readonly server: Server; leave(): void }
  | { readonly role: 'later'; readonly socket: Socket };

/** `sun_path` of unix(7), with its last zero; names for the moment are so much longer than the socket's own. */
const maxPathBytes = 107;
const suffixBytes = 9;
const maxTries = 20;

/** @param accept gets each socket that comes to the first */
export async function meet(path: string, accept: (socket: Socket) => void): Promise<Result<Meeting>> {
  if (process.platform === 'win32') return fail('unavailable', 'switch=PATH needs a host with UNIX sockets.');
  if (Buffer.byteLength(path) + suffixBytes > maxPathBytes) {
    return fail('usage', `the path of a switch has at most ${maxPathBytes - suffixBytes} bytes; "${path}" is longer.`);
  }
  for (let tries = 0; tries < maxTries; tries++) {
    const connected = await tryConnect(path);
    if (connected.ok) return ok({ role: 'later', socket: connected.value });
    if (connected.error.kind === 'ECONNREFUSED') {
      // Any file refuses; only a socket may be taken away.
      if (statSync(path, { throwIfNoEntry: false })?.isSocket() === false) {
        return fail('unavailable', `${path} is no socket, so it cannot be a switch.`);
      }
      await removeStale(path);
    } else if (connected.error.kind !== 'ENOENT') {
      return fail('unavailable', `the switch ${path} cannot be reached (${connected.error.kind}).`);
    }
    const listening = await tryListen(path, accept);
    if (listening.ok) return listening;
    if (listening.error.kind !== 'EEXIST') {
      const why = existsSync(dirname(path)) ? listening.error.kind : 'there is no such folder';
      return fail('unavailable', `the switch ${path} cannot be made (${why}).`);
    }
  }
  return fail('unavailable', `the switch ${path} is neither there nor can it be made.`);
}

/** A failure's kind is the errno's name. */
const failure = (error: NodeJS.ErrnoException) => fail<string>(error.code ?? 'error', `${error.message}.`);

function tryConnect(path: string): Promise<Result<Socket, Failure>> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(ok(socket));
    });
    socket.once('error', (error) => resolve(failure(error)));
  });
}

const suffix = (): string => `.${randomBytes(4).toString('hex')}`;

/** Listens under a name of its own first: giving that the name everybody knows either succeeds or finds it taken. */
function tryListen(path: string, accept: (socket: Socket) => void): Promise<Result<Meeting, Failure>> {
  const ownName = path + suffix();
  const server = createServer(accept);
  return new Promise((resolve) => {
    server.once('error', (error) => resolve(failure(error)));
    server.listen(ownName, () => {
      server.removeAllListeners('error');
      server.on('error', () => {});
      try {
        linkSync(ownName, path);
      } catch (error) {
        server.close();
        resolve(failure(error as NodeJS.ErrnoException));
        return;
      }
      const { ino } = statSync(path);
      remove(ownName);
      server.unref();
      const leave = (): void => {
        if (inode(path) === ino) remove(path);
        server.close();
      };
      resolve(ok({ role: 'first', server, leave }));
    });
  });
}

/** Takes away the socket of a process that died. One that lives after all, made meanwhile, is put back. */
async function removeStale(path: string): Promise<void> {
  const aside = path + suffix();
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  const connected = await tryConnect(aside);
  if (connected.ok) {
    connected.value.destroy();
    try {
      linkSync(aside, path);
    } catch {
      // Somebody else listens there by now.
    }
  }
  remove(aside);
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It is gone already.
  }
}

function inode(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
