; Access rights in 32-bit paging: present, R/W and U/S of both levels, CR0.WP, SMEP, SMAP, 4 MB pages, reserved bits.
%define UALIAS ALIAS
%include "guest.inc"
%include "paging32.inc"
%include "matrix.inc"


; PTE 'name', directory entry's flags, table entry's flags
%macro PTE 3
  mov dword [TEST_PDE], TEST_PT + (%2)
  mov dword [TEST_PT], TESTPAGES + (%3)
  CONFIG %1
%endmacro

; PSE_PAGE 'name', flags: a directory entry that maps 4 MB
%macro PSE_PAGE 2
  mov dword [TEST_PDE], BIGPAGE + P_PS + (%2)
  CONFIG %1
%endmacro

ALL equ P_P | P_W | P_U

main:
  mov byte [TESTPAGES], 0xc3
  mov byte [BIGPAGE], 0xc3
  call build_two_level
  LINE 'WP = 0'
  call rights
  mov eax, cr0
  or eax, CR0_WP
  mov cr0, eax
  LINE 'WP = 1'
  call rights
  mov eax, CR4_SMEP
  mov cr4, eax
  LINE 'SMEP'
  PTE 'absent', ALL, 0
  PTE 'supervisor writable', ALL, P_P | P_W
  PTE 'user writable', ALL, ALL
  PTE 'directory supervisor', P_P | P_W, ALL
  mov eax, CR4_SMAP
  mov cr4, eax
  LINE 'SMAP'
  PTE 'supervisor writable', ALL, P_P | P_W
  PTE 'user writable', ALL, ALL
  PTE 'user read-only', ALL, P_P | P_U
  PTE 'directory supervisor', P_P | P_W, ALL
  call smap_ac
  xor eax, eax
  mov cr4, eax

  ; PS in a directory entry is ignored without CR4.PSE: the entry leads to a page table
  LINE 'PSE = 0'
  mov dword [TEST_PT], TESTPAGES + ALL
  PTE 'bit 7 ignored', ALL | P_PS, ALL
  PTE 'bit 7 ignored, table absent', ALL | P_PS, 0
  mov eax, CR4_PSE
  mov cr4, eax
  LINE 'PSE = 1'
  PSE_PAGE '4 MB supervisor read-only', P_P
  PSE_PAGE '4 MB supervisor writable', P_P | P_W
  PSE_PAGE '4 MB user read-only', P_P | P_U
  PSE_PAGE '4 MB user writable', ALL
  PSE_PAGE '4 MB absent', P_W | P_U
  PSE_PAGE '4 MB PAT bit', ALL | 1 << 12
  ; bit 21 is reserved where bits 20:13 hold the physical address' bits 39:32 (4.3, table 4-4)
  PSE_PAGE '4 MB reserved bit 21', ALL | 1 << 21
  PSE_PAGE '4 MB reserved, not present', P_W | P_U | 1 << 21
  ; the address inside a 4 MB page
  mov dword [TEST_PDE], BIGPAGE + P_PS + ALL
  mov eax, cr3
  mov cr3, eax
  mov dword [TESTLIN + 0x3ffffc], 0xc0ffee
  mov eax, [BIGPAGE + 0x3ffffc]
  LINE '4 MB last dword ', eax
  ; the translation is off again after CR0.PG = 0
  mov eax, cr0
  and eax, ~CR0_PG
  mov cr0, eax
  mov byte [0x900000], 0x11
  LINE 'paging off'
  ret

rights:
  PTE 'absent', ALL, P_W | P_U
  PTE 'supervisor read-only', ALL, P_P
  PTE 'supervisor writable', ALL, P_P | P_W
  PTE 'user read-only', ALL, P_P | P_U
  PTE 'user writable', ALL, ALL
  PTE 'directory absent', P_W | P_U, ALL
  PTE 'directory supervisor', P_P | P_W, ALL
  PTE 'directory read-only', P_P | P_U, ALL
  PTE 'directory supervisor read-only', P_P, ALL
  ret

; EFLAGS.AC lifts SMAP for explicit accesses at CPL 0: SDM Vol. 3A 4.6.1
smap_ac:
  mov dword [TEST_PDE], TEST_PT + ALL
  mov dword [TEST_PT], TESTPAGES + ALL
  mov eax, cr3
  mov cr3, eax
  CASE 'smap.stac'
  stac
  AT mov al, [TESTLIN]
  mov [TESTLIN + 4], eax
  ENDCASE
  CASE 'smap.clac'
  stac
  clac
  pushfd
  pop edx
  and edx, AC
  AT mov al, [TESTLIN + 4]
  ENDCASE ' ac=', [fault_edx]
  CASE 'smap.popf-ac'
  push dword AC | 2
  popfd
  AT mov al, [TESTLIN]
  ENDCASE
  ; INT clears AC only in real mode; the handler (resume32) clears it here
  CASE 'smap.stac-in-ring-3'
  USER
  AT stac
  ENDCASE
  CASE 'smap.clac-in-ring-3'
  USER
  AT clac
  ENDCASE
  ; implicit accesses (here: to the LDT, by a segment load) ignore AC
  mov edi, TESTPAGES + 0x100
  mov esi, gdt
  mov ecx, 0x80 / 4
  rep movsd
  DESC LDT_SEL, TESTLIN + 0x100, 0x7f, SYS_LDT, 0
  mov eax, LDT_SEL
  lldt ax
  CASE 'smap.implicit-access-with-ac'
  stac
  mov eax, 0x10 | 4
  AT mov fs, eax
  ENDCASE
  clac
  ret

MATRIX 32
