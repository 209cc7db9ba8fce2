/** A whole Debian with one processor: boot, disk, network, database, packages. */
import { runProgram } from '../../src/host/node/program.ts';
import type { LoginMeasures } from '../measure/debian-boots.ts';
import { debianTrials, guestProxyOption } from '../trials/debian-trials.ts';
import { runDebian, runnerNames } from './debian-suite.ts';
import type { Suite } from './suite.ts';

const measures: LoginMeasures = {
  login: { name: 'login', title: 'power-on to the login prompt', unit: 's', better: 'less' },
  memory: { name: 'login-memory', title: 'memory beside the guest, at the prompt', unit: 'MB', better: 'less' },
};

/** Few rounds, so that the suite takes a quarter of an hour. */
const defaultRuns = 2;

/** This host's own way to the archive, if it has one for packages. */
async function proxyOption(): Promise<string> {
  const told = await runProgram(['apt-config', 'shell', 'PROXY', 'Acquire::http::Proxy'], { cwd: '/' });
  return told.ok ? guestProxyOption(told.value.join('\n')) : '';
}

export const debianSuite: Suite = {
  name: 'debian',
  title: 'Debian on Corbel and on QEMU: boot, disk, network, database',
  measures: ['login', 'login-memory', ...debianTrials('').map(({ measure }) => measure.name)],
  runners: runnerNames,
  defaultRuns,
  run: async (options, tools) => {
    const runs = options.runs ?? defaultRuns;
    const trials = debianTrials(await proxyOption());
    return runDebian({ suite: 'debian', runs, processors: 1, measures, trials }, options, tools);
  },
};
