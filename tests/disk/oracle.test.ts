import { describe, test } from 'node:test';
import { testFolder } from '../../src/host/node/disk/testing/folder.ts';
import { qemuToolsSkip } from '../../src/host/node/disk/testing/qemu-tools.ts';
import { oracleCases, runOracleCase } from './oracle.ts';

describe('random requests, judged by qemu-img', { skip: qemuToolsSkip() }, () => {
  oracleCases.forEach((oracleCase, index) => {
    const path = testFolder();
    test(oracleCase.name, (t) => {
      const seed = Number(process.env.CORBEL_DISK_SEED ?? index + 1);
      t.diagnostic(`CORBEL_DISK_SEED=${seed}`);
      return runOracleCase(oracleCase, seed, 100, path);
    });
  });
});
