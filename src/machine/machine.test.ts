import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bareMetal,
  type Code,
  dword,
  exit,
  exitWithAl,
  type Handler,
  haltUntil,
  hlt,
  increment,
  iret,
  load,
  out,
  sti,
  store,
  variable,
  word,
} from './testing/guest.ts';
import { configFor, machineWith, TestHost, tryMachine } from './testing/host.ts';

const localApic = 0xfee0_0000;
const ioApic = 0xfec0_0000;
const millisecond = 1_000_000;

function run(code: Code, handlers: readonly Handler[] = [], host = new TestHost()) {
  const machine = machineWith(bareMetal(code, handlers), host);
  return { outcome: machine.run(), host, machine };
}

/** Counter 0 in mode 2 with 11932 clocks: OUT goes high at once (a first interrupt), then an interrupt every 10 ms. */
const pitEvery10Ms = [out(0x43, 0x34), out(0x40, 11_932), out(0x40, 11_932 >> 8)].flat();

test('a guest prints on both serial ports and ends by the debug-exit port', () => {
  const { outcome, host, machine } = run([out(0x3f8, 0x48), out(0x3f8, 0x69), out(0x2f8, 0x21), exit(42)]);
  assert.deepEqual(outcome, { kind: 'debug-exit', value: 42 });
  assert.equal(host.text(0), 'Hi');
  assert.equal(host.text(1), '!');
  const { instructions, runSeconds, interpretedSeconds, translatedSeconds } = machine.statistics();
  assert.ok((instructions ?? 0) >= 11);
  // 32-bit code is not translated.
  assert.deepEqual({ interpretedSeconds, translatedSeconds }, { interpretedSeconds: runSeconds, translatedSeconds: 0 });
});

test('a halted guest sleeps and is woken by the PIT through the 8259 pair', () => {
  const handler = { vector: 0x08, code: [increment(variable), out(0x20, 0x20), iret] };
  const code = [pitEvery10Ms, out(0x21, 0xfe), sti, haltUntil(variable, 4), exit(3)];
  const { outcome, host } = run(code, [handler]);
  assert.deepEqual(outcome, { kind: 'debug-exit', value: 3 });
  assert.ok(Math.abs(host.sleptNs - 30 * millisecond) < millisecond, `slept ${host.sleptNs} ns`);
  assert.equal(host.sleeps, 3, `slept ${host.sleeps} times`);
});

test('the PIT reaches the processor through input 2 of the I/O APIC', () => {
  const handler = { vector: 0x50, code: [increment(variable), store(localApic + 0xb0, 0), iret] };
  const redirection = 0x10 + 2 * 2;
  const route = [store(ioApic, redirection), store(ioApic + 0x10, 0x50), pitEvery10Ms];
  const { outcome, host } = run([...route, sti, haltUntil(variable, 3), exit(7)], [handler]);
  assert.deepEqual(outcome, { kind: 'debug-exit', value: 7 });
  assert.ok(Math.abs(host.sleptNs - 20 * millisecond) < millisecond, `slept ${host.sleptNs} ns`);
});

test("a halted guest is woken by its local APIC's timer", () => {
  const handler = { vector: 0x40, code: [increment(variable), store(localApic + 0xb0, 0), iret] };
  const arm = [
    store(localApic + 0x320, 0x40),
    store(localApic + 0x3e0, 0b1011),
    store(localApic + 0x380, 5 * millisecond),
  ];
  const { outcome, host } = run([...arm, sti, haltUntil(variable, 1), exit(5)], [handler]);
  assert.deepEqual(outcome, { kind: 'debug-exit', value: 5 });
  assert.ok(Math.abs(host.sleptNs - 5 * millisecond) < millisecond / 10, `slept ${host.sleptNs} ns`);
});

test('the TSC deadline is met in guest time, also after the guest has set the TSC back', () => {
  const handler = { vector: 0x40, code: [increment(variable), store(localApic + 0xb0, 0), iret] };
  const wrmsr = (index: number, value: number): number[] => [
    ...[0xb9, ...dword(index), 0xb8, ...dword(value)],
    ...[0x31, 0xd2, 0x0f, 0x30],
  ];
  const code = [
    wrmsr(0x10, 0),
    store(localApic + 0x320, 0x4_0040),
    wrmsr(0x6e0, 8 * millisecond),
    ...[sti, haltUntil(variable, 1), exit(8)],
  ];
  const { outcome, host } = run(code, [handler]);
  assert.deepEqual(outcome, { kind: 'debug-exit', value: 8 });
  assert.ok(Math.abs(host.sleptNs - 8 * millisecond) < millisecond / 10, `slept ${host.sleptNs} ns`);
});

test('serial input reaches a polling guest byte for byte, beyond what the FIFO holds', () => {
  const host = new TestHost();
  const text = 'The quick brown fox jumps over the lazy dog. '.repeat(20);
  host.type(0, `${text}\n`);
  const code = [
    // Enables the FIFOs, then: IN AL, LSR; TEST AL, 1; JZ back; IN AL, RBR; OUT THR, AL; CMP AL, 10; JNE back.
    out(0x3fa, 0x01),
    [0x66, 0xba, ...word(0x3fd), 0xec, 0xa8, 0x01, 0x74, 0xf7],
    [0x66, 0xba, ...word(0x3f8), 0xec, 0xee, 0x3c, 0x0a, 0x75, 0xeb],
    exit(0),
  ];
  const { outcome } = run(code, [], host);
  assert.deepEqual(outcome, { kind: 'debug-exit', value: 0 });
  assert.equal(host.text(0), `${text}\n`);
});

test('serial input wakes a halted guest by its interrupt', () => {
  const host = new TestHost();
  host.type(0, 'x');
  const readByte = [0x66, 0xba, ...word(0x3f8), 0xec];
  const handler = { vector: 0x0c, code: [readByte, exitWithAl, iret] };
  // OUT2 opens the interrupt's gate; received data interrupts; IRQ4 is unmasked.
  const code = [out(0x3fc, 0x08), out(0x3f9, 0x01), out(0x21, 0xef), sti, hlt, exit(1)];
  assert.deepEqual(run(code, [handler], host).outcome, { kind: 'debug-exit', value: 'x'.charCodeAt(0) });
});

test('soft-off in PM1a control powers off', () => {
  const code = [[0x66, 0xba, ...word(0x604), 0x66, 0xb8, ...word((5 << 10) | 0x2000), 0x66, 0xef], hlt];
  assert.deepEqual(run(code).outcome, { kind: 'power-off' });
});

test('the three reset ports and an INIT of the boot processor reset', () => {
  const requests = [out(0xcf9, 0x06), out(0x64, 0xfe), out(0x92, 0x03), store(localApic + 0x300, 0x4500)];
  for (const request of requests) assert.deepEqual(run([request, hlt]).outcome, { kind: 'reset' });
});

test('the first request to end counts', () => {
  assert.deepEqual(run([out(0xcf9, 0x06), exit(9), hlt]).outcome, { kind: 'reset' });
});

test('a triple fault ends with the registers and the code around it', () => {
  const { outcome } = run([[0xb8, ...dword(0xdead_beef)], [0xbb, ...dword(0x1234_5678)], [0x0f, 0x0b], hlt]);
  assert.equal(outcome.kind, 'guest-died');
  assert.ok(outcome.kind === 'guest-died');
  assert.match(outcome.reason, /triple fault/);
  assert.match(outcome.report, /^RIP 0010:0000000000200036 /);
  assert.match(outcome.report, /RAX 00000000deadbeef.*RBX 0000000012345678/s);
  assert.match(outcome.report, /CS {3}0010 {2}base 0000000000000000 {2}limit ffffffff/);
  assert.match(outcome.report, /CR0 00000011 /);
  assert.match(outcome.report, /\n {2}00200031 {2}bb 78 56 34 12 .*mov ebx,0x12345678\n/);
  assert.match(outcome.report, /\n> 00200036 {2}0f 0b .*ud2\n/);
});

test('a triple fault where nothing is mapped is reported, too', () => {
  // JMP EAX to where there is no RAM.
  const { outcome } = run([
    [0xb8, ...dword(0xf000_0000)],
    [0xff, 0xe0],
  ]);
  assert.ok(outcome.kind === 'guest-died');
  assert.match(outcome.report, /RIP 0010:00000000f0000000/);
  assert.match(outcome.report, /no memory/);
});

test('a guest that spins and a guest that sleeps for ever can be stopped', () => {
  const host = new TestHost();
  host.slicesLeft = 3;
  assert.deepEqual(run([[0xeb, 0xfe]], [], host).outcome, { kind: 'stopped' });
  const sleeper = run([0xfa, hlt]);
  assert.deepEqual(sleeper.outcome, { kind: 'stopped' });
  assert.equal(sleeper.host.sleeps, 1);
});

test("the local APIC's page hides what lies where the guest puts it", () => {
  const moveTo = (address: number): number[] => [
    ...[0xb9, ...dword(0x1b), 0xb8, ...dword((address | 0x900) >>> 0)],
    ...[0x31, 0xd2, 0x0f, 0x30],
  ];
  // The version register: of the local APIC at the I/O APIC's place, then nothing at the place it has left.
  const version = run([moveTo(ioApic), load(ioApic + 0x30), exitWithAl]);
  assert.deepEqual(version.outcome, { kind: 'debug-exit', value: 0x14 });
  assert.deepEqual(run([moveTo(ioApic), load(localApic + 0x30), exitWithAl]).outcome, {
    kind: 'debug-exit',
    value: 0xff,
  });
  const back = run([moveTo(ioApic), moveTo(localApic), store(ioApic, 1), load(ioApic + 0x10), exitWithAl]);
  assert.deepEqual(back.outcome, { kind: 'debug-exit', value: 0x20 });
});

test('the A20 gate: shut by the keyboard controller, opened by port 92h', () => {
  const writeOutputPort = [out(0x64, 0xd1), out(0x60, 0xdd)].flat();
  const variables = [store(0x40_0000, 1), store(0x50_0000, 2)];
  const value = (code: Code): unknown => run([...variables, ...code, load(0x50_0000), exitWithAl]).outcome;
  assert.deepEqual(value([]), { kind: 'debug-exit', value: 2 });
  assert.deepEqual(value([writeOutputPort]), { kind: 'debug-exit', value: 1 });
  assert.deepEqual(value([writeOutputPort, out(0x92, 2)]), { kind: 'debug-exit', value: 2 });
});

test('without debug-exit its port is empty', () => {
  const kernel = bareMetal([exit(1), out(0xcf9, 6), hlt]);
  const machine = tryMachine(configFor(kernel, { debugExit: false }), new TestHost());
  assert.ok(machine.ok);
  assert.deepEqual(machine.value.run(), { kind: 'reset' });
});

test('TZCNT and LZCNT are BSF and BSR on a processor without them', () => {
  // MOV ECX, 0x55; XOR EAX, EAX; TZCNT or LZCNT ECX, EAX; MOV AL, CL: BSF and BSR of 0 leave ECX alone.
  const count = (cpuModel: string, opcode: number): unknown => {
    const code = [[0xb9, ...dword(0x55)], [0x31, 0xc0], [0xf3, 0x0f, opcode, 0xc8], [0x88, 0xc8], exitWithAl];
    const machine = tryMachine(configFor(bareMetal(code), { cpuModel }), new TestHost());
    assert.ok(machine.ok);
    return machine.value.run();
  };
  for (const opcode of [0xbc, 0xbd]) {
    assert.deepEqual(count('max', opcode), { kind: 'debug-exit', value: 32 });
    assert.deepEqual(count('x86-64', opcode), { kind: 'debug-exit', value: 0x55 });
  }
});
