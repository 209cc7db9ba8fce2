; Memory ordering between two processors: what is stored, loaded and fenced is seen in no order that the manual forbids.
; SDM Vol. 3A 9.2.3.
%define CPUS 2
%include "guest.inc"
%include "smp.inc"
%include "litmus.inc"

; 9.2.3.4: a store may be delayed past a load of another location, but not past a fence
%macro SB_0 0
  PUT X, 1
  FENCE
  GET 0, Y
%endmacro
%macro SB_1 0
  PUT Y, 1
  FENCE
  GET 0, X
%endmacro
%macro SB_SEEN 0
  mov eax, [R(0, 0)]
  or eax, [R(1, 0)]
%endmacro

; 9.2.3.2: loads are not reordered with each other, nor stores
%macro MP_0 0
  PUT X, 1
  FENCE
  PUT Y, 1
%endmacro
%macro MP_1 0
  GET 0, Y
  FENCE
  GET 1, X
%endmacro
%macro MP_SEEN 0
  mov eax, [R(1, 0)]
  xor eax, 1
  or eax, [R(1, 1)]
%endmacro

; 9.2.3.3: stores are not reordered with earlier loads
%macro LB_0 0
  GET 0, X
  FENCE
  PUT Y, 1
%endmacro
%macro LB_1 0
  GET 0, Y
  FENCE
  PUT X, 1
%endmacro
%macro LB_SEEN 0
  mov eax, [R(0, 0)]
  xor eax, 1
  mov edx, [R(1, 0)]
  xor edx, 1
  or eax, edx
%endmacro

; 9.2.3.7: stores have one order; here each processor's first store would be the later one
%macro W22_0 0
  PUT X, 1
  FENCE
  PUT Y, 2
%endmacro
%macro W22_1 0
  PUT Y, 1
  FENCE
  PUT X, 2
%endmacro
%macro W22_SEEN 0
  mov eax, [X]
  xor eax, 1
  mov edx, [Y]
  xor edx, 1
  or eax, edx
%endmacro

; A location goes through its values in one order
%macro CORR_0 0
  PUT X, 1
%endmacro
%macro CORR_1 0
  GET 0, X
  FENCE
  GET 1, X
%endmacro
%macro CORR_SEEN 0
  mov eax, [R(1, 0)]
  xor eax, 1
  or eax, [R(1, 1)]
%endmacro

; 9.2.3.5: a processor sees its own store at once, also a part of it
%macro OWN_0 0
  PUT X, 0x0101
  FENCE
  movzx eax, byte [X + 1]
  mov [R(0, 0)], eax
%endmacro
%macro OWN_1 0
  PUT Y, 1
%endmacro
%macro OWN_SEEN 0
  cmp dword [R(0, 0)], 0
%endmacro

main:
  call read_litmus_options
  SMP
  LITMUS 'sb', SB, 2, 0
  LITMUS 'mp', MP, 2, 1
  LITMUS 'lb', LB, 2, 1
  LITMUS '2+2w', W22, 2, 1
  LITMUS 'corr', CORR, 2, 1
  LITMUS 'own', OWN, 2, 1
  FINISH
