; CR4.UMIP: SGDT, SIDT, SLDT, SMSW, STR outside of ring 0 are #GP(0). SDM Vol. 3A 2.5.
%include "guest.inc"

%macro ALL_FIVE 1                 ; ring
  PROBE 'sgdt'
  %1
  AT sgdt [SCRATCH]
  ENDPROBE
  PROBE 'sidt'
  %1
  AT sidt [SCRATCH]
  ENDPROBE
  PROBE 'sldt'
  %1
  AT sldt eax
  ENDPROBE
  PROBE 'smsw'
  %1
  AT smsw eax
  ENDPROBE
  PROBE 'str'
  %1
  AT str eax
  ENDPROBE
  SAY `\n`
%endmacro
%macro RING_0 0
%endmacro

main:
  NEEDS 7, 0, ecx, 2, 'umip'
  SAY 'off, ring 3:'
  ALL_FIVE USER
  mov eax, CR4_UMIP
  mov cr4, eax
  SAY 'on, ring 3:'
  ALL_FIVE USER
  SAY 'on, ring 0:'
  ALL_FIVE RING_0
  ; virtual-8086 mode is ring 3
  CASE 'v8086 smsw'
  V86
  AT smsw ax
  ENDCASE
  CASE 'v8086 str'
  V86
  AT str ax
  ENDCASE
  ; a memory operand is not looked at first
  LONG_MODE
  bits 64
  CASE '64-bit mode, sgdt to an absent page'
  mov eax, CR4_PAE | CR4_UMIP
  mov cr4, rax
  mov ebx, TESTLIN
  USER64
  AT sgdt [rbx]
  ENDCASE
  CASE '64-bit mode, smsw'
  USER64
  AT smsw eax
  ENDCASE
  PROT_MODE
  bits 32
  ret
