import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { agentFiles, agentUnit } from './agent-files.ts';
import { agentPort } from './frames.ts';

test('the files go where their units look for them, and listen where the host connects', () => {
  const files = new Map(agentFiles().map(({ path, text }) => [path, text]));
  const unit = files.get(`etc/systemd/system/${agentUnit}`);
  const service = files.get('etc/systemd/system/corbel-agent@.service');
  assert.match(unit ?? '', new RegExp(`^ListenStream=vsock::${agentPort}$`, 'm'));
  const program = /^ExecStart=\/usr\/bin\/perl \/(.+)$/m.exec(service ?? '')?.[1];
  assert.match(files.get(program ?? '') ?? '', /^#!\/usr\/bin\/perl\n/);
});

const noVerifier = spawnSync('systemd-analyze', ['--version']).status === 0 ? false : 'there is no systemd-analyze';

test('systemd finds nothing wrong with the units', { skip: noVerifier }, () => {
  const folder = new URL('./guest/', import.meta.url).pathname;
  const { stderr } = spawnSync('systemd-analyze', [
    'verify',
    '--man=no',
    `${folder}${agentUnit}`,
    `${folder}corbel-agent@.service`,
  ]);
  const complaints = stderr.toString().split('\n');
  assert.deepEqual(
    complaints.filter((line) => line.includes('corbel-agent') && /Unknown|Failed to parse|ignoring/.test(line)),
    [],
  );
});
