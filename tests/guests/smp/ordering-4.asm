; Memory ordering among up to four processors: stores are seen by all others in one order, and causality holds.
; SDM Vol. 3A 9.2.3.6, 9.2.3.7.
%define CPUS 4
%include "guest.inc"
%include "smp.inc"
%include "litmus.inc"

; Two readers see independent stores of two writers in the same order
%macro IRIW_0 0
  PUT X, 1
%endmacro
%macro IRIW_1 0
  PUT Y, 1
%endmacro
%macro IRIW_2 0
  GET 0, X
  FENCE
  GET 1, Y
%endmacro
%macro IRIW_3 0
  GET 0, Y
  FENCE
  GET 1, X
%endmacro
%macro IRIW_SEEN 0
  mov eax, [R(2, 0)]
  xor eax, 1
  or eax, [R(2, 1)]
  mov edx, [R(3, 0)]
  xor edx, 1
  or eax, edx
  or eax, [R(3, 1)]
%endmacro

; What a processor has seen before it stores, those have seen who see the store
%macro WRC_0 0
  PUT X, 1
%endmacro
%macro WRC_1 0
  GET 0, X
  FENCE
  PUT Y, 1
%endmacro
%macro WRC_2 0
  GET 0, Y
  FENCE
  GET 1, X
%endmacro
%macro WRC_SEEN 0
  mov eax, [R(1, 0)]
  xor eax, 1
  mov edx, [R(2, 0)]
  xor edx, 1
  or eax, edx
  or eax, [R(2, 1)]
%endmacro

; The same over one more processor
%define Z rdi + 192
%macro ISA2_0 0
  PUT X, 1
  FENCE
  PUT Y, 1
%endmacro
%macro ISA2_1 0
  GET 0, Y
  FENCE
  PUT Z, 1
%endmacro
%macro ISA2_2 0
  GET 0, Z
  FENCE
  GET 1, X
%endmacro
%macro ISA2_SEEN 0
  mov eax, [R(1, 0)]
  xor eax, 1
  mov edx, [R(2, 0)]
  xor edx, 1
  or eax, edx
  or eax, [R(2, 1)]
%endmacro

main:
  call read_litmus_options
  SMP
  LITMUS 'iriw', IRIW, 4, 1
  LITMUS 'wrc', WRC, 3, 1
  LITMUS 'isa2', ISA2, 3, 1
  FINISH
