; Far JMP, CALL and RET between segments of protected mode: SDM Vol. 3A 5.8, Vol. 2A "JMP", "CALL", Vol. 2B "RET".
%include "guest.inc"

T equ FREE_SEL
D equ FREE_SEL + 8

; TRANSFERS 'name', selector, in ring 0: JMP and CALL
%macro TRANSFERS 2
  SAY %1, ':'
  PROBE 'jmp'
  AT jmp %2:%%target
  %%target:
  ENDPROBE
  PROBE 'call'
  AT call %2:%%target2
  %%target2:
  ENDPROBE
  SAY `\n`
%endmacro

%macro USER_TRANSFERS 2
  SAY %1, ':'
  PROBE 'jmp'
  USER
  AT jmp %2:%%target
  %%target:
  ENDPROBE
  PROBE 'call'
  USER
  AT call %2:%%target2
  %%target2:
  ENDPROBE
  SAY `\n`
%endmacro

main:
  LINE 'ring 0'
  TRANSFERS 'null', 0
  TRANSFERS 'null rpl 3', 3
  TRANSFERS 'beyond the limit', GDT_SIZE | 3
  TRANSFERS 'ldt', 0xc
  TRANSFERS 'data', K_DATA
  TRANSFERS 'code', K32_CODE
  TRANSFERS 'code rpl 3', K32_CODE | 3
  TRANSFERS 'code dpl 3', U32_CODE & ~3
  DESC T, 0, 0xfffff, CODE_CONF, GRAN | BIG
  TRANSFERS 'conforming dpl 0', T
  TRANSFERS 'conforming dpl 0 rpl 3', T + 3
  DESC T, 0, 0xfffff, CODE_CONF | DPL3, GRAN | BIG
  TRANSFERS 'conforming dpl 3', T
  DESC T, 0, 0xfffff, CODE_XO, GRAN | BIG
  TRANSFERS 'execute-only', T
  DESC T, 0, 0xfffff, CODE_XR ^ ABSENT, GRAN | BIG
  TRANSFERS 'absent', T
  DESC T, 0, 0xfffff, (CODE_XR | DPL3) ^ ABSENT, GRAN | BIG
  TRANSFERS 'absent dpl 3', T
  DESC T, 0, 0xfffff, SYS_LDT, 0
  TRANSFERS 'ldt descriptor', T
  DESC T, 0, 0xfffff, SYS_INT32, 0
  TRANSFERS 'interrupt gate', T
  DESC T, 0, 0xfffff, 0x80, 0
  TRANSFERS 'reserved type', T
  ; the descriptor's accessed bit
  DESC T, 0, 0xfffff, CODE_XR & 0xfe, GRAN | BIG
  jmp T:.accessed
.accessed:
  jmp K32_CODE:.flat
.flat:
  movzx eax, byte [gdt + T + 5]
  LINE 'accessed ', eax

  LINE 'ring 3'
  USER_TRANSFERS 'code dpl 3', U32_CODE
  USER_TRANSFERS 'code dpl 3 rpl 0', U32_CODE & ~3
  USER_TRANSFERS 'code dpl 0', K32_CODE
  USER_TRANSFERS 'null', 3
  DESC T, 0, 0xfffff, CODE_CONF, GRAN | BIG
  USER_TRANSFERS 'conforming dpl 0', T
  CASE 'conforming keeps cpl'
  USER
  jmp T:.conforming
.conforming:
  ENDCASE ' cs=', [fault_cs]
  CASE 'conforming: cli'
  USER
  jmp T:.conforming2
.conforming2:
  AT cli
  ENDCASE

  LINE 'frames'
  mov ebx, esp
  call K32_CODE:.called
  mov eax, ebx
  sub eax, esp
  LINE 'esp after retf ', eax
  jmp .sixteen
.called:
  mov eax, ebx
  sub eax, esp
  mov ecx, [esp + 4]
  LINE 'call pushes ', eax, ' cs=', ecx
  retf
.sixteen:
  ; a 16-bit operand size pushes and loads 16 bits: code below 64 KB
  mov ebx, esp
  call K32_CODE:low_code
  mov eax, ebx
  sub eax, esp
  LINE 'esp after 16-bit retf ', eax
  ; an indirect far pointer: offset first
  mov dword [SCRATCH], .indirect
  mov word [SCRATCH + 4], K32_CODE
  jmp far [SCRATCH]
.indirect:
  push dword 1
  push dword 2
  push dword K32_CODE
  push dword .popped
  mov ebx, esp
  retf 8
.popped:
  mov eax, esp
  sub eax, ebx
  LINE 'retf 8 pops ', eax

  LINE 'retf in ring 0'
%macro RETF 2-3 -1                ; name, CS [, SS]: to ring 3 if an SS is given
  CASE %1
  %if %3 != -1
    push dword %3
    push dword USTACK
  %endif
  push dword %2
  push dword %%target
  AT retf
%%target:
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss]
%endmacro
  RETF 'same', K32_CODE
  RETF 'null cs', 0
  RETF 'data', K_DATA
  RETF 'beyond the limit', GDT_SIZE
  DESC T, 0, 0xfffff, CODE_XR ^ ABSENT, GRAN | BIG
  RETF 'absent', T
  RETF 'dpl 3 rpl 0', U32_CODE & ~3
  RETF 'outer', U32_CODE, U_DATA
  RETF 'outer, dpl 0', K32_CODE | 3, U_DATA
  RETF 'outer, null ss', U32_CODE, 0
  RETF 'outer, ss rpl 0', U32_CODE, U_DATA & ~3
  RETF 'outer, ss dpl 0', U32_CODE, K_DATA | 3
  RETF 'outer, ss code', U32_CODE, U32_CODE
  RETF 'outer, ss beyond', U32_CODE, GDT_SIZE | 3
  DESC D, 0, 0xfffff, DATA_RO | DPL3, GRAN | BIG
  RETF 'outer, ss read-only', U32_CODE, D | 3
  DESC D, 0, 0xfffff, (DATA_RW | DPL3) ^ ABSENT, GRAN | BIG
  RETF 'outer, ss absent', U32_CODE, D | 3
  DESC T, 0, 0xfffff, CODE_CONF, GRAN | BIG
  RETF 'outer, conforming dpl 0', T | 3, U_DATA
  ; to ring 3, segments that ring 3 may not use become null: data and non-conforming code with DPL < 3
  CASE 'outer clears'
  mov eax, K_DATA
  mov ds, eax
  mov eax, U_DATA
  mov es, eax
  push dword U_DATA
  push dword USTACK
  push dword U32_CODE
  push dword .cleared
  retf
.cleared:
  ENDCASE ' ds=', [fault_ds], ' es=', [fault_es]
  LINE 'retf in ring 3'
%macro USER_RETF 2
  CASE %1
  USER
  push dword U_DATA
  push dword USTACK
  push dword %2
  push dword %%target
  AT retf
%%target:
  ENDCASE ' cs=', [fault_cs]
%endmacro
  USER_RETF 'to ring 0', K32_CODE
  USER_RETF 'ring 0 code, rpl 3', K32_CODE | 3
  USER_RETF 'same', U32_CODE
  USER_RETF 'rpl 0', U32_CODE & ~3
  ret

section .low
bits 32
low_code:
  call word K32_CODE:.called
.return:
  retf
.called:
  mov eax, .return
  sub ax, [esp]
  movzx eax, ax
  movzx ecx, word [esp + 2]
  mov edx, ebx
  sub edx, 8
  sub edx, esp
  LINE '16-bit call pushes ', edx, ' ip=+', eax, ' cs=', ecx
  o16 retf
section .text
