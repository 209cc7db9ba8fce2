/** The other side of a virtual machine's control socket; see protocol.ts. */
import { createConnection, type Socket } from 'node:net';
import { fail, type Result } from '../../../support/result.ts';
import { LineSplitter } from './line-splitter.ts';
import {
  type ControlCommand,
  type ControlCommands,
  type ControlError,
  type ControlRequest,
  encodeRequest,
  maxLineBytes,
  parseReply,
} from './protocol.ts';

/** Errors besides those of the server: `unreachable`, nobody is there; `timeout`, there is no answer in time. */
export type ControlResult<K extends ControlCommand> = Result<ControlCommands[K]['gives'], ControlError>;

const requestId = 1;

/**
 * Asks once, on a connection of its own.
 * @param path the control socket
 * @param timeoutMs for connection and answer together
 */
export function askControl<K extends ControlCommand>(
  path: string,
  request: Extract<ControlRequest, { readonly command: K }>,
  timeoutMs: number,
): Promise<ControlResult<K>> {
  return new Promise((resolve) => {
    const socket: Socket = createConnection(path);
    const splitter = new LineSplitter(maxLineBytes);
    const finish = (result: ControlResult<K>): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => finish(fail('timeout', 'it does not answer')), timeoutMs);
    socket.on('error', (error) => finish(fail('unreachable', error.message)));
    socket.on('close', () => finish(fail('unreachable', 'it has closed the connection')));
    socket.on('data', (bytes: Buffer) => {
      const lines = splitter.push(bytes);
      if (lines === undefined) finish(fail('malformed', 'its answer is too long'));
      else if (lines[0] !== undefined) finish(parseReply(lines[0], requestId, request.command as K));
    });
    socket.write(encodeRequest(requestId, request));
  });
}
