import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { ProgressLine, progressText } from './progress.ts';

function terminal(isTTY: boolean): { stream: NodeJS.WriteStream; written: () => string } {
  let text = '';
  const stream = new Writable({
    write: (chunk, _, done) => {
      text += chunk;
      done();
    },
  });
  return {
    stream: Object.assign(stream, { isTTY, columns: 30 }) as unknown as NodeJS.WriteStream,
    written: () => text,
  };
}

test('a bar is as long as its share', () => {
  assert.equal(progressText('waiting'), 'corbel: waiting …');
  assert.equal(progressText('x', 0), `corbel: x [${'.'.repeat(24)}]   0 %`);
  assert.equal(progressText('x', 0.5), `corbel: x [${'#'.repeat(12)}${'.'.repeat(12)}]  50 %`);
  assert.equal(progressText('x', 2), `corbel: x [${'#'.repeat(24)}] 100 %`);
});

test('a terminal sees each text once and never more than its width; a file sees nothing', () => {
  const screen = terminal(true);
  const line = new ProgressLine(screen.stream);
  line.show('a long piece of work', 0.25);
  const once = screen.written();
  line.show('a long piece of work', 0.25);
  assert.equal(screen.written(), once);
  assert.ok(once.includes('corbel: a long piece of work '), once);
  assert.ok(!once.includes('##'), once);
  line.clear();
  const cleared = screen.written();
  assert.ok(cleared.length > once.length);
  line.clear();
  assert.equal(screen.written(), cleared);
  const file = terminal(false);
  new ProgressLine(file.stream).show('work', 0.5);
  assert.equal(file.written(), '');
});
