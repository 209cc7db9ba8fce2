/** One command in a guest that was started for it: waits for the guest's agent, runs the command, asks for power-off. */
import { setTimeout as delay } from 'node:timers/promises';
import { fail, ok, type Result } from '../../../support/result.ts';
import { connectToGuest } from '../vsock/vsock-client.ts';
import type { AgentFailure, RequestStreams } from './agent-request.ts';
import { agentPort } from './frames.ts';
import { execInGuest } from './guest-command.ts';

export interface AgentCommand {
  /** The socket of the guest's vsock device. */
  readonly socket: string;
  /** For the guest's shell. */
  readonly command: string;
  /** How long the guest may take until its agent answers. */
  readonly patienceMs: number;
}

/** Between two looks for an agent. */
const lookMs = 250;
const powerOffMs = 10_000;
/** Added to a signal's number, as shells do. */
const signalBase = 128;

/** The agent is there long before the network and all else that a command may need: it runs when the boot is over. */
const whenBooted = 'systemctl is-system-running --wait >/dev/null 2>&1 </dev/null; exec /bin/sh -c "$0"';

/**
 * Resolves with the command's exit status, as a shell has it. Errors: kind `agent`, none answers in time or it is of
 * another version; kind `connection`, it went away while the command ran.
 */
export async function runAgentCommand(
  agent: AgentCommand,
  streams: RequestStreams,
): Promise<Result<number, AgentFailure>> {
  const { socket, command, patienceMs } = agent;
  const deadline = performance.now() + patienceMs;
  const left = (): number => deadline - performance.now();
  const argv = ['/bin/sh', '-c', whenBooted, command];
  while (left() > 0) {
    const stream = await connectToGuest(socket, agentPort);
    if (stream.ok) {
      // systemd takes the connection early in the boot, and starts the agent for it later.
      const request = execInGuest(stream.value, { argv, environment: {} }, streams, Math.ceil(left()) + 1);
      const started = await request.started;
      if (started.ok || (started.error.kind !== 'connection' && left() > 0)) {
        const end = await request.ended;
        if (!end.ok) return end;
        return ok(end.value.kind === 'exit' ? end.value.status : signalBase + end.value.signal);
      }
    }
    await delay(Math.min(lookMs, Math.max(0, left())), undefined, { ref: false });
  }
  const waited = `${patienceMs / 1000} s`;
  return fail(
    'agent',
    `no agent answered in the guest within ${waited}: its image has none, or it needs longer (--exec-timeout).`,
  );
}

/** Asks the guest's init for it. @returns whether it was heard */
export async function powerOffByAgent(socket: string): Promise<boolean> {
  const stream = await connectToGuest(socket, agentPort);
  if (!stream.ok) return false;
  const nothing = { readInput: async () => new Uint8Array(0), output: async () => {}, errors: async () => {} };
  const command = { argv: ['systemctl', 'poweroff'], environment: {} };
  const request = execInGuest(stream.value, command, nothing, powerOffMs);
  const end = await request.ended;
  // The guest may end the agent before it can tell.
  return end.ok ? end.value.kind === 'signal' || end.value.status === 0 : (await request.started).ok;
}
