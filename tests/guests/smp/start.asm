; Processors start: INIT and SIPI, numbers, stacks, barriers. SDM Vol. 3A 9.4.
%define CPUS 4
%include "guest.inc"
%include "smp.inc"

main:
  SMP
  LINE 'started ', [smp_started]
  ON_ALL mark
  LINE 'sum ', [sum]
  mov dword [sum], 0
  ON_ALL meet
  LINE 'met ', [sum]
  FINISH
bits 64
mark:
  lea ecx, [r15 + 1]
  lock add [sum], rcx
  ret
meet:
  mov ecx, 100
.next:
  call barrier
  lock inc qword [sum]
  loop .next
  ret
section .data
align 8
sum: dq 0
section .text
