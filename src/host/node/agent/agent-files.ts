/** The agent's files, for whoever makes images of guests. */
import { readFileSync } from 'node:fs';

export interface AgentFile {
  /** From the guest's root, without a leading slash. */
  readonly path: string;
  readonly mode: number;
  readonly text: string;
}

/** The unit that the guest's systemd has to start: it listens, and starts an agent for each connection. */
export const agentUnit = 'corbel-agent.socket';

const places: readonly (readonly [name: string, folder: string, mode: number])[] = [
  ['corbel-agent.pl', 'usr/lib/corbel', 0o755],
  [agentUnit, 'etc/systemd/system', 0o644],
  ['corbel-agent@.service', 'etc/systemd/system', 0o644],
];

export function agentFiles(): AgentFile[] {
  // They are no TypeScript: a build leaves them where the sources are.
  const folder = new URL(
    import.meta.url.endsWith('.ts') ? './guest/' : '../../src/host/node/agent/guest/',
    import.meta.url,
  );
  return places.map(([name, target, mode]) => ({
    path: `${target}/${name}`,
    mode,
    text: readFileSync(new URL(name, folder), 'utf8'),
  }));
}
