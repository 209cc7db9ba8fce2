/** Runs a program in a guest. */
import type { Duplex } from 'node:stream';
import { AgentRequest, type RequestStreams } from './agent-request.ts';
import { requestFrame } from './frames.ts';

export interface GuestCommand {
  /** None: the user's login shell. */
  readonly argv: readonly string[];
  /** Added to what a login of the user has. */
  readonly environment: Readonly<Record<string, string>>;
  /** The user's home if absent. */
  readonly directory?: string | undefined;
  /** A name or a number; root if absent. */
  readonly user?: string | undefined;
  /** Gives the program a terminal of that size; its errors come with its output then. */
  readonly terminal?: { readonly rows: number; readonly columns: number } | undefined;
}

/**
 * @param stream a connection to the agent; it is used up
 * @param patienceMs how long the agent may take to answer at all
 */
export function execInGuest(
  stream: Duplex,
  command: GuestCommand,
  streams: RequestStreams,
  patienceMs?: number,
): AgentRequest {
  const { argv, environment, directory, user, terminal } = command;
  const words = [
    ...argv.flatMap((word) => ['argv', word]),
    ...Object.entries(environment).flatMap(([name, value]) => ['env', `${name}=${value}`]),
    ...(directory === undefined ? [] : ['directory', directory]),
    ...(user === undefined ? [] : ['user', user]),
    ...(terminal === undefined ? [] : ['terminal', `${terminal.rows} ${terminal.columns}`]),
  ];
  return new AgentRequest(stream, requestFrame.execute, words, streams, patienceMs);
}
