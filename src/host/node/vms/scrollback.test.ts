import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Scrollback } from './scrollback.ts';

const shown = (scrollback: Scrollback): string => Buffer.from(scrollback.text()).toString();

test('all is there until it is too much, then whole lines', () => {
  const scrollback = new Scrollback(16);
  assert.equal(shown(scrollback), '');
  scrollback.push(Buffer.from('first\nsec'));
  assert.equal(shown(scrollback), 'first\nsec');
  scrollback.push(Buffer.from('ond\nthird\n'));
  assert.equal(shown(scrollback), 'second\nthird\n');
  scrollback.push(Buffer.from('x'.repeat(100)));
  assert.equal(shown(scrollback), 'x'.repeat(16), 'no line ends in it');
});

test('it does not keep more than it shows, however it comes', () => {
  const scrollback = new Scrollback(1000);
  for (let i = 0; i < 100_000; i++) scrollback.push(Buffer.from('0123456789\n'));
  assert.ok(shown(scrollback).length <= 1000);
  assert.ok(shown(scrollback).length > 900);
});

test('questions to the terminal are not asked again, colours and bytes stay', () => {
  const scrollback = new Scrollback(1000);
  scrollback.push(Buffer.from('a\x1b[6nb\x1b[cc\x1b[>0cd\x1b[?6ne\x1b[1;31mf\x1b[2Jg\xff', 'latin1'));
  assert.equal(Buffer.from(scrollback.text()).toString('latin1'), 'abcde\x1b[1;31mf\x1b[2Jg\xff');
});
