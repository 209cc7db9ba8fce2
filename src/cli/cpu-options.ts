import type { MachineConfig } from '../machine/config.ts';
import { fail, ok, type Result } from '../support/result.ts';

type Topology = NonNullable<MachineConfig['topology']>;

const mostProcessors = 16;
const factors = ['sockets', 'cores', 'threads'] as const;
type Factor = (typeof factors)[number];
type Given = Partial<Record<Factor, number>>;

/**
 * Reads the value of `--cpus`: the number of processors, and how they share sockets and cores, like
 * `8,sockets=2,threads=2`. What is not given is worked out as QEMU's -smp does: cores before sockets before threads.
 */
export function parseCpus(text: string): Result<Topology> {
  const [count = '', ...parts] = text.split(',');
  const processors = parseCount(count);
  if (processors === undefined) {
    return fail('usage', `--cpus takes a number of processors from 1 to ${mostProcessors}, not "${count}".`);
  }
  const given: Given = {};
  for (const part of parts) {
    const [name = '', value = ''] = part.split(/=(.*)/s);
    const factor = factors.find((known) => known === name);
    if (factor === undefined) {
      return fail('usage', `--cpus has sockets=, cores= and threads= behind the number, not "${part}".`);
    }
    if (given[factor] !== undefined) return fail('usage', `--cpus has ${factor}= twice.`);
    const number = parseCount(value);
    if (number === undefined) {
      return fail('usage', `--cpus takes ${factor}= with a number from 1 to ${mostProcessors}, not "${value}".`);
    }
    given[factor] = number;
  }
  const topology = complete(processors, given);
  const { sockets, cores, threads } = topology;
  if (sockets * cores * threads === processors) return ok(topology);
  const product = factors.flatMap((factor) => given[factor] ?? []).reduce((all, each) => all * each, 1);
  const wanted = factors.filter((factor) => given[factor] !== undefined).map((factor) => `${factor}=${given[factor]}`);
  const why = wanted.length === factors.length ? `make ${product}` : `do not divide ${processors}`;
  const verb = wanted.length === 1 ? `does not divide ${processors}` : why;
  return fail('usage', `--cpus ${text} does not add up: ${wanted.join(', ')} ${verb}.`);
}

function complete(processors: number, { sockets, cores, threads }: Given): Topology {
  const share = (...others: number[]): number => Math.floor(processors / others.reduce((all, each) => all * each, 1));
  if (cores === undefined) {
    return { sockets: sockets ?? 1, cores: share(sockets ?? 1, threads ?? 1), threads: threads ?? 1 };
  }
  if (sockets === undefined) return { sockets: share(cores, threads ?? 1), cores, threads: threads ?? 1 };
  return { sockets, cores, threads: threads ?? share(sockets, cores) };
}

function parseCount(text: string): number | undefined {
  const count = /^[0-9]{1,2}$/.test(text) ? Number(text) : 0;
  return count >= 1 && count <= mostProcessors ? count : undefined;
}
