/** Reaches the agent in the guest of a virtual machine that runs. */
import type { Socket } from 'node:net';
import { userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { agentPort } from '../host/node/agent/frames.ts';
import { connectToGuest } from '../host/node/vsock/vsock-client.ts';
import { fail, type Result } from '../support/result.ts';

const namePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

/** Errors: kind `usage` for what cannot be a name, `input` for a virtual machine or agent that cannot be reached. */
export async function connectToAgent(name: string): Promise<Result<Socket>> {
  if (!namePattern.test(name)) return fail('usage', `"${name}" cannot be the name of a virtual machine.`);
  const connected = await connectToGuest(vsockSocket(name), agentPort);
  if (connected.ok) return connected;
  return connected.error.kind === 'refused'
    ? fail('input', `no agent answers in ${name}: its image has none, or the guest is still starting.`)
    : fail('input', `there is no virtual machine ${name} that runs with a vsock (${connected.error.message})`);
}

/** The socket of the vsock device, in the folder of the virtual machine's sockets. */
function vsockSocket(name: string): string {
  const runtime = process.env.XDG_RUNTIME_DIR;
  const base = runtime !== undefined && isAbsolute(runtime) ? join(runtime, 'corbel') : `/tmp/corbel-${userInfo().uid}`;
  return join(base, name, 'vsock.sock');
}
