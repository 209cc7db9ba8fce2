import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareOutput, parseExpected } from './expected.ts';

const file = `# a comment
#! status qemu=0 corbel=75
#! qemu-lacks x2apic
first: ok
second: #GP error=28 rip=+0
#! qemu SDM Vol. 3A 6.13 | second: #GP error=0 rip=+0
done
`;

test('directives and lines are told apart', () => {
  const expected = parseExpected(file);
  assert.deepEqual(expected.status, { qemu: 0, corbel: 75 });
  assert.deepEqual(
    expected.lines.map((line) => line.text),
    ['first: ok', 'second: #GP error=28 rip=+0', 'done'],
  );
  assert.equal(expected.slow, false);
});

test('an unknown directive is refused', () => {
  assert.throws(() => parseExpected('#! statsu qemu=0\n'), /unknown directive/);
  assert.throws(() => parseExpected('a\n#! qemu b\n'), /SECTION/);
});

test('the right output is right for both', () => {
  const expected = parseExpected(file);
  const right = 'first: ok\r\nsecond: #GP error=28 rip=+0\ndone\n';
  assert.equal(compareOutput('qemu', expected, right), undefined);
  assert.equal(compareOutput('corbel', expected, right), undefined);
});

test('a known mistake of QEMU is accepted from QEMU alone', () => {
  const expected = parseExpected(file);
  const wrong = 'first: ok\nsecond: #GP error=0 rip=+0\ndone\n';
  assert.equal(compareOutput('qemu', expected, wrong), undefined);
  assert.equal(
    compareOutput('corbel', expected, wrong),
    '    - second: #GP error=28 rip=+0\n    + second: #GP error=0 rip=+0',
  );
});

test('a star stands for what changes with the source', () => {
  const expected = parseExpected('a: #GP rip=+0\n#! qemu SDM Vol. 3A 7.3 | a: #GP (?) rip=*\n');
  assert.equal(compareOutput('qemu', expected, 'a: #GP (?) rip=-46c\n'), undefined);
  assert.match(compareOutput('qemu', expected, 'a: #NP rip=-46c\n') ?? '', /- a: #GP/);
});

test('a missing feature is accepted from QEMU alone', () => {
  const expected = parseExpected(file);
  assert.equal(compareOutput('qemu', expected, 'absent: x2apic\n'), undefined);
  assert.match(compareOutput('corbel', expected, 'absent: x2apic\n') ?? '', /\+ absent: x2apic/);
  assert.match(compareOutput('qemu', expected, 'absent: pcid\n') ?? '', /\+ absent: pcid/);
});

test('missing and surplus lines show', () => {
  const expected = parseExpected('a\nb\nc\n');
  assert.equal(compareOutput('corbel', expected, 'a\nc\n'), '    - b');
  assert.equal(compareOutput('corbel', expected, 'a\nx\nb\nc\n'), '    + x');
  assert.match(compareOutput('corbel', expected, '') ?? '', /- a/);
});
