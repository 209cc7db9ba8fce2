; Interrupt and trap gates, IRET within and between privileges: what is pushed, which flags change, what is refused.
; SDM Vol. 3A 6.12, 6.13; Vol. 2A "INT n", "IRET".
%include "guest.inc"

V equ 0x40                        ; the vector under test
T equ FREE_SEL
R1_CODE equ FREE_SEL + 8
R1_DATA equ FREE_SEL + 16

; GO 'name': INT V in ring 0, then in ring 3
%macro GO 1
  SAY %1, ':'
  PROBE 'ring-0'
  AT int V
  ENDPROBE
  PROBE 'ring-3'
  USER
  AT int V
  ENDPROBE
  SAY `\n`
%endmacro

main:
  LINE 'flags'
  ; AC, ID, arithmetic flags stay; TF, NT, VM, RF are cleared; IF by interrupt gates only
%macro FLAGS 3                    ; name, gate type, flags before
  GATE32 V, inside_flags, %2
  SAY %1
  push dword %3
  popfd
  int V
  cli
  pushfd
  pop eax
  and eax, ~(ID | IF)
  LINE ' restored=', eax
  push dword 2
  popfd
%endmacro
  FLAGS 'interrupt gate', SYS_INT32, AC | NT | IOPL3 | IF | OF | CF | 2
  FLAGS 'trap gate', SYS_TRAP32, AC | NT | IOPL3 | IF | OF | CF | 2
  FLAGS 'other flags', SYS_INT32, DF | SF | ZF | AF | PF | 2

  LINE 'frames'
  GATE32 V, show_frame, SYS_INT32
  mov ebx, esp
  int V
  GATE32 V, show_frame, SYS_INT32 | DPL3
  CASE 'from ring 3'
  USER
  push eax
  push eax
  int V
  ENDCASE
  GATE32 V, low16, SYS_INT16 | DPL3
  CASE '16-bit gate from ring 3'
  USER
  mov esp, 0x12342228
  int V
  ENDCASE
  ; data segments are not touched
  CASE 'segments stay'
  USER
  push dword 0
  pop es
  ENDCASE ' ds=', [fault_ds], ' es=', [fault_es]

  LINE 'gate'
  GATE32 V, done, SYS_INT32 | DPL3
  GO 'interrupt gate dpl 3'
  GATE32 V, done, SYS_INT32
  GO 'interrupt gate dpl 0'
  GATE32 V, done, (SYS_INT32 | DPL3) ^ ABSENT
  GO 'absent'
  GATE32 V, done, SYS_INT32 ^ ABSENT
  GO 'absent dpl 0'
  GATE32 V, done, SYS_CALL32 | DPL3
  GO 'call gate'
  GATE32 V, done, 0xf2
  GO 'data'
  mov dword [idt32 + V * 8], 0
  mov dword [idt32 + V * 8 + 4], 0
  GO 'empty'
  mov dword [SCRATCH + 2], idt32
  GATE32 0xff, done, SYS_INT32 | DPL3
  mov word [SCRATCH], 0xff * 8 + 6
  lidt [SCRATCH]
  CASE 'cut off by the limit'
  AT int 0xff
  ENDCASE
  CASE 'cut off, ring 3'
  USER
  AT int 0xff
  ENDCASE
  lidt [idtr32]

  LINE 'target'
  GATE32 V, done, SYS_INT32 | DPL3, 0
  GO 'null'
  GATE32 V, done, SYS_INT32 | DPL3, K_DATA
  GO 'data'
  GATE32 V, done, SYS_INT32 | DPL3, GDT_SIZE
  GO 'beyond the limit'
  GATE32 V, done, SYS_INT32 | DPL3, U32_CODE
  GO 'dpl 3'
  DESC T, 0, 0xfffff, CODE_XR ^ ABSENT, GRAN | BIG
  GATE32 V, done, SYS_INT32 | DPL3, T
  GO 'absent'
  DESC T, 0, 0xfffff, CODE_CONF, GRAN | BIG
  GO 'conforming'
  GATE32 V, .conforming, SYS_INT32 | DPL3, T
  CASE 'conforming stays in ring 3'
  USER
  mov ebx, esp
  int V
.conforming:
  sub ebx, esp
  ENDCASE ' cs=', [fault_cs], ' used=', [fault_ebx]
  DESC R1_CODE, 0, 0xfffff, CODE_XR | DPL1, GRAN | BIG
  DESC R1_DATA, 0, 0xfffff, DATA_RW | DPL1, GRAN | BIG
  mov dword [tss + 12], RING1_STACK
  mov dword [tss + 16], R1_DATA | 1
  GATE32 V, .ring1, SYS_INT32 | DPL3, R1_CODE
  CASE 'to ring 1'
  USER
  int V
.ring1:
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss], ' esp=', [fault_sp]
  mov dword [tss + 16], 0
  CASE 'to ring 1, null ss'
  USER
  AT int V
  ENDCASE
  mov dword [tss + 16], K_DATA | 1
  CASE 'to ring 1, ss dpl 0'
  USER
  AT int V
  ENDCASE
  DESC R1_DATA, 0, 0xfffff, (DATA_RW | DPL1) ^ ABSENT, GRAN | BIG
  mov dword [tss + 16], R1_DATA | 1
  CASE 'to ring 1, ss absent'
  USER
  AT int V
  ENDCASE

  ; EXT (bit 0) is set where the event was not an INT instruction
  LINE 'external'
  GATE32 6, done, SYS_INT32 ^ ABSENT
  CASE 'ud, gate absent'
  AT ud2
  ENDCASE
  CASE 'int 6, gate absent'
  AT int 6
  ENDCASE
  GATE32 6, done, SYS_INT32, 0
  CASE 'ud, null target'
  AT ud2
  ENDCASE
  GATE32 6, done, SYS_INT32, K_DATA
  CASE 'ud, data target'
  AT ud2
  ENDCASE
  GATE32 6, done, SYS_CALL32
  CASE 'ud, call gate'
  AT ud2
  ENDCASE
  GATE32 3, done, SYS_INT32 ^ ABSENT
  CASE 'int3, gate absent'
  AT int3
  ENDCASE
  GATE32 1, done, SYS_INT32 ^ ABSENT
  CASE 'int1, gate absent'
  AT db 0xf1
  ENDCASE

  LINE 'iret'
%macro IRET 3-4 -1                ; name, CS, EFLAGS [, SS]
  CASE %1
  %if %4 != -1
    push dword %4
    push dword USTACK
  %endif
  push dword %3
  push dword %2
  push dword %%target
  AT iretd
%%target:
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss]
%endmacro
  IRET 'same', K32_CODE, 2
  IRET 'null', 0, 2
  IRET 'data', K_DATA, 2
  IRET 'beyond', GDT_SIZE, 2
  IRET 'dpl 3 rpl 0', U32_CODE & ~3, 2
  IRET 'outer', U32_CODE, 2, U_DATA
  IRET 'outer, null ss', U32_CODE, 2, 0
  IRET 'outer, ss dpl 0', U32_CODE, 2, K_DATA | 3
  IRET 'outer, ss rpl 0', U32_CODE, 2, U_DATA & ~3
  DESC T, 0, 0xfffff, CODE_XR ^ ABSENT, GRAN | BIG
  IRET 'absent', T, 2
  ; flags that IRET may change: IOPL only in ring 0, IF where CPL <= IOPL
  push dword IOPL3 | AC | NT | 2
  push dword K32_CODE
  push dword .iret_flags
  iretd
.iret_flags:
  pushfd
  pop eax
  LINE 'ring 0 sets ', eax
  push dword 2
  popfd
  CASE 'ring 3 cannot set iopl, if'
  USER
  push dword IOPL3 | IF | AC | CF | 2
  push dword U32_CODE
  push dword .user_flags
  iretd
.user_flags:
  pushfd
  pop eax
  ENDCASE ' flags=', [fault_eax]
  CASE 'iopl 3 may set if'
  USER IOPL3 | 2
  push dword IF | 2
  push dword U32_CODE
  push dword .user_flags3
  iretd
.user_flags3:
  pushfd
  pop eax
  cli
  ENDCASE ' flags=', [fault_eax]
  CASE 'ring 3 to ring 0'
  USER
  push dword 2
  push dword K32_CODE
  push dword .user_flags3
  AT iretd
  ENDCASE
  ; 16-bit IRET: the upper half of EFLAGS stays
  push dword AC | 2
  popfd
  push word CF | 2
  push word K32_CODE
  push word low_iret
  o16 iret
iret16_back:
  pushfd
  pop eax
  LINE '16-bit iret flags ', eax
  push dword 2
  popfd
  ret

done:
  int 0x80

inside_flags:
  pushfd
  pop eax
  and eax, ~ID
  SAY ' inside=', eax
  iretd

; EBX = ESP before INT, in ring 0
show_frame:
  mov edx, esp
  mov ecx, [edx + 4]
  test cl, 3
  jnz .user
  mov eax, ebx
  sub eax, edx
  LINE 'ring 0: used=', eax, ' cs=', ecx, ' flags=', [edx + 8]
  iretd
.user:
  mov eax, RING0_STACK
  sub eax, edx
  SAY 'ring 3: used=', eax, ' cs=', ecx, ' flags=', [edx + 8], ' esp=', [edx + 12], ' ss=', [edx + 16]
  mov eax, cs
  mov ecx, ss
  LINE ' now cs=', eax, ' ss=', ecx
  iretd

section .low
bits 32
low16:
  mov edx, esp
  mov eax, RING0_STACK
  sub eax, edx
  SAY '16-bit: used=', eax
  movzx eax, word [edx + 2]
  movzx ecx, word [edx + 4]
  SAY ' cs=', eax, ' flags=', ecx
  movzx eax, word [edx + 6]
  movzx ecx, word [edx + 8]
  LINE ' sp=', eax, ' ss=', ecx
  int 0x80
low_iret:
  jmp iret16_back
section .text
