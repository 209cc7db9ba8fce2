import { type CpioEntry, writeCpio } from './cpio.ts';
import {
  channelLibrary,
  commandScript,
  dhcpScript,
  initScript,
  interactiveScript,
  linesScript,
  networkScript,
  shutdownScript,
} from './scripts.ts';

/** What the guest does once it is up. */
export type Session =
  | {
      readonly kind: 'interactive';
      /** The guest's terminal device. */
      readonly device: 'ttyS0' | 'hvc0';
      readonly terminal: string;
      readonly rows: number;
      readonly columns: number;
    }
  | { readonly kind: 'lines' }
  | { readonly kind: 'command'; readonly command: string };

const encoder = new TextEncoder();

function script(path: string, text: string): CpioEntry {
  return { kind: 'file', path, mode: 0o755, data: encoder.encode(text) };
}

function text(path: string, content: string): CpioEntry {
  return { kind: 'file', path, mode: 0o644, data: encoder.encode(content) };
}

function directory(path: string): CpioEntry {
  return { kind: 'directory', path, mode: 0o755 };
}

function sessionEntries(session: Session): CpioEntry[] {
  switch (session.kind) {
    case 'interactive': {
      const profile = `export TERM=${session.terminal} HOME=/root PATH=/bin
stty rows ${session.rows} cols ${session.columns}
# The last thing before the prompt: from here on, what is typed is not lost.
[ -e /run/ready ] || { : >/run/ready; echo R >/dev/ttyS1; }
`;
      return [script('corbel/session', interactiveScript), text('etc/profile', profile)];
    }
    case 'lines':
      return [script('corbel/session', linesScript)];
    case 'command':
      return [script('corbel/session', commandScript), text('corbel/command', session.command)];
  }
}

/** A network card, `eth` and its number. */
export interface GuestCard {
  /** Whether an address is certain to come: then the session starts with it. */
  readonly hasDhcp: boolean;
}

export interface UserlandParts {
  readonly busybox: Uint8Array;
  /** An archive of kernel modules, and the names of those that are loaded, in order; absent: none. */
  readonly modules?: { readonly archive: Uint8Array; readonly load: readonly string[] } | undefined;
  readonly cards?: readonly GuestCard[] | undefined;
}

/**
 * The initramfs of the linux guest: busybox, the scripts, and what this session is for. Not compressed, because the
 * guest would have to unpack it on an emulated processor.
 */
export function buildUserland(parts: UserlandParts, session: Session): Uint8Array {
  const { busybox, modules, cards = [] } = parts;
  const terminal = session.kind === 'interactive' ? session.device : 'ttyS0';
  const inittab = `${terminal}::once:/corbel/session\n::shutdown:/corbel/shutdown\n::ctrlaltdel:/bin/reboot\n`;
  const own = writeCpio([
    ...['bin', 'dev', 'etc', 'root', 'corbel'].map(directory),
    { kind: 'character', path: 'dev/console', mode: 0o600, device: [5, 1] },
    { kind: 'file', path: 'bin/busybox', mode: 0o755, data: busybox },
    { kind: 'link', path: 'bin/sh', target: 'busybox' },
    script('init', initScript),
    text('etc/inittab', inittab),
    text('etc/passwd', 'root::0:0:root:/root:/bin/sh\n'),
    text('etc/group', 'root::0:\n'),
    text('corbel/channel', channelLibrary),
    script('corbel/shutdown', shutdownScript),
    script('corbel/dhcp', dhcpScript),
    script('corbel/network', networkScript(cards)),
    text('corbel/modules', (modules?.load ?? []).map((name) => `${name}\n`).join('')),
    ...sessionEntries(session),
  ]);
  // Archives one behind the other are as good as one.
  return modules === undefined ? own : Buffer.concat([own, modules.archive]);
}
