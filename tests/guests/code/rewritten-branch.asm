; 64-bit code of which only a part is rewritten: a conditional branch is dropped together with the bytes behind it, the
; instructions before it stay; then its target runs for the first time. The branch still has to be decided by its flags.
; SDM Vol. 3A 11.6.
%include "guest.inc"

main:
  LONG_MODE
  bits 64
  mov edi, 5
  call classify                   ; the target of the branch has not run yet
  LINE 'small ', rax
  mov byte [classify.small + 1], 3
  mov edi, 5
  call classify
  LINE 'small, rewritten ', rax
  mov edi, 50
  call classify                   ; now it runs
  LINE 'large ', rax
  mov edi, 5
  call classify
  LINE 'small ', rax
  PROT_MODE
  bits 32
  ret

bits 64
; Engines that drop code by pieces of a page have the compare in one piece, the branch and what follows in the next.
align 64
classify:
  times 61 nop
  cmp edi, 10
  ja .large
.small:
  mov eax, 1
  ret
.large:
  mov eax, 2
  ret
bits 32
