import assert from 'node:assert/strict';
import { test } from 'node:test';
import { programEnvironment, runProgram } from './program.ts';

const cwd = '/';

test('reports come while the program runs, its output at the end', async () => {
  const reports: string[] = [];
  const ran = await runProgram(['sh', '-c', 'echo one >&3; echo out; echo err >&2; echo two >&3'], {
    cwd,
    onReport: (line) => reports.push(line),
  });
  assert.deepEqual(reports, ['one', 'two']);
  assert.ok(ran.ok);
  assert.deepEqual([...ran.value].sort(), ['err', 'out']);
});

test('input stays open for who answers the output', async () => {
  const ran = await runProgram(['sh', '-c', 'echo ask; read -r answer; echo "got $answer"'], {
    cwd,
    onOutput: (line, input) => {
      if (line === 'ask') input.end('this\n');
    },
  });
  assert.deepEqual(ran, { ok: true, value: ['ask', 'got this'] });
});

test('a failure is told by the line that says most', async () => {
  const message = async (...command: [string, ...string[]]): Promise<string> => {
    const ran = await runProgram(command, { cwd });
    assert.ok(!ran.ok);
    return ran.error.message;
  };
  assert.equal(await message('sh', '-c', 'echo "E: no room" >&2; echo and more; exit 3'), 'sh failed: E: no room');
  assert.equal(await message('sh', '-c', 'echo first; echo last; exit 1'), 'sh failed: last');
  assert.equal(await message('sh', '-c', 'exit 4'), 'sh failed: it ended with status 4');
  assert.equal(await message('sh', '-c', 'kill -9 $$'), 'sh failed: it ended with SIGKILL');
  assert.match(await message('/no/such/program'), /^\/no\/such\/program failed: .*ENOENT/);
});

test('the tools of administrators are found, after the user’s own', () => {
  assert.equal(programEnvironment({ PATH: '/bin:/sbin' }).PATH, '/bin:/sbin:/usr/local/sbin:/usr/sbin');
  assert.equal(programEnvironment({}).LC_ALL, 'C.UTF-8');
});
