/** A machine without a processor: what it does is named by the kernel's command line. Tests put it in a machine's place. */
import type { FurtherProcessor, Machine, MachineConfig, MachineHost, Outcome } from '../../../machine/config.ts';
import type { SharedMachine } from '../../../machine/shared-machine.ts';
import { fail, ok, type Result } from '../../../support/result.ts';
import { buffersOf } from '../boot-files.ts';

const encoder = new TextEncoder();
const waitNs = 5e9;
/** What the verb `prompt` begins with: from then on the machine runs, and a terminal is in its hands. */
export const prompt = 'ready> ';

/** Stands still and counts as a machine does. @returns whether the power button was pressed */
function meetRequests(host: MachineHost): boolean {
  if (host.pauseRequested()) {
    host.report({ kind: 'paused' });
    while (host.pauseRequested() && !host.stopRequested()) host.sleep(waitNs);
    host.report({ kind: 'resumed' });
  }
  let pressed = false;
  for (let request = host.takeRequest(); request !== undefined; request = host.takeRequest()) {
    if (request === 'power-button') pressed = true;
    else host.report({ kind: 'statistics', statistics: { instructions: 1234567 } });
  }
  return pressed;
}

/** Sends the console's input back until a `q`, or until the power button is pressed if the guest is a polite one. */
function echo(host: MachineHost, polite = false): Outcome {
  for (;;) {
    if (meetRequests(host) && polite) return { kind: 'power-off' };
    const byte = host.serialInput(0);
    if (host.stopRequested()) return { kind: 'stopped' };
    if (byte === 'q'.charCodeAt(0)) return { kind: 'power-off' };
    if (byte >= 0) host.serialOutput(0, Uint8Array.of(byte));
    else host.sleep(waitNs);
  }
}

/** Sends `count` bytes whose values count up. */
function flood(host: MachineHost, count: number): Outcome {
  for (let sent = 0; sent < count; sent += 1000) {
    host.serialOutput(
      0,
      Uint8Array.from({ length: Math.min(1000, count - sent) }, (_, i) => (sent + i) & 0xff),
    );
  }
  return { kind: 'power-off' };
}

/** Takes standard input through the channel until its end, as the guest's scripts do, and sends it back as output. */
function channel(host: MachineHost): Outcome {
  const say = (text: string): void => host.serialOutput(1, encoder.encode(text));
  const next = (): number => {
    for (;;) {
      const byte = host.serialInput(1);
      if (byte >= 0 || host.stopRequested()) return byte;
      host.sleep(waitNs);
    }
  };
  say('R\n');
  host.serialOutput(0, encoder.encode('console noise\n'));
  for (;;) {
    say('W 1000\n');
    let digits = '';
    for (let byte = next(); byte !== 0x0a && byte >= 0; byte = next()) digits += String.fromCharCode(byte);
    if (Number(digits) === 0) break;
    say(`O ${digits}\n`);
    host.serialOutput(1, Uint8Array.from({ length: Number(digits) }, next));
  }
  say('E 4\noops');
  say('X 7\n');
  while (!host.stopRequested()) host.sleep(waitNs);
  return { kind: 'stopped' };
}

/** What there still is of the files that the machine started from. */
const bytesOf = ({ boot }: MachineConfig): number =>
  buffersOf(boot).reduce((sum, { byteLength }) => sum + byteLength, 0);

function act(verb: string, value: number, config: MachineConfig, host: MachineHost): Outcome {
  switch (verb) {
    case 'echo':
      return echo(host);
    case 'polite':
      host.serialOutput(0, encoder.encode(prompt));
      return echo(host, true);
    case 'prompt':
      host.serialOutput(0, encoder.encode(prompt));
      return echo(host);
    case 'flood':
      return flood(host, value);
    case 'channel':
      return channel(host);
    case 'noise':
      host.serialOutput(0, encoder.encode('last words\n'));
      return { kind: 'power-off' };
    case 'config':
      host.serialOutput(
        0,
        encoder.encode(JSON.stringify({ ...config, boot: Object.keys(config.boot), bootBytes: bytesOf(config) })),
      );
      return { kind: 'power-off' };
    case 'debug-exit':
      return { kind: 'debug-exit', value };
    case 'die':
      return { kind: 'guest-died', reason: 'triple fault', report: 'rip=dead\n' };
    case 'reset':
      return { kind: 'reset' };
    case 'malformed':
      host.serialOutput(1, encoder.encode('hello\n'));
      while (!host.stopRequested()) host.sleep(waitNs);
      return { kind: 'stopped' };
    case 'sleep':
      while (!host.stopRequested()) host.sleep(waitNs);
      return { kind: 'stopped' };
    case 'spin':
      for (;;);
    default:
      throw new Error(`the fake machine does not know ${verb}`);
  }
}

export function createMachine(config: MachineConfig, _shared: SharedMachine, host: MachineHost): Result<Machine> {
  const { boot } = config;
  const commandLine = boot.kind === 'kernel' ? boot.commandLine : new TextDecoder().decode(boot.image);
  const words = commandLine.split(' ').filter((word) => !/[=]|^quiet$/.test(word));
  const [verb = '', value = '0'] = words;
  if (bytesOf(config) === 0) return fail('input', 'there is no kernel.');
  if (verb === 'refuse') return fail('input', 'the kernel is not one.');
  return ok({
    run: () => act(verb, Number(value), config, host),
    statistics: () => ({ instructions: 1234567 }),
    profile: () => [],
  });
}

/** Further processors have nothing to do. */
export const createProcessor = (): FurtherProcessor => ({ run: () => {}, statistics: () => ({}) });
