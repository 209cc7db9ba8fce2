/** Connects to a port in a guest, through the UNIX socket of its vsock device. */
import { connect, type Socket } from 'node:net';
import { fail, ok, type Result } from '../../../support/result.ts';

const longestAnswerBytes = 32;
const answerMs = 15_000;

/**
 * As Firecracker has it: the line `CONNECT port` asks for a connection, `OK` and a number grant it.
 * Errors: kind `unreachable` if there is no such socket or nobody behind it, `refused` if nobody listens on the port.
 */
export function connectToGuest(path: string, port: number): Promise<Result<Socket>> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let answer = Buffer.alloc(0);
    const timer = setTimeout(() => finish(fail('unreachable', 'the guest does not answer on its vsock.')), answerMs);
    const finish = (result: Result<Socket>): void => {
      clearTimeout(timer);
      socket.off('data', take);
      socket.removeAllListeners('error');
      socket.removeAllListeners('close');
      if (!result.ok) socket.on('error', () => {}).destroy();
      resolve(result);
    };
    const take = (bytes: Buffer): void => {
      answer = Buffer.concat([answer, bytes]);
      const end = answer.indexOf('\n');
      if (end < 0 && answer.length <= longestAnswerBytes) return;
      if (!/^OK [0-9]+$/.test(answer.toString('latin1', 0, Math.max(0, end)))) {
        finish(fail('unreachable', `${path} is not the socket of a vsock device.`));
        return;
      }
      socket.pause();
      if (answer.length > end + 1) socket.unshift(answer.subarray(end + 1));
      finish(ok(socket));
    };
    socket.on('data', take);
    socket.on('error', (error) => finish(fail('unreachable', `${path} cannot be reached (${error.message}).`)));
    socket.on('close', () => finish(fail('refused', `nothing in the guest listens on vsock port ${port}.`)));
    socket.write(`CONNECT ${port}\n`);
  });
}
