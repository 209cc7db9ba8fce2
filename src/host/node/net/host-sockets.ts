/** What the NAT asks of the host, with Node's sockets. */
import { createServer } from 'node:net';
import { type HostListener, type HostNetwork, maxReadBytes } from '../../../net/nat/host-network.ts';
import { fail, ok, type Result } from '../../../support/result.ts';
import { randomBytes } from '../random.ts';
import type { Resolver } from './resolver.ts';
import { TcpStream } from './tcp-stream.ts';
import { UdpSocket } from './udp-socket.ts';

export function createHostNetwork(resolver: Resolver): HostNetwork {
  // One buffer for all reads: libuv reads and tells of it at once, except on Windows.
  const shared = process.platform === 'win32' ? undefined : new Uint8Array(maxReadBytes);
  return {
    connectTcp: (address, port, events) =>
      TcpStream.connect(address, port, events, shared ?? new Uint8Array(maxReadBytes)),
    listenTcp,
    openUdp: (events) => new UdpSocket(events),
    bindUdp: (address, port, events) => UdpSocket.bind(address, port, events),
    resolve: (query, reply) => void resolver.resolve(query, reply),
    dnsServer: () => resolver.server,
    random32: () => randomBytes(4).readUInt32LE(),
  };
}

const listenTcp: HostNetwork['listenTcp'] = (address, port, accept) => {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: false }, (socket) => {
    const peer = { address: socket.remoteAddress?.replace(/^::ffff:/, ''), port: socket.remotePort ?? 0 };
    TcpStream.accept(socket, (stream) => accept(stream, peer));
  });
  return new Promise<Result<HostListener>>((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      resolve(fail('unavailable', `TCP port ${address}:${port} cannot be opened (${reason(error)}).`)),
    );
    server.listen(port, address, () => {
      server.unref();
      server.removeAllListeners('error');
      // Later errors are those of single connections: too many files, say.
      server.on('error', () => {});
      resolve(ok({ close: () => server.close() }));
    });
  });
};

function reason({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'another process has it';
    case 'EACCES':
      return 'it needs privileges';
    case 'EADDRNOTAVAIL':
      return 'this host does not have that address';
    default:
      return code ?? message;
  }
}
