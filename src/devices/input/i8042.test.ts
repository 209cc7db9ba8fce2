import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rubbish, TestBoard, TestLine } from '../testing/test-board.ts';
import { I8042 } from './i8042.ts';

function board() {
  const base = new TestBoard();
  const [irq1, irq12, a20] = [new TestLine(), new TestLine(), new TestLine()];
  let resets = 0;
  const i8042 = new I8042({
    irq1,
    irq12,
    a20,
    requestReset: () => {
      resets++;
    },
  });
  i8042.attach(base.ports);
  const status = () => base.inb(0x64);
  /** A driver's read: waits for the output buffer. */
  const read = () => {
    assert.equal(status() & 1, 1, 'output buffer is empty');
    return base.inb(0x60);
  };
  const drain = () => {
    const bytes: number[] = [];
    while ((status() & 1) !== 0) bytes.push(base.inb(0x60));
    return bytes;
  };
  const command = (value: number, ...data: number[]) => {
    base.out(0x64, value);
    for (const byte of data) base.out(0x60, byte);
  };
  const keyboard = (...bytes: number[]) => {
    for (const byte of bytes) base.out(0x60, byte);
    return drain();
  };
  const mouse = (...bytes: number[]) => {
    for (const byte of bytes.slice(0, -1)) {
      command(0xd4, byte);
      drain();
    }
    command(0xd4, bytes.at(-1) as number);
    return drain();
  };
  return { base, i8042, irq1, irq12, a20, status, read, drain, command, keyboard, mouse, resets: () => resets };
}

test('self test, interface tests and the command byte', () => {
  const b = board();
  assert.deepEqual(b.drain(), []);
  b.command(0xaa);
  assert.equal(b.read(), 0x55);
  b.command(0xab);
  assert.equal(b.read(), 0x00);
  b.command(0xa9);
  assert.equal(b.read(), 0x00);
  b.command(0x20);
  assert.equal(b.read(), 0x65, 'keyboard interrupt, tested, mouse off, translating');
  b.command(0x60, 0x03);
  b.command(0x20);
  assert.equal(b.read(), 0x03);
  b.command(0xa4);
  assert.equal(b.read(), 0xf1, 'no password');
  b.command(0x7f, 0x99);
  b.command(0x3f);
  assert.equal(b.read(), 0x99);
});

test('status tells commands from data', () => {
  const b = board();
  b.command(0x60);
  assert.equal(b.status(), 0x1c);
  b.base.out(0x60, 0x65);
  assert.equal(b.status(), 0x14);
});

test('the AUX probe of Linux', () => {
  const b = board();
  b.command(0xd3, 0x5a);
  assert.equal(b.status() & 0x21, 0x21);
  assert.equal(b.read(), 0x5a);
  b.command(0xa9);
  assert.equal(b.read(), 0x00);
  b.command(0xa8);
  b.command(0x20);
  assert.equal(b.read() & 0x20, 0);
  b.command(0xa7);
  b.command(0x20);
  assert.equal(b.read() & 0x20, 0x20);
  for (const byte of [0xf0, 0x56, 0xa4]) {
    b.command(0xd3, byte);
    assert.equal(b.read(), byte, 'no multiplexer');
  }
  b.command(0x60, 0x47);
  b.command(0xd3, 0xa5);
  assert.equal(b.irq12.level, true, 'the interrupt arrives');
  assert.equal(b.read(), 0xa5);
  assert.equal(b.irq12.level, false);
});

test('the keyboard identifies itself, translated and not', () => {
  const b = board();
  assert.deepEqual(b.keyboard(0xf2), [0xfa, 0xab, 0x41]);
  b.command(0x60, 0x25);
  assert.deepEqual(b.keyboard(0xf2), [0xfa, 0xab, 0x83]);
  assert.deepEqual(b.keyboard(0xff), [0xfa, 0xaa]);
  assert.deepEqual(b.keyboard(0xee), [0xee]);
  assert.deepEqual(b.keyboard(0xfe), [0xee], 'resend');
  assert.deepEqual(b.keyboard(0x77), [0xfe], 'not a command');
});

test('LEDs, typematic rate and scan code sets', () => {
  const b = board();
  b.command(0x60, 0x25);
  assert.deepEqual(b.keyboard(0xed), [0xfa]);
  assert.deepEqual(b.keyboard(0x05), [0xfa]);
  assert.equal(b.i8042.keyboard.leds, 5);
  assert.deepEqual(b.keyboard(0xf3), [0xfa]);
  assert.deepEqual(b.keyboard(0x20), [0xfa]);
  b.keyboard(0xf0);
  assert.deepEqual(b.keyboard(0x00), [0xfa, 0x02]);
  b.keyboard(0xf0);
  assert.deepEqual(b.keyboard(0x01), [0xfa]);
  b.i8042.injectScancodes([0xe0, 0xf0, 0x75]);
  assert.deepEqual(b.drain(), [0xe0, 0xc8]);
  b.keyboard(0xf0);
  assert.deepEqual(b.keyboard(0x03), [0xfe], 'set 3 is not offered');
  b.keyboard(0xed);
  assert.deepEqual(b.keyboard(0xf4), [0xfa], 'a command instead of the parameter');
  assert.equal(b.i8042.keyboard.leds, 5);
});

test('keys reach the guest in set 1, one edge of IRQ1 a byte', () => {
  const b = board();
  b.i8042.injectScancodes([0x1c]);
  b.i8042.injectScancodes([0xf0, 0x1c]);
  assert.equal(b.irq1.edges, 1);
  assert.equal(b.read(), 0x1e);
  assert.equal(b.irq1.edges, 2);
  assert.equal(b.read(), 0x9e);
  assert.equal(b.irq1.level, false);
  assert.equal(b.base.inb(0x60), 0x9e, 'an empty buffer repeats its last byte');
  assert.equal(b.irq1.edges, 2);
});

test('a disabled interface holds keys back, a disabled keyboard drops them', () => {
  const b = board();
  b.command(0xad);
  b.i8042.injectScancodes([0x1c]);
  assert.deepEqual(b.drain(), []);
  b.command(0xae);
  assert.deepEqual(b.drain(), [0x1e]);
  assert.deepEqual(b.keyboard(0xf5), [0xfa]);
  b.i8042.injectScancodes([0x1c]);
  assert.deepEqual(b.drain(), []);
  assert.deepEqual(b.keyboard(0xf4), [0xfa]);
  b.i8042.injectScancodes([0x1c]);
  assert.deepEqual(b.drain(), [0x1e]);
});

test('sending to the keyboard switches its interface on', () => {
  const b = board();
  b.command(0xad);
  assert.deepEqual(b.keyboard(0xf2), [0xfa, 0xab, 0x41]);
});

test('a guest that does not read loses keys, never half of one', () => {
  const b = board();
  b.command(0x60, 0x25);
  for (let i = 0; i < 100; i++) b.i8042.injectScancodes([0xe0, 0xf0, 0x75]);
  const bytes = b.drain();
  assert.ok(bytes.length <= 17);
  assert.equal(bytes.pop(), 0x00, 'overrun');
  assert.deepEqual(
    bytes,
    bytes.map((_, i) => [0xe0, 0xf0, 0x75][i % 3]),
  );
});

test('the mouse answers as psmouse asks', () => {
  const b = board();
  b.command(0x60, 0x47);
  assert.deepEqual(b.mouse(0xff), [0xfa, 0xaa, 0x00]);
  assert.deepEqual(b.mouse(0xf2), [0xfa, 0x00]);
  assert.deepEqual(b.mouse(0xe9), [0xfa, 0x00, 0x02, 0x64]);
  assert.deepEqual(b.mouse(0xe8, 0x03), [0xfa]);
  assert.deepEqual(b.mouse(0xf3, 0x50), [0xfa]);
  assert.deepEqual(b.mouse(0xe7), [0xfa]);
  assert.deepEqual(b.mouse(0xf4), [0xfa]);
  assert.deepEqual(b.mouse(0xe9), [0xfa, 0x30, 0x03, 0x50]);
  assert.deepEqual(b.mouse(0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf2), [0xfa, 0x00], 'no wheel');
  assert.deepEqual(b.mouse(0xeb), [0xfa, 0x08, 0x00, 0x00]);
  assert.deepEqual(b.mouse(0xee), [0xfa]);
  assert.deepEqual(b.mouse(0x12), [0x12], 'wrap mode echoes');
  assert.deepEqual(b.mouse(0xec), [0xfa]);
  assert.deepEqual(b.mouse(0xe1), [0xfe]);
  assert.deepEqual(b.mouse(0xf6), [0xfa]);
  assert.deepEqual(b.mouse(0xe9), [0xfa, 0x00, 0x02, 0x64]);
  assert.ok(b.irq12.edges > 20);
});

test('mouse bytes are marked and interrupt on IRQ12 alone', () => {
  const b = board();
  b.command(0x60, 0x47);
  const before = b.irq1.edges;
  b.command(0xd4, 0xf2);
  assert.equal(b.status() & 0x21, 0x21);
  assert.equal(b.irq12.level, true);
  assert.equal(b.irq1.edges, before);
  b.drain();
});

test('reset: the FEh pulse, and bit 0 of the output port', () => {
  const b = board();
  b.command(0xff);
  b.command(0xf1);
  assert.equal(b.resets(), 0);
  b.command(0xfe);
  assert.equal(b.resets(), 1);
  b.command(0xd1, 0xdf);
  assert.equal(b.resets(), 1);
  b.command(0xd1, 0xde);
  assert.equal(b.resets(), 2);
});

test('A20 through the output port', () => {
  const b = board();
  assert.equal(b.a20.level, true);
  b.command(0xd0);
  assert.equal(b.read(), 0xc3);
  b.command(0xd1, 0xdd);
  assert.equal(b.a20.level, false);
  b.command(0xd0);
  assert.equal(b.read(), 0xc1);
  b.command(0xd1, 0xdf);
  assert.equal(b.a20.level, true);
});

test('rubbish at both ports leaves queues bounded and the controller usable', () => {
  const b = board();
  for (const value of rubbish(29, 20_000)) {
    b.base.out((value & 1) !== 0 ? 0x60 : 0x64, (value >>> 8) & 0xff);
    if ((value & 6) === 6) b.base.inb(0x60);
    b.i8042.injectScancodes([(value >>> 16) & 0xff]);
    const state = b.i8042.save();
    assert.ok(state.keyboard.codes.length <= 16 && state.keyboard.replies.length <= 4);
  }
  b.drain();
  b.command(0xaa);
  assert.equal(b.read(), 0x55);
});

test('save and restore in the middle of a command and of a key', () => {
  const a = board();
  a.command(0x60, 0x47);
  a.keyboard(0xed);
  a.i8042.injectScancodes([0xe0, 0x75]);
  a.i8042.injectScancodes([0xe0, 0xf0, 0x75]);
  a.command(0xd1, 0xdd);
  a.command(0xd4);
  const b = board();
  b.i8042.restore(structuredClone(a.i8042.save()));
  assert.equal(b.a20.level, false);
  assert.equal(b.irq1.level, a.irq1.level);
  for (const { base } of [a, b]) base.out(0x60, 0xe9);
  assert.deepEqual(b.drain(), a.drain());
  assert.deepEqual(b.keyboard(0x02), a.keyboard(0x02));
  assert.equal(b.i8042.keyboard.leds, 2);
  b.i8042.reset();
  assert.equal(b.a20.level, true);
  b.command(0x20);
  assert.equal(b.read(), 0x65);
});
