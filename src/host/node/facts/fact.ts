/** One thing that a host can or cannot do, and why. */
export interface Fact {
  /** For programs; never changes. */
  readonly id: string;
  readonly title: string;
  readonly state: 'yes' | 'no' | 'unknown';
  /** One line for people: what was found, and for a no what could change it. */
  readonly reason: string;
}

/** What the facts are read from. */
export interface HostReader {
  /** A small text file, or undefined when it cannot be read. */
  text(path: string): string | undefined;
  /** The names in a folder; none when it cannot be read. */
  names(path: string): readonly string[];
  /** The processor architecture in Node's words: x64, arm64 … */
  readonly architecture: string;
  openKvm(): KvmOpening;
}

export type KvmOpening =
  | { readonly kind: 'missing' }
  | { readonly kind: 'refused'; readonly reason: string }
  /** `apiVersion` is absent where there is no way to ask. */
  | { readonly kind: 'open'; readonly apiVersion?: number };

export function fact(id: string, title: string, state: Fact['state'], reason: string): Fact {
  return { id, title, state, reason };
}

/** The flags of the first processor in /proc/cpuinfo. */
export function cpuFlags(reader: HostReader): ReadonlySet<string> {
  const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(reader.text('/proc/cpuinfo') ?? '');
  return new Set(line?.[1]?.split(' ') ?? []);
}

/** A yes-or-no parameter of a kernel module: Y, N, 1 or 0. */
export function moduleSwitch(reader: HostReader, module: string, parameter: string): boolean | undefined {
  const value = reader.text(`/sys/module/${module}/parameters/${parameter}`)?.trim();
  return value === undefined ? undefined : value === 'Y' || value === '1';
}
