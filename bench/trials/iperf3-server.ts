/** The end of a transfer that is on the host. */
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fail, ok, type Result } from '../../src/support/result.ts';
import { startOwned, withLastLine } from '../measure/owned-process.ts';

export interface Iperf3Server {
  readonly port: number;
  stop(): void;
}

const patienceMs = 10_000;

/** A TCP port of the host's own address that nobody has now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', reject);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Starts a server for one transfer; resolves when it listens. */
export async function startIperf3(): Promise<Result<Iperf3Server>> {
  const port = await freePort();
  const args = ['-s', '-1', '-B', '127.0.0.1', '-p', `${port}`, '--forceflush'];
  const { child, kill } = startOwned({ program: 'iperf3', args });
  let said = '';
  const listens = new Promise<string>((resolve) => {
    const read = (bytes: Buffer): void => {
      said += bytes.toString('utf8');
      if (said.includes('Server listening')) resolve('');
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('error', (error) => resolve(error.message));
    child.once('close', () => resolve(withLastLine('it ended', said)));
  });
  const waiting = new AbortController();
  const late = delay(patienceMs, 'it does not listen', { signal: waiting.signal }).catch(() => '');
  const reason = await Promise.race([listens, late]);
  waiting.abort();
  if (reason === '') return ok({ port, stop: kill });
  kill();
  return fail('unavailable', `iperf3 on the host: ${reason}`);
}
