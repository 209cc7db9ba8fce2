import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from './decoder.ts';
import { disassemble } from './disassemble.ts';
import type { CodeSize } from './instruction.ts';

function text(hex: string, codeSize: CodeSize = 64, address = 0x1000n): string {
  const bytes = Uint8Array.from(hex.split(' ').map((byte) => Number.parseInt(byte, 16)));
  const result = decode(bytes, 0, bytes.length, { codeSize, real: false });
  return result.kind === 'ok' ? disassemble(result.instruction, address) : result.kind;
}

test('registers, immediates, memory', () => {
  assert.equal(text('48 89 e5'), 'mov rbp,rsp');
  assert.equal(text('8b 45 fc'), 'mov eax,DWORD PTR [rbp-0x4]');
  assert.equal(text('43 0f b6 44 8c 10'), 'movzx eax,BYTE PTR [r12+r9*4+0x10]');
  assert.equal(text('83 c0 ff'), 'add eax,0xffffffff');
  assert.equal(text('40 88 f4'), 'mov spl,sil');
  assert.equal(text('88 f4'), 'mov ah,dh');
  assert.equal(text('65 48 8b 04 25 28 00 00 00'), 'mov rax,QWORD PTR gs:0x28');
  assert.equal(text('8b 46 02', 16), 'mov ax,WORD PTR [bp+0x2]');
});

test('branches and RIP-relative operands show their targets', () => {
  assert.equal(text('75 fe'), 'jne 0x1000');
  assert.equal(text('e8 00 00 00 00'), 'call 0x1005');
  assert.equal(text('eb fe', 16, 0n), 'jmp 0x0');
  assert.equal(text('eb f0', 16, 0n), 'jmp 0xfff2', 'IP wraps at 64 KB');
  assert.equal(text('48 8d 05 f9 ff ff ff'), 'lea rax,[rip-0x7] # 0x1000');
  assert.equal(text('ea 00 7c 00 00', 16), 'jmp 0x0:0x7c00');
});

test('prefixes and size-dependent names', () => {
  assert.equal(text('f0 0f b1 0a'), 'lock cmpxchg DWORD PTR [rdx],ecx');
  assert.equal(text('f3 48 a5'), 'rep movsq QWORD PTR es:[rdi],QWORD PTR ds:[rsi]');
  assert.equal(text('f2 ae'), 'repnz scasb al,BYTE PTR es:[rdi]');
  assert.equal(text('48 98'), 'cdqe');
  assert.equal(text('66 98'), 'cbw');
  assert.equal(text('48 cf'), 'iretq');
  assert.equal(text('67 e3 00'), 'jecxz 0x1003');
});

test('vector and x87 operands', () => {
  assert.equal(text('66 0f 38 10 ca'), 'pblendvb xmm1,xmm2,xmm0');
  assert.equal(text('f2 0f 10 44 24 08'), 'movsd xmm0,QWORD PTR [rsp+0x8]');
  assert.equal(text('66 48 0f 6e c0'), 'movq xmm0,rax');
  assert.equal(text('66 0f 6e c0'), 'movd xmm0,eax');
  assert.equal(text('0f 6f c8'), 'movq mm1,mm0');
  assert.equal(text('d8 c1'), 'fadd st,st(1)');
  assert.equal(text('de c1'), 'faddp st(1),st');
  assert.equal(text('dd 00'), 'fld QWORD PTR [rax]');
  assert.equal(text('d9 c9'), 'fxch st(1)');
  assert.equal(text('db 2c 24'), 'fld TBYTE PTR [rsp]');
});
