; Shutdown in 64-bit mode: no IDT. SDM Vol. 3A 6.15 #DF.
%include "guest.inc"

main:
  LONG_MODE
  bits 64
  LINE 'no idt'
  lidt [zero_idtr]
  int3
  LINE 'survived'
  PROT_MODE
  ret
