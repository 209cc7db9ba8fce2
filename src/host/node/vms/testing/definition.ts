import type { VmDefinition } from '../vm-records.ts';

export function definitionOf(name: string): VmDefinition {
  return {
    name,
    createdAt: '2026-01-02T03:04:05.000Z',
    arguments: ['--name', name],
    folder: '/',
    boots: 'kernel',
    memoryBytes: 2 ** 29,
    detached: true,
  };
}
