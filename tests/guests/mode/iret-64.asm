; IRET of IA-32e mode in all its forms. SDM Vol. 2A "IRET" (IA-32e-MODE-RETURN), Vol. 3A 6.14.3.
%include "guest.inc"

T equ FREE_SEL

; IRET64 'name', SS, CS, RFLAGS: to the next instruction, at the alias if CS has RPL 3
%macro IRET64 4
  CASE %1
  push qword %2
  %if ((%3) & 3) == 3
    push qword USTACK + ALIAS
    push qword %4
    push qword %3
    push qword %%target + ALIAS
  %else
    lea rax, [rsp + 8]
    push rax
    push qword %4
    push qword %3
    push qword %%target
  %endif
  AT iretq
%%target:
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss]
%endmacro

main:
  LONG_MODE
  bits 64
  LINE 'targets'
  IRET64 'ring 0', K_DATA, K64_CODE, 2
  IRET64 'ring 0, null ss', 0, K64_CODE, 2
  IRET64 'ring 0, null ss rpl 3', 3, K64_CODE, 2
  IRET64 'ring 0, ss rpl 3', U_DATA, K64_CODE, 2
  IRET64 'ring 0 compatibility', K_DATA, K32_CODE, 2
  IRET64 'ring 0 compatibility, null ss', 0, K32_CODE, 2
  IRET64 'ring 3', U_DATA, U64_CODE, 2
  IRET64 'ring 3, null ss', 3, U64_CODE, 2
  IRET64 'ring 3, ss rpl 0', U_DATA & ~3, U64_CODE, 2
  IRET64 'ring 3, ss dpl 0', K_DATA | 3, U64_CODE, 2
  IRET64 'ring 3 compatibility', U_DATA, U32_CODE, 2
  IRET64 'null cs', K_DATA, 0, 2
  IRET64 'data cs', K_DATA, K_DATA, 2
  IRET64 'cs beyond the limit', K_DATA, GDT_SIZE, 2
  IRET64 'cs dpl 0 rpl 3', U_DATA, K64_CODE | 3, 2
  IRET64 'cs dpl 3 rpl 0', K_DATA, U64_CODE & ~3, 2
  DESC64 T, 0, 0, CODE_XR ^ ABSENT
  mov byte [gdt + T + 6], 2 << 4
  IRET64 'cs absent', K_DATA, T, 2
  CASE 'non-canonical rip'
  mov rbx, 0x800000000000
  push qword K_DATA
  push rsp
  push qword 2
  push qword K64_CODE
  push rbx
  AT iretq
  ENDCASE
  CASE 'nt set'
  push qword NT | 2
  popfq
  push qword K_DATA
  push rsp
  push qword 2
  push qword K64_CODE
  push qword .nt
  AT iretq
.nt:
  ENDCASE
  ; VM is ignored: there is no virtual-8086 mode
  IRET64 'vm in the image', K_DATA, K64_CODE, VM | 2

  LINE 'flags'
%macro FLAGS64 3                  ; name, CS, flags
  CASE %1
  %if %2 == U64_CODE
    push qword U_DATA
    push qword USTACK + ALIAS
    push qword %3
    push qword %2
    push qword %%target + ALIAS
  %else
    push qword K_DATA
    lea rax, [rsp + 8]
    push rax
    push qword %3
    push qword %2
    push qword %%target
  %endif
  iretq
%%target:
  pushfq
  pop rax
  ENDCASE ' rflags=', [fault_rax]
%endmacro
  FLAGS64 'ring 0: all', K64_CODE, CF | PF | AF | ZF | SF | DF | OF | IOPL3 | NT | AC | 2
  FLAGS64 'ring 3: iopl', U64_CODE, IOPL3 | OF | 2
  FLAGS64 'id', K64_CODE, ID | 2
  CASE 'user cannot change iopl or if'
  USER64
  push qword U_DATA
  push qword USTACK + ALIAS
  push qword IOPL3 | IF | CF | 2
  push qword U64_CODE
  push qword .user_flags + ALIAS
  iretq
.user_flags:
  pushfq
  pop rax
  ENDCASE ' rflags=', [fault_rax]

  LINE 'stack'
  ; RSP is loaded whole; a return to compatibility mode loads ESP
  CASE 'rsp is loaded as it is'
  mov rax, 0x123450007
  push qword U_DATA
  push rax
  push qword 2
  push qword U64_CODE
  push qword .rsp + ALIAS
  iretq
.rsp:
  ENDCASE ' rsp=', [fault_sp]
  ; 32-bit and 16-bit operand sizes: frames of 4- and 2-byte items, SS and SP included
  CASE 'iretd'
  sub rsp, 20
  mov dword [rsp], .iretd
  mov dword [rsp + 4], K64_CODE
  mov dword [rsp + 8], 2
  mov dword [rsp + 12], 0x20fff0
  mov dword [rsp + 16], K_DATA
  iretd
.iretd:
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss], ' rsp=', [fault_sp]
  CASE 'iretd to ring 3'
  sub rsp, 20
  mov dword [rsp], .iretd3 + ALIAS
  mov dword [rsp + 4], U64_CODE
  mov dword [rsp + 8], 2
  mov dword [rsp + 12], USTACK + ALIAS
  mov dword [rsp + 16], U_DATA
  iretd
.iretd3:
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss], ' rsp=', [fault_sp]
  ; from compatibility mode, IRETD without a change of privilege pops three items
  CASE 'iretd in compatibility mode'
  COMPAT
  push dword 2
  push dword K32_CODE
  push dword .compat
  iretd
.compat:
  ENDCASE ' cs=', [fault_cs]
  CASE 'compatibility mode to 64-bit mode'
  COMPAT
  push dword 2
  push dword K64_CODE
  push dword .to64
  iretd
  bits 64
.to64:
  ENDCASE ' cs=', [fault_cs]
  ; segments that ring 3 may not use become null
  CASE 'ds, es'
  mov eax, K_DATA
  mov ds, eax
  mov eax, U_DATA
  mov es, eax
  USER64
  ENDCASE ' ds=', [fault_ds], ' es=', [fault_es]

  LINE 'interrupt and return'
  GATE64 0x40, .handler, SYS_INT32 | DPL3, 2
  CASE 'ist, back to ring 3'
  USER64
  push rax
  int 0x40
  ENDCASE ' cs=', [fault_cs], ' rsp=', [fault_sp], ' rax=', [fault_rax]
  GATE64 0x40, .handler, SYS_INT32 | DPL3
  CASE 'back to compatibility mode'
  USER_COMPAT
  int 0x40
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss], ' rsp=', [fault_sp]
  PROT_MODE
  bits 32
  ret
bits 64
.handler:
  mov eax, 0x77
  iretq
bits 32
