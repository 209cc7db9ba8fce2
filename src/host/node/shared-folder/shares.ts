/** Shared folders as the user names them. */
import type { FileTree } from '../../../ninep/file-tree.ts';
import { fail, ok, type Result } from '../../../support/result.ts';
import { openSharedFolder } from './shared-folder.ts';

export interface ShareSpec {
  readonly folder: string;
  /** What the guest mounts it by. */
  readonly tag: string;
  readonly readOnly: boolean;
  readonly rootOwned: boolean;
}

export interface OpenShare {
  readonly spec: ShareSpec;
  readonly tree: FileTree;
}

/** Opens all, or none. Errors: kind `input`, a sentence about the folder. */
export async function openShares(specs: readonly ShareSpec[]): Promise<Result<OpenShare[]>> {
  const shares: OpenShare[] = [];
  for (const spec of specs) {
    const tree = await openSharedFolder(spec.folder);
    if (!tree.ok) return fail('input', tree.error.message);
    shares.push({ spec, tree: tree.value });
  }
  return ok(shares);
}
