/** The guest's agent as a process of this host. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../guest/corbel-agent.pl', import.meta.url));

/** Why it cannot run here. */
export const noAgent = spawnSync('perl', ['-v']).status === 0 ? false : 'there is no perl';

export interface AgentProcess {
  readonly child: ChildProcess;
  readonly stream: Socket;
}

/** Starts it as systemd does for a connection: a socket is its standard input and output. */
export async function spawnAgent(): Promise<AgentProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'corbel-agent-'));
  const server = createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(join(folder, 'socket'), resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const stream = connect(join(folder, 'socket'));
  const socket = await accepted;
  const child = spawn('perl', [script], { stdio: [socket, socket, 'inherit'] });
  socket.destroy();
  server.close();
  rmSync(folder, { recursive: true });
  return { child, stream };
}

/** One that is gone after the test. */
export async function startAgent(context: TestContext): Promise<AgentProcess> {
  const agent = await spawnAgent();
  context.after(() => {
    agent.child.kill('SIGKILL');
    agent.stream.destroy();
  });
  return agent;
}
