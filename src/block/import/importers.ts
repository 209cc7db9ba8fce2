import type { Importer } from './importer.ts';
import { vdi } from './vdi.ts';
import { vhd } from './vhd.ts';
import { vhdx } from './vhdx/vhdx.ts';
import { vmdk } from './vmdk/vmdk.ts';

/** Formats of other products, to be probed in this order. */
export const importers: readonly Importer[] = [vmdk, vdi, vhdx, vhd];
