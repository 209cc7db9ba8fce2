; Access rights in 4-level paging: every level, NX, SMEP, SMAP, 2 MB and 1 GB pages, reserved bits.
%define MATRIX_PAGE 0x8000000000
%include "guest.inc"
%include "matrix.inc"

ALL  equ P_P | P_W | P_U
NX   equ 1 << 63
TPDPT equ TABLES + 0x9000
TPD   equ TABLES + 0xa000
TPT   equ TABLES + 0xb000
E4   equ LONG_PML4 + 8
E3   equ TPDPT
E2   equ TPD
E1   equ TPT

%macro ENTRY 2
  mov rax, %2
  mov [%1], rax
%endmacro

; LEVELS 'name', PML4E, PDPTE, PDE, PTE: flags of each
%macro LEVELS 5
  ENTRY E4, TPDPT | (%2)
  ENTRY E3, TPD | (%3)
  ENTRY E2, TPT | (%4)
  ENTRY E1, TESTPAGES | (%5)
  CONFIG %1
%endmacro

%macro BIG2M 2
  ENTRY E4, TPDPT | ALL
  ENTRY E3, TPD | ALL
  ENTRY E2, BIGPAGE | P_PS | (%2)
  CONFIG %1
%endmacro

%macro BIG1G 2                    ; physical 0: the page holds the IVT's place, used as data
  ENTRY E4, TPDPT | ALL
  ENTRY E3, P_PS | (%2)
  CONFIG %1
%endmacro

main:
  mov edi, TABLES + 0x9000
  xor eax, eax
  mov ecx, 0x3000 / 4
  rep stosd
  mov byte [TESTPAGES], 0xc3
  mov byte [BIGPAGE], 0xc3
  mov byte [0], 0xc3
  LONG_MODE
  bits 64
  mov rax, cr0
  bts eax, 16
  mov cr0, rax
  LINE 'WP = 1, NXE = 1'
  LEVELS 'all', ALL, ALL, ALL, ALL
  LEVELS 'pml4e absent', P_W | P_U, ALL, ALL, ALL
  LEVELS 'pdpte absent', ALL, P_W | P_U, ALL, ALL
  LEVELS 'pde absent', ALL, ALL, P_W | P_U, ALL
  LEVELS 'pte absent', ALL, ALL, ALL, P_W | P_U
  LEVELS 'pml4e supervisor', P_P | P_W, ALL, ALL, ALL
  LEVELS 'pdpte supervisor', ALL, P_P | P_W, ALL, ALL
  LEVELS 'pde supervisor', ALL, ALL, P_P | P_W, ALL
  LEVELS 'pte supervisor', ALL, ALL, ALL, P_P | P_W
  LEVELS 'pml4e read-only', P_P | P_U, ALL, ALL, ALL
  LEVELS 'pdpte read-only', ALL, P_P | P_U, ALL, ALL
  LEVELS 'pde read-only', ALL, ALL, P_P | P_U, ALL
  LEVELS 'pte read-only', ALL, ALL, ALL, P_P | P_U
  LEVELS 'pml4e nx', ALL | NX, ALL, ALL, ALL
  LEVELS 'pdpte nx', ALL, ALL | NX, ALL, ALL
  LEVELS 'pde nx', ALL, ALL, ALL | NX, ALL
  LEVELS 'pte nx', ALL, ALL, ALL, ALL | NX
  LEVELS 'pde read-only, pte supervisor', ALL, ALL, P_P | P_U, P_P | P_W
  LEVELS 'pml4e bit 7', ALL | P_PS, ALL, ALL, ALL
  LEVELS 'pml4e bit 51', ALL | 1 << 51, ALL, ALL, ALL
  LEVELS 'pdpte bit 51', ALL, ALL | 1 << 51, ALL, ALL
  LEVELS 'pde bit 51', ALL, ALL, ALL | 1 << 51, ALL
  LEVELS 'pte bit 51', ALL, ALL, ALL, ALL | 1 << 51
  LEVELS 'pte absent, pde bit 51', ALL, ALL, ALL | 1 << 51, 0
  LEVELS 'pte bit 51, absent', ALL, ALL, ALL, 1 << 51
  LEVELS 'ignored bits', ALL | 0xf00, ALL | 0xf00, ALL | 0xf00, ALL | 0x7ff << 52
  LEVELS 'reserved beats rights', ALL, ALL, ALL, P_P | 1 << 51
  LINE '2 MB'
  BIG2M 'user writable', ALL
  BIG2M 'supervisor read-only', P_P
  BIG2M 'nx', ALL | NX
  BIG2M 'reserved bit 13', ALL | 1 << 13
  BIG2M 'reserved bit 20', ALL | 1 << 20
  BIG2M 'PAT bit', ALL | 1 << 12
  LINE '1 GB'
  BIG1G 'user writable', ALL
  BIG1G 'user read-only', P_P | P_U
  BIG1G 'supervisor', P_P | P_W
  BIG1G 'nx', ALL | NX
  BIG1G 'reserved bit 13', ALL | 1 << 13
  BIG1G 'reserved bit 29', ALL | 1 << 29
  BIG1G 'absent, reserved bit 13', P_W | 1 << 13
  mov dword [BIGPAGE + 0x12344], 0xb16
  ENTRY E3, ALL | P_PS
  mov rax, cr3
  mov cr3, rax
  mov rbx, MATRIX_PAGE + BIGPAGE + 0x12344
  mov eax, [rbx]
  LINE 'address inside 1 GB ', rax
  LINE 'WP = 0'
  mov rax, cr0
  btr eax, 16
  mov cr0, rax
  LEVELS 'pte read-only', ALL, ALL, ALL, P_P | P_U
  LEVELS 'pde read-only', ALL, ALL, P_P, ALL
  mov rax, cr0
  bts eax, 16
  mov cr0, rax
  LINE 'SMEP'
  mov eax, CR4_PAE | CR4_SMEP
  mov cr4, rax
  LEVELS 'user', ALL, ALL, ALL, ALL
  LEVELS 'pml4e supervisor', P_P | P_W, ALL, ALL, ALL
  LINE 'SMAP'
  mov eax, CR4_PAE | CR4_SMAP
  mov cr4, rax
  LEVELS 'user', ALL, ALL, ALL, ALL
  LEVELS 'pdpte supervisor', ALL, P_P | P_W, ALL, ALL
  LINE 'NXE = 0'
  mov eax, CR4_PAE
  mov cr4, rax
  mov ecx, MSR_EFER
  rdmsr
  btr eax, 11
  wrmsr
  LEVELS 'pte bit 63', ALL, ALL, ALL, ALL | NX
  LEVELS 'pml4e bit 63', ALL | NX, ALL, ALL, ALL
  LEVELS 'pte absent', ALL, ALL, ALL, 0
  PROT_MODE
  bits 32
  ret

MATRIX 64
bits 32
