; Process-context identifiers and INVPCID. SDM Vol. 3A 4.10.1, 4.10.4.1; Vol. 2A "INVPCID".
; (Only what software may rely on is shown: see paging/tlb.)
%include "guest.inc"

PML4_2 equ TABLES + 0x9000        ; the second address space: its own entry for PAGE, all else is shared
PDPT_A equ TABLES + 0xa000
PD_A   equ TABLES + 0xb000
PT_A   equ TABLES + 0xc000
PDPT_B equ TABLES + 0xd000
PD_B   equ TABLES + 0xe000
PT_B   equ TABLES + 0xf000
PAGE   equ 0x8000000000
A      equ TESTPAGES
B      equ TESTPAGES + 0x1000
C      equ TESTPAGES + 0x2000
ALL    equ P_P | P_W | P_U
KEEP   equ 1 << 63

; SWITCH PML4, PCID, KEEP or 0
%macro SWITCH 3
  mov rax, ((%1) | (%2)) + (%3)
  mov cr3, rax
%endmacro

%macro SHOW 1
  mov eax, [rbx]
  LINE %1, ' ', rax
%endmacro

; DESCRIPTOR PCID, address, type
%macro DESCRIPTOR 3
  mov rax, %1
  mov [SCRATCH], rax
  mov rax, %2
  mov [SCRATCH + 8], rax
  mov eax, %3
%endmacro

main:
  NEEDS 1, 0, ecx, 17, 'pcid'
  NEEDS 7, 0, ebx, 10, 'invpcid'
  mov edi, TABLES + 0x9000
  xor eax, eax
  mov ecx, 0x7000 / 4
  rep stosd
  mov dword [A], 0xaaaa
  mov dword [B], 0xbbbb
  mov dword [C], 0xcccc
  LONG_MODE
  bits 64
  mov qword [LONG_PML4 + 8], PDPT_A | ALL
  mov rsi, LONG_PML4
  mov edi, PML4_2
  mov ecx, 512
  rep movsq
  mov qword [PML4_2 + 8], PDPT_B | ALL
  mov qword [PDPT_A], PD_A | ALL
  mov qword [PD_A], PT_A | ALL
  mov qword [PT_A], A | ALL
  mov qword [PDPT_B], PD_B | ALL
  mov qword [PD_B], PT_B | ALL
  mov qword [PT_B], B | ALL
  mov eax, CR4_PAE | CR4_PGE | CR4_PCID
  mov cr4, rax
  mov rbx, PAGE
  BASE PAGE

  SWITCH LONG_PML4, 1, 0
  SHOW 'pcid 1'
  SWITCH PML4_2, 2, 0
  SHOW 'pcid 2'
  SWITCH LONG_PML4, 1, KEEP
  SHOW 'pcid 1 kept'
  SWITCH PML4_2, 2, KEEP
  SHOW 'pcid 2 kept'
  mov rax, cr3
  LINE 'cr3 ', rax
  ; MOV CR3 without bit 63 empties the PCID that it loads
  mov qword [PT_A], C | ALL
  SWITCH LONG_PML4, 1, 0
  SHOW 'pcid 1 flushed by mov cr3'
  ; INVLPG empties the current PCID
  mov qword [PT_A], A | ALL
  invlpg [rbx]
  SHOW 'pcid 1 invlpg'
  SWITCH PML4_2, 2, KEEP
  SHOW 'pcid 2 unaffected'

  ; INVPCID, from PCID 2, of what PCID 1 knows
  mov qword [PT_A], C | ALL
  DESCRIPTOR 1, PAGE, 0
  invpcid rax, [SCRATCH]
  SWITCH LONG_PML4, 1, KEEP
  SHOW 'invpcid 0: one address'
  SWITCH PML4_2, 2, KEEP
  mov qword [PT_A], A | ALL
  DESCRIPTOR 1, 0, 1
  invpcid rax, [SCRATCH]
  SWITCH LONG_PML4, 1, KEEP
  SHOW 'invpcid 1: one context'
  SWITCH PML4_2, 2, KEEP
  mov qword [PT_A], C | ALL | P_G
  DESCRIPTOR 0, 0, 3
  invpcid rax, [SCRATCH]
  SWITCH LONG_PML4, 1, KEEP
  SHOW 'invpcid 3: all but global'
  ; now it is known as a global page: type 2 removes those, too
  mov qword [PT_A], A | ALL
  DESCRIPTOR 0, 0, 2
  invpcid rax, [SCRATCH]
  SHOW 'invpcid 2: all'
  mov qword [PT_A], C | ALL | P_G
  invlpg [rbx]
  mov eax, [rbx]
  mov qword [PT_A], A | ALL
  mov rax, cr4
  btr eax, 7
  mov cr4, rax
  bts eax, 7
  mov cr4, rax
  SHOW 'cr4.pge off and on'

  ; faults
  CASE 'type 4'
  DESCRIPTOR 1, 0, 4
  AT invpcid rax, [SCRATCH]
  ENDCASE
  CASE 'reserved descriptor bits'
  DESCRIPTOR 0x1001, 0, 1
  AT invpcid rax, [SCRATCH]
  ENDCASE
  CASE 'non-canonical address'
  DESCRIPTOR 1, 1 << 63, 0
  AT invpcid rax, [SCRATCH]
  ENDCASE
  CASE 'address is not looked at in type 1'
  DESCRIPTOR 1, 1 << 63, 1
  AT invpcid rax, [SCRATCH]
  ENDCASE
  CASE 'register operand'
  AT db 0x66, 0x0f, 0x38, 0x82, 0xc3
  ENDCASE
  CASE 'descriptor in an absent page'
  mov eax, 1
  AT invpcid rax, [rbx + 0xff8]
  ENDCASE
  CASE 'ring 3'
  mov eax, 2
  USER64
  AT invpcid rax, [SCRATCH + ALIAS]
  ENDCASE
  SWITCH LONG_PML4, 0, 0
  mov rax, cr4
  btr eax, 17
  mov cr4, rax
  CASE 'pcid 1 without pcide'
  DESCRIPTOR 1, 0, 1
  AT invpcid rax, [SCRATCH]
  ENDCASE
  CASE 'pcid 0 without pcide'
  DESCRIPTOR 0, PAGE, 0
  AT invpcid rax, [SCRATCH]
  ENDCASE
  PROT_MODE
  bits 32
  ret
