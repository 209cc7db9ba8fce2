; Which pairs of exceptions become #DF: SDM Vol. 3A 6.15, tables 6-4 and 6-5. The second exception arises while the first is
; delivered: its gate is absent, leads nowhere, has no stack, or lies in an absent page.
%define UALIAS ALIAS
%include "guest.inc"
%include "paging32.inc"

EDGE equ TESTLIN + 0x1000
BAD  equ FREE_SEL                 ; an absent segment
R1   equ FREE_SEL + 8             ; ring 1 code

%macro PAIR 3+                    ; name, vector, instruction: ALTER and RESTORE change the vector's gate
  ALTER %2
  CASE %1
  AT %3
  ENDCASE
  call restore
%endmacro

main:
  mov eax, CR4_OSFXSR | CR4_OSXMM
  mov cr4, eax
  DESC BAD, 0, 0xfffff, DATA_RW ^ ABSENT, GRAN | BIG
  DESC R1, 0, 0xfffff, CODE_XR | DPL1, GRAN | BIG
  call build_two_level
  mov esi, idt32
  mov edi, good_idt
  mov ecx, 512
  rep movsd

  LINE 'then #NP'
%macro ALTER 1
  and byte [idt32 + (%1) * 8 + 5], 0x7f
%endmacro
  PAIR 'de', 0, aam 0
  PAIR 'db', 1, db 0xf1
  PAIR 'bp', 3, int3
  PAIR 'br', 5, bound eax, [.bounds]
  PAIR 'ud', 6, ud2
  PAIR 'np', 11, mov fs, [.bad]
  PAIR 'ss', 12, mov ss, [.bad]
  PAIR 'gp', 13, mov ss, [.null]
  PAIR 'int 0', 0, int 0
  PAIR 'int 13', 13, int 13
  mov eax, cr0
  or eax, CR0_TS
  mov cr0, eax
  PAIR 'nm', 7, fld1
  clts
  push dword NT | 2
  popfd
  PAIR 'ts', 10, iretd

  LINE 'then #GP'
%unmacro ALTER 1
%macro ALTER 1
  mov word [idt32 + (%1) * 8 + 2], 0
%endmacro
  PAIR 'de', 0, aam 0
  PAIR 'ud', 6, ud2
  PAIR 'np', 11, mov fs, [.bad]
  PAIR 'gp', 13, mov ss, [.null]
  PAIR 'int 0', 0, int 0

  LINE 'then #TS'
  ; the gate leads to ring 1 (from ring 3), whose stack in the TSS is refused
%unmacro ALTER 1
%macro ALTER 1
  mov word [idt32 + (%1) * 8 + 2], R1
  or byte [idt32 + (%1) * 8 + 5], DPL3
%endmacro
%macro USER_PAIR 3+
  ALTER %2
  CASE %1
  USER
  AT %3
  ENDCASE
  call restore
%endmacro
  mov dword [tss + 16], K_DATA | 1
  USER_PAIR 'de', 0, aam 0
  USER_PAIR 'ud', 6, ud2
  USER_PAIR 'gp', 13, hlt
  USER_PAIR 'int 0', 0, int 0

  ; the IDT lies across a page boundary, one of the pages is absent
  LINE 'then #PF'
  BASE EDGE
  mov esi, good_idt
  mov edi, TESTPAGES + 0x1000 - 14 * 8
  mov ecx, 512
  rep movsd
  mov word [SCRATCH], 256 * 8 - 1
  mov dword [SCRATCH + 2], EDGE - 14 * 8 ; vectors 0 to 13 below EDGE, 14 and above from there
  lidt [SCRATCH]
  mov dword [TEST_PT], 0
  mov dword [TEST_PT + 4], (TESTPAGES + 0x1000) | P_P | P_W
  CASE 'de'
  AT aam 0
  ENDCASE
  CASE 'ud'
  AT ud2
  ENDCASE
  CASE 'gp'
  AT mov ss, [.null]
  ENDCASE
  CASE 'ud in ring 3, a supervisor access'
  USER
  AT ud2
  ENDCASE
  mov dword [TEST_PT], TESTPAGES | P_P | P_W
  mov dword [TEST_PT + 4], 0
  mov eax, cr3
  mov cr3, eax
  CASE 'pf, gate absent from memory'
  AT mov al, [TESTLIN + 0x5000]
  ENDCASE
  mov dword [TEST_PT + 4], (TESTPAGES + 0x1000) | P_P | P_W
  and byte [TESTPAGES + 0x1000 + 5], 0x7f
  CASE 'pf, gate not present'
  AT mov al, [TESTLIN + 0x5000]
  ENDCASE
  lidt [idtr32]

  ; no stack for the handler: #PF, again #PF, #DF through a task gate, which brings its own stack
  LINE 'task gate'
  mov word [idt32 + 8 * 8 + 2], FREE_SEL + 16
  mov byte [idt32 + 8 * 8 + 5], SYS_TASK
  DESC FREE_SEL + 16, tss_df, 103, SYS_TSS32, 0
  BASE TESTLIN
  CASE 'stack overflow'
  mov esp, TESTLIN + 0x3000
  AT push eax
  ENDCASE
  mov eax, [tss + 32]
  sub eax, [case_at]
  LINE 'interrupted at +', eax
  mov eax, cr0
  and eax, ~CR0_PG
  mov cr0, eax
  ret
.null: dw 0
.bad: dw BAD
align 4
.bounds: dd 0x7ffffffe, 0x7fffffff

restore:
  pushad
  mov esi, good_idt
  mov edi, idt32
  mov ecx, 512
  rep movsd
  popad
  ret

; The task of #DF: its stack holds the error code. Goes back to the first task by hand.
df_task:
  push dword 8
  mov byte [gdt + TSS_SEL + 5], SYS_TSS32
  mov eax, TSS_SEL
  ltr ax
  push dword 2
  popfd
  clts
  pop dword [fault_vector]
  pop dword [fault_error]
  jmp resume32

section .data
align 8
good_idt: times 512 dd 0
align 128
tss_df:
  dd 0, 0, 0, 0, 0, 0, 0
  dd TABLES                       ; CR3
  dd df_task, 2
  dd 0, 0, 0, 0, IST1_STACK, 0, 0, 0
  dd K_DATA, K32_CODE, K_DATA, K_DATA, K_DATA, K_DATA, 0, 104 << 16
section .text
