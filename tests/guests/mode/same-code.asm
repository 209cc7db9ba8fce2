; The same bytes of the same page as 32-bit code, as 64-bit code and as 32-bit code of a 64-bit system (compatibility mode), each
; until it has been translated: 48 FF C0 is DEC EAX, INC EAX or INC RAX. SDM Vol. 2A 2.2.1.2.
%include "guest.inc"

HOT equ 60000

%macro RUN 2                      ; register that counts, register that the code changes
  mov %1, HOT
  xor %2, %2
%%again:
  call both
  dec %1
  jnz %%again
%endmacro

main:
  RUN ecx, eax
  LINE '32-bit: ', eax
  LONG_MODE
  bits 64
  RUN rcx, rax
  LINE '64-bit: ', rax
  COMPAT
  bits 32
  RUN ecx, eax
  LINE 'compatibility mode: ', eax
  jmp K64_CODE:.long
  bits 64
.long:
  RUN rcx, rax
  LINE '64-bit: ', rax
  PROT_MODE
  bits 32
  RUN ecx, eax
  LINE '32-bit: ', eax
  ret

align 16
both:
  db 0x48, 0xff, 0xc0
  ret
