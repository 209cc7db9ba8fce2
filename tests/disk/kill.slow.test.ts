import { randomInt } from 'node:crypto';
import { describe } from 'node:test';
import { testFolder } from '../../src/host/node/disk/testing/folder.ts';
import { qemuToolsSkip } from '../../src/host/node/disk/testing/qemu-tools.ts';
import { defineKillLane } from './kill-lane.ts';

describe('a writer that is killed often', { skip: qemuToolsSkip() }, () => {
  defineKillLane(Number(process.env.CORBEL_DISK_SEED ?? randomInt(2 ** 31)), 20, testFolder());
});
