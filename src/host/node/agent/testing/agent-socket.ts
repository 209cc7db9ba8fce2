/** A socket like that of a vsock device, with the guest's agent on this host behind it. */
import type { ChildProcess } from 'node:child_process';
import { createServer, type Socket } from 'node:net';
import { spawnAgent } from './agent-process.ts';

export interface AgentSocket {
  close(): void;
}

/**
 * Grants connections to the agent's port, as a device whose guest runs systemd does; refuses others.
 * @param meet may take a connection first; with true it has
 */
export async function listenAsGuest(
  path: string,
  meet: (socket: Socket) => boolean = () => false,
): Promise<AgentSocket> {
  const children: ChildProcess[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', async (line) => {
      if (meet(socket)) return;
      if (line.toString() !== 'CONNECT 1024\n') {
        socket.destroy();
        return;
      }
      const agent = await spawnAgent();
      children.push(agent.child);
      agent.stream.on('error', () => socket.destroy());
      agent.stream.on('close', () => socket.destroySoon());
      socket.on('close', () => agent.stream.destroy());
      socket.write('OK 1073741825\n');
      socket.pipe(agent.stream).pipe(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    close: () => {
      server.close();
      for (const child of children) child.kill('SIGKILL');
    },
  };
}
