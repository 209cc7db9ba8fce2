; Shutdown of a processor other than the first: no IDT. SDM Vol. 3A 6.15 #DF. The report has to be about that one.
%define CPUS 3
%include "guest.inc"
%include "smp.inc"

main:
  SMP
  LINE 'started ', [smp_started]
  ON_ALL die_on_last
  LINE 'survived'
  FINISH
bits 64
die_on_last:
  mov rax, 0x0123456789abcdef
  cmp r15d, CPUS - 1
  jne .wait
  mov rax, 0xfedcba9876543210
  lidt [no_idt]
  ud2
.wait:
  pause
  jmp .wait
section .data
no_idt: dw 0
        dq 0
section .text
