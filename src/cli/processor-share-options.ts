/** The values of `--cpu-shares`, `--cpu-limit` and `--cpu-reserve`. */
import type { ShareOptions } from '../host/node/fair-use/fair-use.ts';
import { fewestShares, mostShares } from '../host/node/fair-use/share-record.ts';
import { fail, ok, type Result } from '../support/result.ts';

/** With less a guest would not get through its first instructions. */
const leastCores = 0.01;
const mostCores = 4096;
/** From that on a number of cores that the host does not have was rather meant as one of hundredths. */
const rarelyCores = 10;

/**
 * @param value what was given for an option
 * @param hostCores what this host has
 */
export function parseProcessorShare(
  value: (option: string) => string | undefined,
  hostCores: number,
): Result<ShareOptions> {
  const shares = parseShares(value('cpu-shares'));
  if (!shares.ok) return shares;
  const limit = parseCores('cpu-limit', value('cpu-limit'), hostCores);
  if (!limit.ok) return limit;
  const reserve = parseCores('cpu-reserve', value('cpu-reserve'), hostCores);
  if (!reserve.ok) return reserve;
  const reserved = reserve.value ?? 0;
  if (limit.value !== undefined && reserved > limit.value) {
    return fail(
      'usage',
      `--cpu-reserve ${value('cpu-reserve')} is more than --cpu-limit ${value('cpu-limit')} allows.`,
    );
  }
  if (reserved > hostCores) {
    const has = hostCores === 1 ? 'one core' : `${hostCores} cores`;
    return fail('usage', `--cpu-reserve ${value('cpu-reserve')} is more than this host has: ${has}.`);
  }
  return ok({ shares: shares.value, limit: limit.value, reserve: reserved });
}

function parseShares(text: string | undefined): Result<number | undefined> {
  if (text === undefined) return ok(undefined);
  const shares = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0;
  if (shares >= fewestShares && shares <= mostShares) return ok(shares);
  return fail('usage', `--cpu-shares takes a number from ${fewestShares} to ${mostShares}, not "${text}".`);
}

/** `50%`, `150%`, `1.5`. */
function parseCores(option: string, text: string | undefined, hostCores: number): Result<number | undefined> {
  if (text === undefined) return ok(undefined);
  const [, digits, percent] = /^([0-9]+(?:\.[0-9]+)?)(%?)$/.exec(text) ?? [];
  const cores = digits === undefined ? 0 : percent === '%' ? Number(digits) / 100 : Number(digits);
  const isOdd = percent === '' && cores >= rarelyCores && cores > hostCores;
  if (cores >= leastCores && cores <= mostCores && !isOdd) return ok(cores);
  const hint = isOdd ? `; did you mean ${text}%?` : '.';
  return fail('usage', `--${option} takes cores from 0.01 on, like 0.5 or 1.5, or 50% or 150%, not "${text}"${hint}`);
}
