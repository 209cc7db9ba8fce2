; Segment limits of virtual-8086 mode: 0xffff, #GP(0) and #SS(0) with error codes. SDM Vol. 3A 20.2.1, 20.3.
%include "guest.inc"

%macro IN_V86 3+
  CASE %1
  V86 %2
  AT %3
  ENDCASE
%endmacro

main:
  IN_V86 'byte ffff', 2, mov al, [0xffff]
  IN_V86 'word ffff', 2, mov ax, [0xffff]
  IN_V86 'dword fffd', 2, mov eax, [0xfffd]
  CASE '32-bit address'
  V86
  mov ebx, 0x10000
  AT mov al, [ebx]
  ENDCASE
  CASE 'stack'
  V86
  mov bp, 0xffff
  AT mov ax, [bp]
  ENDCASE
  CASE 'push at 1'
  V86
  mov sp, 1
  AT push ax
  ENDCASE ' sp=', [fault_sp]
  CASE 'push at 0 wraps'
  V86
  mov sp, 0
  AT push ax
  ENDCASE
  CASE 'jump beyond'
  V86
  mov eax, 0x10000
  AT jmp eax
  ENDCASE
  CASE 'jmp far beyond'
  V86
  AT jmp dword 0:0x10000
  ENDCASE
  ; IRETD to virtual-8086 mode with an EIP beyond the limit
  CASE 'iretd beyond'
  push dword 0
  push dword 0
  push dword 0
  push dword 0
  push dword 0
  push dword V86_STACK
  push dword VM | 2
  push dword 0
  push dword 0x10000
  AT iretd
  ENDCASE
  ret
