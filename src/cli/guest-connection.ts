/** Reaches the agent in the guest of a virtual machine that runs. */
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { agentPort } from '../host/node/agent/frames.ts';
import { socketName, vmSocketsFolder } from '../host/node/vms/vm-folders.ts';
import { parseVmName } from '../host/node/vms/vm-name.ts';
import { connectToGuest } from '../host/node/vsock/vsock-client.ts';
import { fail, type Result } from '../support/result.ts';

/** Errors: kind `usage` for what cannot be a name, `input` for a virtual machine or agent that cannot be reached. */
export async function connectToAgent(name: string): Promise<Result<Socket>> {
  const valid = parseVmName(name);
  if (!valid.ok) return valid;
  const folder = vmSocketsFolder(name);
  if (!folder.ok) return folder;
  const connected = await connectToGuest(join(folder.value, socketName.vsock), agentPort);
  if (connected.ok) return connected;
  return connected.error.kind === 'refused'
    ? fail('input', `no agent answers in ${name}: its image has none, or the guest is still starting.`)
    : fail('input', `there is no virtual machine ${name} that runs with a vsock (${connected.error.message})`);
}
