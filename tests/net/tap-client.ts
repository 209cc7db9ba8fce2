/**
 * What runs in a network namespace whose only way out is our NAT, with the kernel's own TCP: sends and receives, and
 * prints what came of it as one line of JSON.
 */
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';

/** Bytes that both ends can make for themselves. */
export function pattern(bytes: number): Buffer {
  const block = Buffer.alloc(65_536);
  for (let i = 0; i < block.length; i++) block[i] = (Math.imul(i, 2_654_435_761) >>> 24) ^ (i >>> 8);
  return Buffer.concat(Array.from({ length: Math.ceil(bytes / block.length) }, () => block)).subarray(0, bytes);
}

export const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');

interface Outcome {
  readonly error?: string | undefined;
  readonly md5: string;
  readonly bytes: number;
}

/** Sends `bytes` bytes, says that it is done, and takes what comes until the end. */
function exchange(host: string, port: number, bytes: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const hash = createHash('md5');
    let received = 0;
    let error: string | undefined;
    const socket = connect({ host, port, allowHalfOpen: true });
    socket.on('connect', () => socket.end(pattern(bytes)));
    socket.on('data', (chunk) => {
      hash.update(chunk);
      received += chunk.length;
    });
    socket.on('error', (reason: NodeJS.ErrnoException) => {
      error = reason.code;
    });
    socket.on('close', () => resolve({ error, md5: hash.digest('hex'), bytes: received }));
  });
}

/** Serves one connection: sends back what comes, after it has all come. */
function serve(port: number): Promise<void> {
  return new Promise((resolve) => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const chunks: Buffer[] = [];
      socket.on('data', (chunk) => chunks.push(Buffer.from(chunk)));
      socket.on('end', () => socket.end(Buffer.concat(chunks)));
      socket.on('close', () => server.close());
    });
    server.listen(port, () => process.stdout.write('listening\n'));
    server.on('close', resolve);
  });
}

/** Sends one datagram, and takes one. */
function exchangeDatagram(host: string, port: number, bytes: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.on('message', (message) => {
      socket.close();
      resolve({ md5: md5(message), bytes: message.length });
    });
    socket.send(pattern(bytes), port, host);
  });
}

/** Sends one datagram back. */
function serveDatagram(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.on('message', (message, peer) => socket.send(message, peer.port, peer.address, () => socket.close()));
    socket.on('close', resolve);
    socket.bind(port, () => process.stdout.write('listening\n'));
  });
}

if (process.argv[1] === import.meta.filename) {
  const [what, host = '', port = '', bytes = '0'] = process.argv.slice(2);
  if (what === 'serve') await serve(Number(port));
  else if (what === 'serve-datagram') await serveDatagram(Number(port));
  else {
    const run = what === 'datagram' ? exchangeDatagram : exchange;
    process.stdout.write(`${JSON.stringify(await run(host, Number(port), Number(bytes)))}\n`);
  }
}
