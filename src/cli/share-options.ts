/** The values of `--share` and `--vsock`. */
import type { ShareSpec } from '../host/node/shared-folder/shares.ts';
import type { VsockSpec } from '../host/node/vsock/vsock-sockets.ts';
import { fail, ok, type Result } from '../support/result.ts';

/** With the disks and the network they have to fit on the bus. */
const mostShares = 8;
/** Linux takes a longer tag, and QEMU does not. */
const tagPattern = /^[A-Za-z0-9._-]{1,31}$/;
const firstCid = 3;
/** Of a guest that was given none. */
export const defaultGuestCid = firstCid;
const lastCid = 0xffff_fffe;

/** `FOLDER:TAG`, and behind it `,ro` or `,owner=root`. The folder's name may have colons and commas. */
export function parseShares(texts: readonly string[]): Result<ShareSpec[]> {
  if (texts.length > mostShares) return fail('usage', `--share may be given ${mostShares} times at most.`);
  const shares: ShareSpec[] = [];
  for (const text of texts) {
    const [, folder = '', tag = '', flags = ''] = /^(.+):([^:,]*)((?:,[^,:]*)*)$/s.exec(text) ?? [];
    if (folder === '') return fail('usage', `--share takes a folder and a tag, FOLDER:TAG, not "${text}".`);
    if (!tagPattern.test(tag)) {
      return fail('usage', `the tag of --share is 1 to 31 letters, digits, dots, dashes, not "${tag}".`);
    }
    const words = flags.split(',').slice(1);
    const wrong = words.find((word) => word !== 'ro' && word !== 'owner=root');
    if (wrong !== undefined) return fail('usage', `--share knows ro and owner=root, not "${wrong}".`);
    if (shares.some((share) => share.tag === tag)) return fail('usage', `two of --share have the tag ${tag}.`);
    shares.push({ folder, tag, readOnly: words.includes('ro'), rootOwned: words.includes('owner=root') });
  }
  return ok(shares);
}

/** `PATH` or `PATH,cid=NUMBER`. */
export function parseVsock(text: string | undefined): Result<VsockSpec | undefined> {
  if (text === undefined) return ok(undefined);
  const [, path = '', cid = String(defaultGuestCid)] = /^(.*?)(?:,cid=([^,]*))?$/s.exec(text) ?? [];
  if (path === '') return fail('usage', '--vsock takes the path of a socket.');
  const guestCid = /^[0-9]+$/.test(cid) ? Number(cid) : 0;
  if (guestCid >= firstCid && guestCid <= lastCid) return ok({ path, guestCid });
  return fail('usage', `the cid of --vsock is a number from ${firstCid} to ${lastCid}, not "${cid}".`);
}
