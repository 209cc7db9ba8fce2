import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageOf, value } from '../support/testing/expect.ts';
import { checkCreateRequest, parseFormatOptions } from './create-image.ts';

function check(format: string, options: string, more: { backingFile?: string; sizeBytes?: number } = {}) {
  return checkCreateRequest({ format, sizeBytes: 1 << 20, options: value(parseFormatOptions(options)), ...more });
}

test('options are a list of names and values', () => {
  assert.deepEqual(
    [...value(parseFormatOptions('a=1,b=x,,y,c='))],
    [
      ['a', '1'],
      ['b', 'x,y'],
      ['c', ''],
    ],
  );
  for (const text of ['', 'a', '=1', 'a=1,', 'a=1,b']) assert.match(messageOf(parseFormatOptions(text)), /NAME=VALUE/);
});

test('what qemu-img takes is taken', () => {
  for (const options of [
    'cluster_size=64k',
    'cluster_size=2M,compat=1.1,refcount_bits=1,lazy_refcounts=on,compression_type=zstd',
    'compat=0.10,preallocation=off,encryption=off',
    'compat=v3,lazy_refcounts=off,compression_type=zlib,extended_l2=off',
  ]) {
    value(check('qcow2', options));
  }
  value(check('raw', 'preallocation=off'));
});

test('what cannot be is named', () => {
  const wrong: [string, string, RegExp][] = [
    ['qcow2', 'cluster_size=1000', /power of two from 512 to 2M/],
    ['qcow2', 'cluster_size=4M', /power of two from 512 to 2M/],
    ['qcow2', 'cluster_size=big', /power of two/],
    ['qcow2', 'refcount_bits=3', /1, 2, 4, 8, 16, 32 or 64/],
    ['qcow2', 'refcount_bits=128', /1, 2, 4, 8, 16, 32 or 64/],
    ['qcow2', 'compat=2', /compat is/],
    ['qcow2', 'compat=0.10,refcount_bits=8', /need version 3/],
    ['qcow2', 'compat=0.10,lazy_refcounts=on', /need version 3/],
    ['qcow2', 'compression_type=lz4', /zlib or zstd/],
    ['qcow2', 'preallocation=full', /cannot have preallocation=full/],
    ['qcow2', 'extended_l2=on', /cannot have extended_l2=on/],
    ['raw', 'cluster_size=64k', /no option cluster_size/],
    ['vmdk', 'cluster_size=64k', /cannot be written, only raw and qcow2/],
  ];
  for (const [format, options, pattern] of wrong) assert.match(messageOf(check(format, options)), pattern, options);
  assert.match(messageOf(check('raw', 'size=1', { backingFile: 'x' })), /cannot have a backing file/);
  assert.match(
    messageOf(check('qcow2', 'cluster_size=512', { sizeBytes: 2 ** 40 })),
    /the disk can have 137438953472 at most/,
  );
});
