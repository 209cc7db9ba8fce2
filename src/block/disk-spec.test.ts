import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageOf, value } from '../support/testing/expect.ts';
import { type DiskSpec, parseDiskSpec } from './disk-spec.ts';

const plain: DiskSpec = {
  file: 'disk.img',
  format: undefined,
  readOnly: false,
  snapshot: false,
  iops: undefined,
  bps: undefined,
};

test('what --disk takes', () => {
  const specs: [string, Partial<DiskSpec>][] = [
    ['disk.img', {}],
    ['disk.img,format=qcow2', { format: 'qcow2' }],
    ['disk.img,readonly,snapshot', { readOnly: true, snapshot: true }],
    ['disk.img,readonly=off,snapshot=on', { snapshot: true }],
    ['disk.img,iops=100,bps=10M', { iops: 100, bps: 10 * 2 ** 20 }],
    ['a,,b,,,readonly', { file: 'a,b,', readOnly: true }],
    [',,', { file: ',' }],
    ['key=value.img', { file: 'key=value.img' }],
    ['nbd://host:10809/a,,b', { file: 'nbd://host:10809/a,b' }],
    ['nbd+unix:///x?socket=/run/s', { file: 'nbd+unix:///x?socket=/run/s' }],
  ];
  for (const [text, changes] of specs) assert.deepEqual(value(parseDiskSpec(text)), { ...plain, ...changes }, text);
});

test('mistakes get a sentence that says what to do', () => {
  const wrong: [string, RegExp][] = [
    ['', /begins with the name/],
    [',readonly', /begins with the name/],
    ['x,fast', /"fast" is none of format, readonly, snapshot, iops, bps/],
    ['x,', /"" is none of/],
    ['my,file.img', /commas in the name are doubled/],
    ['x,readonly=maybe', /readonly is on or off/],
    ['x,snapshot=', /snapshot is on or off/],
    ['x,iops=0', /iops is a number/],
    ['x,iops=1e3', /iops is a number/],
    ['x,iops=99999999999', /iops is a number/],
    ['x,bps=fast', /bps is a number of bytes/],
    ['x,bps=0', /bps is a number of bytes/],
    ['x,format', /format is the name/],
    ['x,readonly,readonly', /there twice/],
  ];
  for (const [text, pattern] of wrong) assert.match(messageOf(parseDiskSpec(text)), pattern, text);
});
