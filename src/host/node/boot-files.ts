/** The files that a machine starts from. */
import type { BootSource } from '../../machine/config.ts';

export function filesOf(boot: BootSource): readonly Uint8Array[] {
  if (boot.kind === 'firmware') return [boot.image];
  const { kernel, initrd, modules } = boot;
  return [kernel, ...(initrd === undefined ? [] : [initrd]), ...modules.map(({ data }) => data)];
}
