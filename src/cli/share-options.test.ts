import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseShares, parseVsock } from './share-options.ts';

test('--share: a folder, a tag and flags', () => {
  const parse = (text: string) => {
    const shares = parseShares([text]);
    assert.ok(shares.ok);
    return shares.value[0];
  };
  assert.deepEqual(parse('/srv:data'), { folder: '/srv', tag: 'data', readOnly: false, rootOwned: false });
  assert.deepEqual(parse('.:a,ro'), { folder: '.', tag: 'a', readOnly: true, rootOwned: false });
  assert.deepEqual(parse('a:b:c.d-e_f,owner=root,ro'), {
    folder: 'a:b',
    tag: 'c.d-e_f',
    readOnly: true,
    rootOwned: true,
  });
  assert.equal(parse('/one, two:x')?.folder, '/one, two');
});

test('--share: what is none', () => {
  for (const text of [
    '',
    'folder',
    ':tag',
    'folder:',
    'folder:,ro',
    'f:t/g',
    'f:t,rw',
    'f:t,',
    `f:${'t'.repeat(32)}`,
  ]) {
    const shares = parseShares([text]);
    assert.ok(!shares.ok, text);
    assert.equal(shares.error.kind, 'usage');
  }
  const twice = parseShares(['a:tag', 'b:tag']);
  assert.match(twice.ok ? '' : twice.error.message, /two of --share have the tag tag/);
  assert.equal(parseShares(Array.from({ length: 9 }, (_, i) => `a:${i}`)).ok, false);
});

test('--vsock: a path, and the number of the guest', () => {
  assert.deepEqual(parseVsock(undefined), { ok: true, value: undefined });
  assert.deepEqual(parseVsock('/tmp/a,b'), { ok: true, value: { path: '/tmp/a,b', guestCid: 3 } });
  assert.deepEqual(parseVsock('v.sock,cid=42'), { ok: true, value: { path: 'v.sock', guestCid: 42 } });
  for (const text of ['', ',cid=4', 'p,cid=2', 'p,cid=', 'p,cid=0x10', 'p,cid=4294967295']) {
    assert.equal(parseVsock(text).ok, false, text);
  }
});
