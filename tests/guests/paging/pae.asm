; Access rights in PAE paging: both levels, NX, SMEP, SMAP, 2 MB pages, reserved bits, PDPTEs.
%define UALIAS ALIAS
%include "guest.inc"
%include "paging-pae.inc"
%include "matrix.inc"

ALL equ P_P | P_W | P_U
NX  equ 1 << 63

; PTE 'name', directory entry's flags, table entry's flags
%macro PTE 3
  mov dword [LONG_PD2], (LONG_PT + (%2)) & 0xffffffff
  mov dword [LONG_PD2 + 4], (%2) >> 32
  mov dword [LONG_PT], (TESTPAGES + (%3)) & 0xffffffff
  mov dword [LONG_PT + 4], (%3) >> 32
  CONFIG %1
%endmacro

; BIG_PDE 'name', flags: a directory entry that maps 2 MB
%macro BIG_PDE 2
  mov dword [LONG_PD2], (BIGPAGE + P_PS + (%2)) & 0xffffffff
  mov dword [LONG_PD2 + 4], (%2) >> 32
  CONFIG %1
%endmacro

; SET_NXE 0 or EFER_NXE
%macro SET_NXE 1
  mov ecx, MSR_EFER
  rdmsr
  and eax, ~EFER_NXE
  or eax, %1
  wrmsr
%endmacro

main:
  mov byte [TESTPAGES], 0xc3
  mov byte [BIGPAGE], 0xc3
  call build_pae
  LINE 'NXE = 0, WP = 1'
  PTE 'absent', ALL, P_W | P_U
  PTE 'directory absent', P_W | P_U, ALL
  PTE 'supervisor read-only', ALL, P_P
  PTE 'user writable', ALL, ALL
  PTE 'directory read-only', P_P | P_U, ALL
  PTE 'directory supervisor', P_P | P_W, ALL
  ; bit 63 is reserved while NXE = 0; bits 62:MAXPHYADDR always
  PTE 'NX is reserved', ALL, ALL | NX
  PTE 'directory NX is reserved', ALL | NX, ALL
  PTE 'bit 62', ALL, ALL | 1 << 62
  PTE 'bit 52', ALL, ALL | 1 << 52
  PTE 'directory bit 52', ALL | 1 << 52, ALL
  PTE 'absent, bit 52', ALL, P_W | 1 << 52
  PTE 'ignored bits 11:9', ALL, ALL | 0xe00
  SET_NXE EFER_NXE
  LINE 'NXE = 1'
  PTE 'absent', ALL, P_W | P_U
  PTE 'NX', ALL, ALL | NX
  PTE 'directory NX', ALL | NX, ALL
  PTE 'supervisor', ALL, P_P | P_W
  PTE 'read-only NX', ALL, P_P | P_U | NX
  PTE 'bit 52', ALL, ALL | 1 << 52
  mov eax, CR4_PAE | CR4_SMEP
  mov cr4, eax
  LINE 'NXE = 1, SMEP'
  PTE 'user writable', ALL, ALL
  PTE 'user NX', ALL, ALL | NX
  PTE 'supervisor', ALL, P_P | P_W
  mov eax, CR4_PAE | CR4_SMAP
  mov cr4, eax
  LINE 'NXE = 1, SMAP'
  PTE 'user writable', ALL, ALL
  PTE 'user NX', ALL, ALL | NX
  mov eax, CR4_PAE
  mov cr4, eax
  LINE '2 MB'
  BIG_PDE 'supervisor read-only', P_P
  BIG_PDE 'user writable', ALL
  BIG_PDE 'user NX', ALL | NX
  BIG_PDE 'PAT bit', ALL | 1 << 12
  BIG_PDE 'reserved bit 13', ALL | 1 << 13
  BIG_PDE 'reserved bit 20', ALL | 1 << 20
  BIG_PDE 'absent, reserved bit 13', P_W | 1 << 13

  ; a PDPTE has no R/W, U/S or NX; it is read when CR3 is loaded, not when it is used (4.4.1)
  LINE 'PDPTE'
  mov dword [LONG_PD2], LONG_PT + ALL
  mov dword [LONG_PD2 + 4], 0
  mov dword [LONG_PT], TESTPAGES + ALL
  mov dword [LONG_PT + 4], 0
  mov eax, cr3
  mov cr3, eax
  mov dword [PAE_PDPT + 16], 0
  invlpg [TESTLIN]
  CASE 'pdpte.kept-until-cr3-is-loaded'
  AT mov al, [TESTLIN]
  ENDCASE
  CONFIG 'absent'
  mov dword [PAE_PDPT + 16], LONG_PD2 + P_P
  CONFIG 'present'
  mov eax, cr0
  and eax, ~CR0_PG
  mov cr0, eax
  ret

MATRIX 32
