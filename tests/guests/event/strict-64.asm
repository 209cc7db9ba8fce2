; What 64-bit mode refuses where QEMU goes on and gets lost: non-canonical bases, a code segment with L and D.
; SDM Vol. 2A "LGDT/LIDT", Vol. 2B "RET" (IA-32e mode).
%include "guest.inc"

NONCANON equ 0x800000000000

main:
  LONG_MODE
  bits 64
  mov rbx, NONCANON
  CASE 'lgdt base'
  mov word [SCRATCH], 0x3ff
  mov [SCRATCH + 2], rbx
  AT lgdt [SCRATCH]
  ENDCASE
  CASE 'lidt base'
  AT lidt [SCRATCH]
  ENDCASE
  CASE 'last canonical address'
  mov rax, NONCANON - 1
  mov [SCRATCH + 2], rax
  AT lidt [SCRATCH]
  lidt [idtr64]
  ENDCASE
  CASE 'code with l and d'
  DESC64 FREE_SEL, 0, 0, CODE_XR
  mov byte [gdt + FREE_SEL + 6], (BIG | 2) << 4
  push qword FREE_SEL
  push qword main
  AT o64 retf
  ENDCASE
  PROT_MODE
  bits 32
  ret
