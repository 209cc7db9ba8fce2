import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rubbish, TestBoard, TestLine } from '../testing/test-board.ts';
import { Uart16550 } from './uart-16550.ts';

const com1 = 0x3f8;
const [data, ier, iir, lcr, mcr, lsr, msr, scratch] = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => com1 + n) as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
];
const fcr = iir;

function board() {
  const base = new TestBoard();
  const irq = new TestLine();
  const sent: number[] = [];
  let ready = 0;
  const uart = new Uart16550('com1', {
    timers: base.timers,
    irq,
    transmit: (byte) => sent.push(byte),
    receiveReady: () => {
      ready++;
    },
  });
  uart.attach(base.ports, com1);
  /** 115200 8N1, FIFOs on with trigger level 14, OUT2: as Linux opens the port. */
  const open = (fifo = 0xc1) => {
    base.out(lcr, 0x83);
    base.out(data, 0x01);
    base.out(ier, 0x00);
    base.out(lcr, 0x03);
    base.out(fcr, fifo);
    base.out(mcr, 0x0b);
  };
  return {
    base,
    uart,
    irq,
    sent,
    open,
    out: (port: number, value: number) => base.out(port, value),
    inb: (port: number) => base.inb(port),
    ready: () => ready,
    send: (text: string) => {
      for (const char of text) uart.receive(char.charCodeAt(0));
    },
  };
}

test('the probe of Linux finds a 16550A and nothing better', () => {
  const { out, inb } = board();
  out(ier, 0);
  assert.equal(inb(ier), 0);
  out(ier, 0xff);
  assert.equal(inb(ier), 0x0f, 'the high four bits do not exist');
  out(ier, 0);
  out(mcr, 0x10 | 0x0a);
  assert.equal(inb(msr) & 0xf0, 0x90, 'loopback: OUT2 → DCD, RTS → CTS');
  out(mcr, 0);
  out(lcr, 0xbf);
  assert.equal(inb(fcr) & 0xc0, 0, 'no EFR');
  out(lcr, 0);
  out(fcr, 0x01);
  assert.equal(inb(iir) >> 6, 3, 'FIFOs work');
  out(fcr, 0x01 | 0x20);
  assert.equal(inb(iir) & 0x20, 0, 'no 64-byte FIFO');
  out(fcr, 0x00);
  assert.equal(inb(iir) >> 6, 0);
  out(scratch, 0xa5);
  assert.equal(inb(scratch), 0xa5);
});

test('polled output: the transmitter is always empty and no interrupt line moves', () => {
  const { out, inb, sent, irq } = board();
  for (const char of 'hello\n') {
    assert.equal(inb(lsr) & 0x60, 0x60);
    out(data, char.charCodeAt(0));
  }
  assert.equal(String.fromCharCode(...sent), 'hello\n');
  assert.equal(irq.edges, 0);
});

test('the divisor latch hides data and interrupt enable', () => {
  const { out, inb, sent } = board();
  out(ier, 0x05);
  out(lcr, 0x80);
  out(data, 0x34);
  out(ier, 0x12);
  assert.equal(inb(data), 0x34);
  assert.equal(inb(ier), 0x12);
  out(lcr, 0x03);
  assert.equal(inb(ier), 0x05);
  assert.equal(inb(lcr), 0x03);
  assert.deepEqual(sent, []);
});

test('THRE: raised by enabling, taken by reading IIR, raised again by the next byte', () => {
  const { open, out, inb, irq } = board();
  open();
  assert.equal(inb(iir), 0xc1);
  out(ier, 0x02);
  assert.equal(irq.level, true);
  assert.equal(inb(iir), 0xc2);
  assert.equal(irq.level, false);
  assert.equal(inb(iir), 0xc1);
  out(data, 0x41);
  assert.equal(irq.level, true);
  assert.equal(irq.edges, 2);
  out(data, 0x42);
  assert.equal(irq.edges, 3, 'every byte that leaves is a new edge');
  out(ier, 0x00);
  assert.equal(irq.level, false);
  out(ier, 0x02);
  assert.equal(inb(iir), 0xc2, 'Linux tests for this (UART_BUG_TXEN)');
});

test('interrupt-driven output as Linux does it: sixteen bytes an interrupt', () => {
  const { open, out, inb, irq, sent } = board();
  open();
  const text = 'x'.repeat(100);
  let at = 0;
  let interrupts = 0;
  out(ier, 0x07);
  let seen = 0;
  while (irq.edges > seen) {
    seen = irq.edges;
    interrupts++;
    if ((inb(iir) & 0x0f) !== 0x02) break;
    if (at === text.length) {
      out(ier, 0x05);
      continue;
    }
    for (let i = 0; i < 16 && at < text.length; i++) out(data, text.charCodeAt(at++));
  }
  assert.equal(sent.length, 100);
  assert.equal(interrupts, 8);
});

test('reception without FIFOs: one byte, then overrun', () => {
  const { open, out, inb, uart, irq } = board();
  open(0x00);
  out(ier, 0x05);
  assert.equal(uart.canReceive(), true);
  uart.receive(0x61);
  assert.equal(uart.canReceive(), false);
  assert.equal(irq.level, true);
  assert.equal(inb(iir), 0x04);
  uart.receive(0x62);
  assert.equal(inb(iir), 0x06, 'line status comes first');
  assert.equal(inb(lsr), 0x63);
  assert.equal(inb(iir), 0x04);
  assert.equal(inb(data), 0x62, 'the new byte replaced the old one');
  assert.equal(inb(lsr), 0x60);
  assert.equal(irq.level, false);
});

test('reception with FIFOs: interrupt at the trigger level', () => {
  const { open, out, inb, irq, send } = board();
  open(0x81);
  out(ier, 0x01);
  send('1234567');
  assert.equal(irq.level, false);
  send('8');
  assert.equal(irq.level, true);
  assert.equal(inb(iir), 0xc4);
  assert.equal(inb(data), 0x31);
  assert.equal(irq.level, false);
});

test('fewer bytes interrupt after four character times', () => {
  const { base, open, out, inb, irq, send } = board();
  open();
  out(ier, 0x01);
  send('a');
  base.run(300_000);
  assert.equal(irq.level, false);
  send('b');
  base.run(340_000);
  assert.equal(irq.level, false, 'a new byte restarts the time-out');
  base.run(10_000);
  assert.equal(irq.level, true);
  assert.equal(inb(iir), 0xcc);
  assert.equal(inb(data), 0x61);
  assert.equal(irq.level, false, 'reading restarts it as well');
  base.run(350_000);
  assert.equal(inb(iir), 0xcc);
  assert.equal(inb(data), 0x62);
  assert.equal(inb(iir), 0xc1);
  base.run(10_000_000);
  assert.equal(irq.level, false);
});

test('back-pressure: sixteen bytes, then the host waits to be told', () => {
  const { open, inb, uart, send, ready, out } = board();
  open();
  send('0123456789abcdef');
  assert.equal(uart.canReceive(), false);
  assert.equal(ready(), 0);
  assert.equal(inb(data), 0x30);
  assert.equal(ready(), 1);
  assert.equal(uart.canReceive(), true);
  inb(data);
  assert.equal(ready(), 1, 'told once');
  send('ghX');
  assert.equal(inb(lsr), 0x63, 'X is lost: the FIFO keeps what it has');
  out(fcr, 0xc3);
  assert.equal(ready(), 2);
  assert.equal(inb(lsr), 0x60);
  assert.equal(inb(data), 0x00);
});

test('a break is a zero with its error bits at its place in the FIFO', () => {
  const { open, out, inb, uart, send } = board();
  open();
  out(ier, 0x04);
  send('a');
  uart.receiveBreak();
  send('b');
  assert.equal(inb(lsr), 0xe1, 'an error somewhere in the FIFO');
  assert.equal(inb(iir), 0xc1);
  inb(data);
  assert.equal(inb(iir), 0xc6);
  assert.equal(inb(lsr), 0xf9);
  assert.equal(inb(lsr), 0x61, 'read once');
  assert.equal(inb(data), 0x00);
  assert.equal(inb(data), 0x62);
});

test('modem lines: levels, deltas and their interrupt', () => {
  const { open, out, inb, uart, irq } = board();
  open();
  out(ier, 0x08);
  assert.equal(inb(msr), 0xb0, 'a peer that is ready, and no change since power-on');
  uart.setModemLines(0xa0);
  assert.equal(irq.level, true);
  assert.equal(inb(iir), 0xc0);
  assert.equal(inb(msr), 0xa1);
  assert.equal(irq.level, false);
  uart.setModemLines(0xe0);
  assert.equal(inb(msr), 0xe0, 'a rising ring is no event');
  uart.setModemLines(0x30);
  assert.equal(inb(msr), 0x30 | 0x04 | 0x08 | 0x01);
});

test('loopback: bytes come back, the wire sees nothing, interrupts stay inside', () => {
  const { open, out, inb, uart, sent, irq, ready } = board();
  open(0x00);
  inb(msr);
  out(mcr, 0x1f);
  assert.equal(inb(msr), 0xf0, 'all lines were and are up, except ring, which rose');
  out(mcr, 0x10);
  assert.equal(inb(msr), 0x0f);
  out(ier, 0x01);
  out(data, 0x5a);
  assert.deepEqual(sent, []);
  assert.equal(inb(iir), 0x04);
  assert.equal(irq.level, false);
  assert.equal(uart.canReceive(), false);
  uart.receive(0x77);
  assert.equal(inb(data), 0x5a);
  assert.equal(inb(lsr), 0x60);
  const before = ready();
  out(mcr, 0x0b);
  assert.equal(ready(), before + 1);
  assert.equal(uart.canReceive(), true);
});

test('without OUT2 the line stays down although IIR reports', () => {
  const { open, out, inb, irq, send } = board();
  open(0x00);
  out(mcr, 0x03);
  out(ier, 0x01);
  send('a');
  assert.equal(irq.level, false);
  assert.equal(inb(iir), 0x04);
  out(mcr, 0x0b);
  assert.equal(irq.level, true);
});

test('priorities: line status, data, transmitter, modem', () => {
  const { open, out, inb, uart } = board();
  open(0x00);
  out(ier, 0x0f);
  uart.setModemLines(0x00);
  uart.receive(1);
  uart.receive(2);
  assert.equal(inb(iir), 0x06);
  inb(lsr);
  assert.equal(inb(iir), 0x04);
  inb(data);
  assert.equal(inb(iir), 0x02);
  assert.equal(inb(iir), 0x00);
  inb(msr);
  assert.equal(inb(iir), 0x01);
});

test('rubbish is survived and the queue stays bounded', () => {
  const { base, uart, out, inb } = board();
  for (const value of rubbish(11, 30_000)) {
    out(com1 + ((value >>> 8) & 7), value & 0xff);
    assert.ok(inb(com1 + ((value >>> 11) & 7)) <= 0xff);
    uart.receive(value >>> 16);
    assert.ok(uart.save().received.length <= 16);
    base.clock.advance(value >>> 12);
    base.timers.runExpired();
  }
});

test('save and restore with half a conversation in the FIFO', () => {
  const a = board();
  a.open();
  a.out(ier, 0x0f);
  a.out(scratch, 0x42);
  a.send('abc');
  a.uart.receiveBreak();
  a.uart.setModemLines(0x10);
  a.out(data, 0x21);
  const b = board();
  b.uart.restore(structuredClone(a.uart.save()));
  assert.equal(b.irq.level, a.irq.level);
  for (const board of [a, b]) board.base.run(1_000_000);
  for (let round = 0; round < 6; round++) {
    for (const port of [iir, lsr, msr, data, ier, lcr, mcr, scratch]) assert.equal(b.inb(port), a.inb(port));
    assert.equal(b.irq.level, a.irq.level);
  }
  b.send('0123456789abcdef');
  const before = b.ready();
  b.uart.reset();
  assert.equal(b.ready(), before + 1, 'a reset makes room');
  assert.equal(b.inb(ier), 0);
  assert.equal(b.irq.level, false);
});
