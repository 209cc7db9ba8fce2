/** What is to be reached, as data. A missed target is reported; nothing fails by it. */

export interface Target {
  /** Name of the measure. */
  readonly measure: string;
  readonly runner: string;
  readonly relation: '≤' | '<' | '≥';
  /** In the unit of the measure, or, with `over`, of the ratio to that runner: below 1 is better than it. */
  readonly limit: number;
  readonly over?: string;
  /** What would be better still. */
  readonly aim?: number;
}

/** No worse than QEMU. */
const asGood = (measure: string, aim?: number): Target => ({
  ...{ measure, runner: 'corbel', relation: '≤', limit: 1, over: 'qemu-tcg' },
  ...(aim === undefined ? {} : { aim }),
});

const engine: readonly Target[] = [
  { measure: 'boot-shell', runner: 'corbel-interpret', relation: '≤', limit: 30 },
  { measure: 'boot-speed', runner: 'corbel-interpret', relation: '≥', limit: 60 },
  { measure: 'memory-boot', runner: 'corbel-interpret', relation: '≤', limit: 200 },
  { measure: 'memory-idle', runner: 'corbel-interpret', relation: '≤', limit: 200 },
  { measure: 'memory-end', runner: 'corbel-interpret', relation: '≤', limit: 200 },
  { measure: 'idle', runner: 'corbel-interpret', relation: '<', limit: 3 },
];

const debian: readonly Target[] = [
  asGood('login', 0.7),
  { measure: 'idle-memory', runner: 'corbel', relation: '≤', limit: 250 },
  { measure: 'login-idle', runner: 'corbel', relation: '≤', limit: 3 },
  ...['ssh', 'fio-read', 'fio-write', 'fio-randread-16', 'fio-randwrite-16', 'fio-randread-1', 'fio-randwrite-1'].map(
    (measure) => asGood(measure),
  ),
  ...['iperf3-up', 'iperf3-down', 'pgbench', 'pgbench-4', 'pgbench-select', 'apt-update', 'apt-install'].map(
    (measure) => asGood(measure),
  ),
];

/** The factors are those of two processors: what more of them give depends on how many cores the host has. */
const processors: readonly Target[] = [
  ...['smp-login', 'smp-sha256', 'smp-zstd', 'smp-forks', 'smp-pgbench-4', 'smp-make'].map((measure) =>
    asGood(measure),
  ),
  ...['context', 'futex', 'mmap', 'pipe', 'fork'].map((stressor) => asGood(`smp-${stressor}`)),
  { measure: 'smp-sha256-gain-2', runner: 'corbel', relation: '≥', limit: 1.85 },
  { measure: 'smp-zstd-gain-2', runner: 'corbel', relation: '≥', limit: 1.85 },
  { measure: 'smp-make-gain-2', runner: 'corbel', relation: '≥', limit: 1.6 },
];

export const targets: readonly Target[] = [...engine, ...debian, ...processors];
