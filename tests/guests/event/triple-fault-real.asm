; Shutdown in real mode: no room on the stack for a fault's frame. SDM Vol. 2B "PUSH" (real-address mode, SP = 1).
%include "guest.inc"

main:
  mov eax, real
  call call_real
  ret
section .low
bits 16
real:
  LINE 'sp = 1'
  mov sp, 1
  push ax
  mov sp, REAL_STACK - 2
  LINE 'survived'
  ret
