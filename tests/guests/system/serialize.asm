; SERIALIZE: at any privilege level; #UD with LOCK or a mandatory prefix; code that was just overwritten runs as it is now.
; SDM Vol. 2B "SERIALIZE", Vol. 3A 9.3.
%include "guest.inc"

%macro SERIALIZE 0
  db 0x0f, 0x01, 0xe8
%endmacro

; A loop that patches its own next instruction each round: mov eax, imm32
%macro PATCHED_SUM 0
  xor edx, edx
  mov ecx, 20000
%%again:
  mov [%%patched + 1], ecx
  SERIALIZE
%%patched:
  mov eax, 0x11111111
  add edx, eax
  loop %%again
%endmacro

main:
  NEEDS 7, 0, edx, 14, 'serialize'
  CASE 'ring 0'
  AT SERIALIZE
  ENDCASE
  CASE 'ring 3'
  USER
  AT SERIALIZE
  ENDCASE
  CASE 'lock'
  AT db 0xf0, 0x0f, 0x01, 0xe8
  ENDCASE
  CASE 'f3'
  AT db 0xf3, 0x0f, 0x01, 0xe8
  ENDCASE
  PATCHED_SUM
  SAY 'patched, sum=', edx, `\n`
  LONG_MODE
  bits 64
  CASE '64-bit mode'
  AT SERIALIZE
  ENDCASE
  CASE '64-bit mode, ring 3'
  USER64
  AT SERIALIZE
  ENDCASE
  PATCHED_SUM
  mov [sum], edx
  PROT_MODE
  bits 32
  SAY '64-bit mode, patched, sum=', [sum], `\n`
  ret

section .data
sum dd 0
