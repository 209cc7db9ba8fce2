import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortBus } from '../../device-model/port-io.ts';
import { PostPort } from './post-port.ts';

test('the last code stays readable, for the guest and for diagnostics, across save and restore', () => {
  const ports = new PortBus();
  const post = new PostPort();
  post.attach(ports);
  ports.write(0x80, 1, 0x55);
  ports.write(0x80, 2, 0xaa_31);
  assert.equal(ports.read(0x80, 1), 0x31);
  assert.equal(post.code, 0x31);
  const other = new PostPort();
  other.restore(structuredClone(post.save()));
  assert.equal(other.code, 0x31);
  other.reset();
  assert.equal(other.code, 0);
});
