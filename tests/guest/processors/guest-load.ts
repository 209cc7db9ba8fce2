/** Shell functions that keep the linux guest's processors at work, and what its kernel says of them. */

/**
 * `start_load N` starts N workers, each of which reads, compresses and compares until `end_load`, which shows what went
 * wrong and how many rounds did not.
 */
export const loadFunctions = `
head -c 500000 /dev/urandom >/tmp/data
want=$(sha256sum </tmp/data)
worker() {
  while [ ! -e /tmp/enough ]; do
    [ "$(sha256sum </tmp/data)" = "$want" ] || echo 'wrong sum'
    gzip -1c /tmp/data | gunzip -c | cmp - /tmp/data || echo 'wrong bytes'
    echo >>/tmp/rounds
  done
}
start_load() { for n in $(seq $1); do worker & done; }
end_load() { : >/tmp/enough; wait; echo rounds $(wc -l </tmp/rounds); }
`;

/** Shows the kernel's log, at the end of what a command shows. */
export const showLog = "echo; echo '== kernel =='; dmesg";

/** What a kernel says when something is wrong with it. */
const complaint =
  /WARNING:|BUG:|BUG |soft lockup|hard LOCKUP|rcu.*stall|self-detected|hung_task|blocked for more|Oops|general protection|segfault|unable to handle|Call Trace|unstable|failed to respond|Not responding|timed out/i;
/** What it says of itself in every boot. */
const harmless = /and report a bug$/;

export interface GuestAccount {
  /** What the command itself showed. */
  readonly output: string;
  /** The kernel's log, after `showLog`. */
  readonly log: string;
  /** Lines of that log that tell of a defect. */
  readonly complaints: readonly string[];
}

/** Takes what a guest's command has shown apart. */
export function readAccount(stdout: string): GuestAccount {
  const [output = '', log = ''] = stdout.split('\n== kernel ==\n');
  return { output, log, complaints: kernelComplaints(log) };
}

const kernelComplaints = (log: string): readonly string[] =>
  log.split('\n').filter((line) => complaint.test(line) && !harmless.test(line));
