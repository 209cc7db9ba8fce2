; Loading segment registers, LDTR and TR in protected mode: which selectors and descriptors are refused, with which error code
; (the selector without RPL; 4 is TI). SDM Vol. 3A 5.5 to 5.7, Vol. 2B "MOV", "LLDT", "LTR".
%include "guest.inc"

T equ FREE_SEL

; LOAD 'name', register, selector: in ring 0. LOAD_USER: in ring 3
%macro LOAD 3
  CASE %1
  mov eax, %3
  AT mov %2, eax
  ENDCASE
%endmacro
%macro LOAD_USER 3
  CASE %1
  USER
  mov eax, %3
  AT mov %2, eax
  ENDCASE
%endmacro

main:
  LOAD 'ds.null', ds, 0
  LOAD 'ds.null with rpl 3', ds, 3
  LOAD 'ss.null', ss, 0
  LOAD_USER 'ss.null in ring 3', ss, 3
  LOAD 'ds.last', ds, GDT_SIZE - 8
  LOAD 'ds.beyond the limit', ds, GDT_SIZE
  LOAD 'ds.beyond the limit, rpl 3', ds, GDT_SIZE + 3
  LOAD 'ss.beyond the limit', ss, GDT_SIZE
  LOAD 'ds.no ldt', ds, 0xc
  LOAD 'ds.high selector bits', ds, 0xfff8
  ; a descriptor that the limit cuts off
  mov word [SCRATCH], GDT_SIZE - 2
  mov dword [SCRATCH + 2], gdt
  DESC GDT_SIZE - 8, 0, 0xfffff, DATA_RW, GRAN | BIG
  lgdt [SCRATCH]
  LOAD 'ds.cut off by the limit', ds, GDT_SIZE - 8
  lgdt [gdtr]
  LOAD 'ds.inside the limit', ds, GDT_SIZE - 8

  LINE 'types'
%macro TYPES 2
  DESC T, 0, 0xfffff, %2, GRAN | BIG
  SAY %1, ':'
  PROBE 'ds'
  mov eax, T
  AT mov ds, eax
  ENDPROBE
  PROBE 'gs'
  mov eax, T
  AT mov gs, eax
  ENDPROBE
  PROBE 'ss'
  mov eax, T
  AT mov ss, eax
  ENDPROBE
  mov eax, K_DATA
  mov ss, eax
  SAY `\n`
%endmacro
  TYPES 'data read/write', DATA_RW
  TYPES 'data read-only', DATA_RO
  TYPES 'code execute-only', CODE_XO
  TYPES 'code readable', CODE_XR
  TYPES 'code conforming', CODE_CONF
  TYPES 'conforming execute-only', 0x9d
  TYPES 'tss', SYS_TSS32
  TYPES 'ldt', SYS_LDT
  TYPES 'call gate', SYS_CALL32
  TYPES 'reserved type', 0x80
  TYPES 'data absent', DATA_RW ^ ABSENT
  TYPES 'read-only absent', DATA_RO ^ ABSENT
  TYPES 'code execute-only absent', CODE_XO ^ ABSENT
  TYPES 'tss absent', SYS_TSS32 ^ ABSENT
  TYPES 'data dpl 3', DATA_RW | DPL3

  LINE 'privilege'
  DESC T, 0, 0xfffff, DATA_RW, GRAN | BIG
  LOAD 'ds.rpl 3 of dpl 0', ds, T + 3
  LOAD 'ds.rpl 1 of dpl 0', ds, T + 1
  LOAD_USER 'ds.dpl 0 in ring 3', ds, T
  LOAD 'ss.rpl 3 in ring 0', ss, T + 3
  LOAD_USER 'ss.dpl 0 in ring 3', ss, T + 3
  DESC T, 0, 0xfffff, DATA_RW | DPL3, GRAN | BIG
  LOAD 'ds.dpl 3 rpl 0', ds, T
  LOAD 'ss.dpl 3 in ring 0', ss, T
  LOAD 'ss.dpl 3 rpl 3 in ring 0', ss, T + 3
  LOAD_USER 'ss.dpl 3 rpl 3 in ring 3', ss, T + 3
  LOAD_USER 'ss.rpl 0 in ring 3', ss, T
  LOAD_USER 'ds.rpl 0 in ring 3', ds, T
  DESC T, 0, 0xfffff, CODE_CONF, GRAN | BIG
  LOAD_USER 'ds.conforming dpl 0 in ring 3', ds, T + 3
  DESC T, 0, 0xfffff, CODE_XR, GRAN | BIG
  LOAD_USER 'ds.code dpl 0 in ring 3', ds, T + 3
  DESC T, 0, 0xfffff, (DATA_RW | DPL3) ^ ABSENT, GRAN | BIG
  LOAD 'ss.privilege before presence', ss, T

  LINE 'other loads'
  DESC T, 0, 0xfffff, DATA_RW ^ ABSENT, GRAN | BIG
  CASE 'pop ds'
  push dword T
  mov ebx, esp
  AT pop ds
  ENDCASE
  mov eax, [fault_sp]
  sub eax, [fault_ebx]
  LINE 'pop ds moved esp by ', eax
  CASE 'lfs keeps the register'
  mov dword [SCRATCH], 0x5678
  mov dword [SCRATCH + 4], T
  mov ebx, 0x1234
  AT lfs ebx, [SCRATCH]
  ENDCASE ' ebx=', [fault_ebx]
  CASE 'lss'
  AT lss ebx, [SCRATCH]
  ENDCASE
  CASE 'refused load keeps the old segment'
  push dword [idt32 + 11 * 8]
  push dword [idt32 + 11 * 8 + 4]
  GATE32 11, .np, SYS_INT32
  mov ax, T
  mov ds, ax
  pop dword [idt32 + 11 * 8 + 4]
  pop dword [idt32 + 11 * 8]
  mov ebx, ds
  mov ecx, [SCRATCH]
  ENDCASE ' ds=', [fault_ebx], ' value=', [fault_ecx]
  DESC T, 0, 0xfffff, DATA_RW & 0xfe, GRAN | BIG
  mov eax, T
  mov fs, eax
  movzx eax, byte [gdt + T + 5]
  LINE 'accessed bit ', eax
  mov eax, 0xffffffff
  mov eax, fs
  LINE 'mov eax, fs ', eax
  push dword -1
  mov eax, 0x12340000 + K_DATA
  mov fs, eax                     ; the upper half is ignored
  mov word [esp], fs
  pop eax
  LINE 'mov word [memory], fs ', eax

  LINE 'ldt'
  mov eax, [gdt + K_DATA]
  mov [SCRATCH + 0x100 + 8], eax
  mov eax, [gdt + K_DATA + 4]
  mov [SCRATCH + 0x100 + 12], eax
  DESC LDT_SEL, SCRATCH + 0x100, 15, SYS_LDT, 0
%macro LLDT 2
  CASE %1
  mov eax, %2
  AT lldt ax
  ENDCASE
%endmacro
  LLDT 'lldt', LDT_SEL
  LOAD 'ds.ldt entry 1', ds, 0xc
  LOAD 'ds.ldt entry 0 is not null', ds, 4
  LOAD 'ds.beyond the ldt', ds, 0x14
  sldt eax
  LINE 'sldt ', eax
  LLDT 'lldt.null', 0
  LOAD 'ds.ldt after lldt 0', ds, 0xc
  LLDT 'lldt.not an ldt', K_DATA
  LLDT 'lldt.in the ldt', LDT_SEL | 4
  LLDT 'lldt.beyond the limit', GDT_SIZE
  DESC T, 0, 0, SYS_LDT ^ ABSENT, 0
  LLDT 'lldt.absent', T

  LINE 'task register'
%macro LTR 2
  CASE %1
  mov eax, %2
  AT ltr ax
  ENDCASE
%endmacro
  LTR 'ltr.null', 0
  LTR 'ltr.busy', TSS_SEL
  LTR 'ltr.not a tss', K_DATA
  LTR 'ltr.in the ldt', TSS_SEL | 4
  DESC T, tss, 103, SYS_TSS32 ^ ABSENT, 0
  LTR 'ltr.absent', T
  DESC T, tss, 103, SYS_TSS16, 0
  LTR 'ltr.16-bit', T
  movzx eax, byte [gdt + T + 5]
  LINE 'busy ', eax
  str eax
  LINE 'str ', eax
  DESC TSS_SEL, tss, 103, SYS_TSS32, 0
  LTR 'ltr.32-bit', TSS_SEL
  movzx eax, byte [gdt + TSS_SEL + 5]
  LINE 'busy ', eax
  ret
.np:                              ; leaves out the load, 8e d8
  add esp, 4
  add dword [esp], 2
  iretd
