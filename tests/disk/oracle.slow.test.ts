import { randomInt } from 'node:crypto';
import { describe, test } from 'node:test';
import { testFolder } from '../../src/host/node/disk/testing/folder.ts';
import { qemuToolsSkip } from '../../src/host/node/disk/testing/qemu-tools.ts';
import { oracleCases, runOracleCase } from './oracle.ts';

describe('many random requests, judged by qemu-img', { skip: qemuToolsSkip() }, () => {
  for (const oracleCase of oracleCases) {
    const path = testFolder();
    test(oracleCase.name, (t) => {
      const seed = Number(process.env.CORBEL_DISK_SEED ?? randomInt(2 ** 31));
      t.diagnostic(`CORBEL_DISK_SEED=${seed}`);
      return runOracleCase(oracleCase, seed, 1000, path);
    });
  }
});
