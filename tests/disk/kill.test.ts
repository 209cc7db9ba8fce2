import { describe } from 'node:test';
import { testFolder } from '../../src/host/node/disk/testing/folder.ts';
import { qemuToolsSkip } from '../../src/host/node/disk/testing/qemu-tools.ts';
import { defineKillLane } from './kill-lane.ts';

describe('a killed writer', { skip: qemuToolsSkip() }, () => {
  defineKillLane(Number(process.env.CORBEL_DISK_SEED ?? 1), 1, testFolder());
});
