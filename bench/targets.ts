/** What is to be reached, as data. A missed target is reported; nothing fails by it. */

export interface Target {
  /** Name of the measure. */
  readonly measure: string;
  readonly runner: string;
  readonly relation: '≤' | '<' | '≥';
  /** In the unit of the measure. */
  readonly limit: number;
}

export const targets: readonly Target[] = [
  { measure: 'boot-shell', runner: 'corbel-interpret', relation: '≤', limit: 30 },
  { measure: 'boot-speed', runner: 'corbel-interpret', relation: '≥', limit: 60 },
  { measure: 'memory-boot', runner: 'corbel-interpret', relation: '≤', limit: 200 },
  { measure: 'memory-idle', runner: 'corbel-interpret', relation: '≤', limit: 200 },
  { measure: 'memory-end', runner: 'corbel-interpret', relation: '≤', limit: 200 },
  { measure: 'idle', runner: 'corbel-interpret', relation: '<', limit: 3 },
];
