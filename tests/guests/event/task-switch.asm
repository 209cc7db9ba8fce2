; Hardware task switches: JMP, CALL, INT and IRET through TSS descriptors and task gates; what is saved and loaded, busy and NT
; flags, error codes. SDM Vol. 3A chapter 7.
%include "guest.inc"

B   equ FREE_SEL                  ; descriptor of the other task's TSS
G   equ FREE_SEL + 8              ; a task gate
L   equ FREE_SEL + 16             ; an LDT
B16 equ FREE_SEL + 24             ; a 16-bit TSS

; Fields of a 32-bit TSS (7.2.1)
LINK  equ 0
T_CR3 equ 28
T_EIP equ 32
T_FLAGS equ 36
T_EAX equ 40
T_ECX equ 44
T_EDX equ 48
T_EBX equ 52
T_ESP equ 56
T_EBP equ 60
T_ESI equ 64
T_EDI equ 68
T_ES  equ 72
T_CS  equ 76
T_SS  equ 80
T_DS  equ 84
T_FS  equ 88
T_GS  equ 92
T_LDT equ 96
T_T   equ 100

; TASK entry: a fresh ring 0 task in TSS B
%macro TASK 1
  mov dword [tss_b + T_EIP], %1
  call fresh_task
%endmacro

; A fault in the other task's context leaves TR there: back to the first TSS
%macro BACK_TO_A 0
  mov byte [gdt + TSS_SEL + 5], SYS_TSS32
  mov eax, TSS_SEL
  ltr ax
  xor eax, eax
  lldt ax
%endmacro

main:
  LINE 'jmp'
  TASK .b1
  mov eax, 0xa1
  mov ebx, 0xa2
  mov ecx, 0xa3
  stc
  jmp B:0x12345678                ; the offset is not used
.after_jmp:
  pushfd
  pop edx
  and edx, CF | NT
  LINE 'back: eax=', eax, ' ebx=', ebx, ' flags=', edx
  jmp .busy
.b1:
  call show_registers
  mov eax, [tss + T_EIP]
  sub eax, .after_jmp
  mov ecx, [tss + T_FLAGS]
  and ecx, CF | NT
  mov edx, KSTACK
  sub edx, [tss + T_ESP]
  LINE 'in B: saved eip=+', eax, ' eax=', [tss + T_EAX], ' cs=', [tss + T_CS], ' flags=', ecx, ' esp=210000-', edx
  call show_busy
  jmp TSS_SEL:0
.busy:
  call show_busy_out
  clts

  LINE 'call'
  TASK .b2
  push dword 2
  popfd
  call B:0
  pushfd
  pop eax
  and eax, NT
  LINE 'back: nt=', eax
  call show_busy_out
  mov eax, [tss_b + T_FLAGS]
  and eax, NT
  mov ecx, [tss_b + T_EIP]
  sub ecx, .b2_resumed
  LINE 'saved in B: nt=', eax, ' eip=+', ecx
  ; the task continues after its IRET
  call B:0
  jmp .gate
.b2:
  movzx eax, word [tss_b + LINK]
  pushfd
  pop ecx
  and ecx, NT
  movzx edx, byte [gdt + TSS_SEL + 5]
  movzx ebx, byte [gdt + B + 5]
  LINE 'in B: link=', eax, ' nt=', ecx, ' busy A=', edx, ' B=', ebx
  iretd
.b2_resumed:
  LINE 'in B: resumed'
  iretd

.gate:
  LINE 'task gate'
  DESC G, 0, 0, SYS_TASK | DPL3, 0
  mov word [gdt + G + 2], B
  TASK .b3
  call G:0
  TASK .b4
  jmp G:0
.after_gate:
  CASE 'from ring 3'
  TASK .b3
  USER
  call G + 3:0
  ENDCASE ' cs=', [fault_cs]
  mov dword [idt32 + 0x40 * 8], B << 16
  mov dword [idt32 + 0x40 * 8 + 4], (SYS_TASK | DPL3) << 8
  TASK .b3
  int 0x40
  LINE 'after int'
  jmp .exception
.b3:
  movzx eax, word [tss_b + LINK]
  LINE 'in B: link=', eax
  iretd
.b4:
  movzx eax, word [tss_b + LINK]
  LINE 'in B: link=', eax
  mov dword [tss + T_EIP], .after_gate
  jmp TSS_SEL:0

.exception:
  ; an exception through a task gate: the error code is on the new task's stack, the saved EIP that of the instruction
  LINE 'exception'
  push dword [idt32 + 13 * 8]
  push dword [idt32 + 13 * 8 + 4]
  mov dword [idt32 + 13 * 8], B << 16
  mov dword [idt32 + 13 * 8 + 4], SYS_TASK << 8
  TASK .b5
  mov eax, 0x1238
.faulting:
  mov fs, eax
  LINE 'after the fault: fs=', eax
  pop dword [idt32 + 13 * 8 + 4]
  pop dword [idt32 + 13 * 8]
  jmp .refused
.b5:
  pushfd
  pop edx
  and edx, NT
  mov eax, [tss + T_EIP]
  sub eax, .faulting
  mov ecx, RING1_STACK
  sub ecx, esp
  mov ebx, [esp]
  LINE 'in B: error=', ebx, ' esp used=', ecx, ' eip=+', eax, ' nt=', edx
  mov dword [tss + T_EAX], K_DATA ; repairs the cause: the instruction is executed again
  add esp, 4
  iretd

.refused:
  LINE 'refused'
%macro REFUSED 1
  SAY %1, ':'
  PROBE 'jmp'
  AT jmp B:0
  ENDPROBE
  PROBE 'call'
  AT call B:0
  ENDPROBE
  PROBE 'gate'
  AT call G:0
  ENDPROBE
  PROBE 'int'
  AT int 0x40
  ENDPROBE
  SAY `\n`
%endmacro
  TASK .unreachable
  mov byte [gdt + B + 5], SYS_TSS32B
  REFUSED 'busy'
  mov byte [gdt + B + 5], SYS_TSS32 ^ ABSENT
  REFUSED 'absent'
  DESC B, tss_b, 102, SYS_TSS32, 0
  REFUSED 'limit 102'
  DESC B, tss_b, 103, SYS_LDT, 0
  CASE 'gate to an ldt'
  AT call G:0
  ENDCASE
  TASK .unreachable
  mov word [gdt + G + 2], B | 4
  CASE 'gate to the ldt table'
  AT call G:0
  ENDCASE
  mov word [gdt + G + 2], 0
  CASE 'gate to null'
  AT call G:0
  ENDCASE
  mov word [gdt + G + 2], B
  mov byte [gdt + G + 5], SYS_TASK ^ ABSENT
  CASE 'gate absent'
  AT call G:0
  ENDCASE
  mov byte [gdt + G + 5], SYS_TASK
  CASE 'gate dpl 0 from ring 3'
  USER
  AT call G + 3:0
  ENDCASE
  CASE 'tss dpl 0 from ring 3'
  USER
  AT jmp B:0
  ENDCASE
  CASE 'iret, no link'
  mov word [tss + LINK], 0
  push dword NT | 2
  popfd
  AT iretd
  ENDCASE
  CASE 'iret, link not busy'
  mov word [tss + LINK], B
  push dword NT | 2
  popfd
  AT iretd
  ENDCASE
  CASE 'iret, link is data'
  mov word [tss + LINK], K_DATA
  push dword NT | 2
  popfd
  AT iretd
  ENDCASE
  mov word [tss + LINK], 0

  ; found after the switch: the fault belongs to the new task, before its first instruction
  LINE 'new task'
%macro NEW_TASK 3                 ; name, field, value
  TASK .unreachable
  mov dword [tss_b + %2], %3
  CASE %1
  FAULTS_AT .unreachable
  jmp B:0
  ENDCASE
  call show_tr
  BACK_TO_A
%endmacro
  NEW_TASK 'ds beyond the limit', T_DS, GDT_SIZE
  NEW_TASK 'es code', T_ES, TSS_SEL
  DESC L, 0, 0xfffff, DATA_RW ^ ABSENT, GRAN | BIG
  NEW_TASK 'fs absent', T_FS, L
  NEW_TASK 'gs dpl 0, rpl 3', T_GS, K_DATA | 3
  ; the T flag: #DB with DR6.BT when the task is entered
  xor eax, eax
  mov dr6, eax
  NEW_TASK 'debug trap', T_T, 1
  mov eax, dr6
  and eax, 0xf00f
  LINE 'dr6 ', eax

  ; a task in ring 3, with an LDT
  LINE 'user task'
  DESC L, SCRATCH, 0xff, SYS_LDT, 0
  mov eax, [gdt + (U_DATA & ~3)]
  mov [SCRATCH + 8], eax
  mov eax, [gdt + (U_DATA & ~3) + 4]
  mov [SCRATCH + 12], eax
  TASK .user_task
  mov dword [tss_b + T_CS], U32_CODE
  mov dword [tss_b + T_SS], U_DATA
  mov dword [tss_b + T_ES], 8 | 7
  mov dword [tss_b + T_GS], 3
  mov dword [tss_b + T_LDT], L
  mov dword [tss_b + 4], RING0_STACK
  mov dword [tss_b + 8], K_DATA
  CASE 'user'
  jmp B:0
.user_task:
  ENDCASE ' cs=', [fault_cs], ' es=', [fault_es]
  sldt eax
  LINE 'ldtr ', eax
  BACK_TO_A

  ; a 16-bit TSS
  LINE '16-bit'
  DESC B16, tss16, 43, SYS_TSS16, 0
  mov ebx, esp
  mov [saved_esp], ebx
  call B16:0
  sub ebx, [saved_esp]
  mov ecx, [saved_esp]
  sub ecx, esp
  movzx ecx, cx                   ; a 16-bit TSS keeps SP alone
  LINE 'back, esp moved by ', ecx
  DESC B16, tss16, 42, SYS_TSS16, 0
  CASE 'limit 42'
  AT call B16:0
  ENDCASE
  clts
  ret
.unreachable:
  nop
  int 0x80

show_registers:
  pushfd
  pop dword [flags_b]
  LINE 'in B: eax=', eax, ' ecx=', ecx, ' edx=', edx, ' ebx=', ebx, ' ebp=', ebp, ' esi=', esi, ' edi=', edi, ' flags=', [flags_b]
  str eax
  mov ecx, cs
  mov edx, ss
  mov esi, ds
  mov edi, fs
  mov ebx, cr0
  and ebx, CR0_TS
  movzx ebp, word [tss_b + LINK]
  LINE 'in B: tr=', eax, ' cs=', ecx, ' ss=', edx, ' ds=', esi, ' fs=', edi, ' ts=', ebx, ' link=', ebp
  ret

show_busy:
  movzx ecx, byte [gdt + TSS_SEL + 5]
  movzx edx, byte [gdt + B + 5]
  LINE 'in B: busy A=', ecx, ' B=', edx
  ret

show_busy_out:
  movzx ecx, byte [gdt + TSS_SEL + 5]
  movzx edx, byte [gdt + B + 5]
  mov ebx, cr0
  and ebx, CR0_TS
  LINE 'out: busy A=', ecx, ' B=', edx, ' ts=', ebx
  ret

show_tr:
  str eax
  movzx ecx, byte [gdt + TSS_SEL + 5]
  movzx edx, byte [gdt + B + 5]
  LINE 'tr=', eax, ' busy A=', ecx, ' B=', edx
  ret

fresh_task:
  push eax
  mov dword [tss_b + LINK], 0
  mov dword [tss_b + T_FLAGS], SF | AF | CF | 2
  mov dword [tss_b + T_EAX], 0xb0
  mov dword [tss_b + T_ECX], 0xb1
  mov dword [tss_b + T_EDX], 0xb2
  mov dword [tss_b + T_EBX], 0xb3
  mov dword [tss_b + T_ESP], RING1_STACK
  mov dword [tss_b + T_EBP], 0xb5
  mov dword [tss_b + T_ESI], 0xb6
  mov dword [tss_b + T_EDI], 0xb7
  mov dword [tss_b + T_ES], K_DATA
  mov dword [tss_b + T_CS], K32_CODE
  mov dword [tss_b + T_SS], K_DATA
  mov dword [tss_b + T_DS], U_DATA
  mov dword [tss_b + T_FS], 0
  mov dword [tss_b + T_GS], K_DATA
  mov dword [tss_b + T_LDT], 0
  mov dword [tss_b + T_T], 104 << 16
  DESC B, tss_b, 103, SYS_TSS32, 0
  pop eax
  ret

section .data
align 128
tss_b: times 26 dd 0
flags_b: dd 0
saved_esp: dd 0
align 64
; 16-bit TSS: link, SP0, SS0, SP1, SS1, SP2, SS2, IP, FLAGS, AX, CX, DX, BX, SP, BP, SI, DI, ES, CS, SS, DS, LDT
tss16: dw 0, 0, 0, 0, 0, 0, 0, task16, 2, 0x1111, 0x2222, 0x3333, 0x4444, 0xd000, 0x6666, 0x7777, 0x8888
  dw K_DATA, K32_CODE, K_DATA, K_DATA, 0
section .low
bits 32
task16:
  movzx esp, sp                   ; a 16-bit TSS leaves the upper halves of the registers undefined
  movzx eax, ax
  movzx edi, di
  movzx ecx, sp
  movzx edx, word [tss16]
  LINE 'in 16-bit: ax=', eax, ' di=', edi, ' sp=', ecx, ' link=', edx
  iretd
section .text
