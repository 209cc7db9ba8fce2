; What software may rely on after a paging-structure entry was changed. SDM Vol. 3A 4.10.2, 4.10.4.
; (Nothing is shown that the processor may or may not have cached.)
%include "guest.inc"

TPDPT  equ TABLES + 0x9000
TPD    equ TABLES + 0xa000
TPT    equ TABLES + 0xb000
TPT2   equ TABLES + 0xc000
PML4_2 equ TABLES + 0xd000
TPDPT2 equ TABLES + 0xe000
TPD2   equ TABLES + 0xf000
E4     equ LONG_PML4 + 8
PAGE   equ 0x8000000000
A      equ TESTPAGES              ; holds 0xaaaa
B      equ TESTPAGES + 0x1000     ; holds 0xbbbb
ALL    equ P_P | P_W | P_U

; MAP flags: PAGE is A, and the TLB knows it
%macro MAP 1
  mov qword [TPDPT], TPD | ALL
  mov qword [TPD], TPT | ALL
  mov qword [TPT], A | (%1)
  invlpg [rbx]
  mov eax, [rbx]
%endmacro

%macro SHOW 1
  mov eax, [rbx]
  LINE %1, ' ', rax
%endmacro

; TWICE: the first use of a relaxed right may fault (4.10.4.3); the second may not
%macro TWICE 2+
  %push twice
  mov dword [recover_ip], %$again
  mov [recover_sp], rsp
  %2
%$again:
  CASE %1
  AT %2
  ENDCASE
  %pop
%endmacro

main:
  mov edi, TABLES + 0x9000
  xor eax, eax
  mov ecx, 0x7000 / 4
  rep stosd
  mov dword [A], 0xaaaa
  mov dword [B], 0xbbbb
  mov byte [A + 8], 0xc3
  mov byte [B + 8], 0xc3
  LONG_MODE
  bits 64
  mov qword [E4], TPDPT | ALL
  mov rbx, PAGE
  BASE PAGE
  mov eax, CR4_PAE | CR4_PGE
  mov cr4, rax

  MAP ALL
  mov qword [TPT], B | ALL
  invlpg [rbx]
  SHOW 'invlpg'
  MAP ALL
  mov qword [TPT], B | ALL
  invlpg [rbx + 0xfff]
  SHOW 'invlpg elsewhere in the page'
  MAP ALL
  mov qword [TPT], B | ALL
  mov rax, cr3
  mov cr3, rax
  SHOW 'mov cr3'
  MAP ALL | P_G
  mov qword [TPT], B | ALL
  invlpg [rbx]
  SHOW 'invlpg of a global page'
  MAP ALL | P_G
  mov qword [TPT], B | ALL
  mov rax, cr4
  btr eax, 7
  mov cr4, rax
  bts eax, 7
  mov cr4, rax
  SHOW 'global page, cr4.pge off and on'
  MAP ALL | P_G
  mov qword [TPT], B | ALL
  mov rax, cr4
  btr eax, 7
  mov cr4, rax
  SHOW 'global page, cr4.pge off'
  mov rax, cr4
  bts eax, 7
  mov cr4, rax
  MAP ALL
  mov qword [TPT], B | ALL
  mov rax, cr4
  btr eax, 7
  mov cr4, rax
  bts eax, 7
  mov cr4, rax
  SHOW 'ordinary page, cr4.pge changes'

  ; what was not present is not cached
  mov qword [TPT], 0
  invlpg [rbx]
  CASE 'absent'
  AT mov eax, [rbx]
  ENDCASE
  mov qword [TPT], A | ALL
  SHOW 'made present'
  ; rights that were relaxed: at the latest after the fault
  mov rax, cr0
  bts eax, 16
  mov cr0, rax
  MAP P_P | P_U
  mov qword [TPT], A | ALL
  TWICE 'made writable', mov byte [rbx + 4], 1
  mov rax, 1 << 63
  or rax, A | ALL
  mov [TPT], rax
  invlpg [rbx]
  mov eax, [rbx]
  mov qword [TPT], A | ALL
  lea rcx, [rbx + 8]
  TWICE 'made executable', call rcx
  ; rights that were restricted
  MAP ALL
  mov byte [rbx + 4], 1
  mov qword [TPT], A | P_P | P_U
  invlpg [rbx]
  CASE 'made read-only'
  AT mov byte [rbx + 4], 1
  ENDCASE
  mov rax, cr0
  btr eax, 16
  mov cr0, rax
  CASE 'wp off'
  AT mov byte [rbx + 4], 1
  ENDCASE
  mov rax, cr0
  bts eax, 16
  mov cr0, rax
  CASE 'wp on'
  AT mov byte [rbx + 4], 1
  ENDCASE
  MAP ALL
  call [.code]
  mov eax, CR4_PAE | CR4_SMEP
  mov cr4, rax
  CASE 'smep on'
  mov rcx, PAGE + 8
  FAULTS_AT PAGE + 8
  call rcx
  ENDCASE
  mov eax, CR4_PAE | CR4_SMAP
  mov cr4, rax
  CASE 'smap on'
  AT mov eax, [rbx]
  ENDCASE
  mov eax, CR4_PAE | CR4_PGE
  mov cr4, rax
  SHOW 'smap off'

  ; entries above: INVLPG and MOV CR3 also empty the paging-structure caches
  MAP ALL
  mov qword [TPT2], B | ALL
  mov qword [TPD], TPT2 | ALL
  invlpg [rbx]
  SHOW 'other page table'
  MAP ALL
  mov qword [TPD2], TPT2 | ALL
  mov qword [TPDPT], TPD2 | ALL
  invlpg [rbx]
  SHOW 'other page directory'
  MAP ALL
  mov qword [TPDPT2], TPD2 | ALL
  mov qword [E4], TPDPT2 | ALL
  mov rax, cr3
  mov cr3, rax
  SHOW 'other page-directory-pointer table'
  mov qword [E4], TPDPT | ALL
  MAP ALL
  mov rsi, LONG_PML4
  mov edi, PML4_2
  mov ecx, 512
  rep movsq
  mov qword [PML4_2 + 8], TPDPT2 | ALL
  mov eax, PML4_2
  mov cr3, rax
  SHOW 'other address space'
  mov eax, LONG_PML4
  mov cr3, rax
  SHOW 'back'

  ; large pages
  mov dword [BIGPAGE + 0x5000], 0x1111
  mov dword [BIGPAGE + 0x205000], 0x2222
  mov qword [TPD], BIGPAGE | ALL | P_PS
  invlpg [rbx]
  add rbx, 0x5000
  mov eax, [rbx]
  mov qword [TPD], (BIGPAGE + 0x200000) | ALL | P_PS
  mov rcx, PAGE + 0x100000
  invlpg [rcx]
  SHOW 'invlpg elsewhere in the 2 MB page'
  mov qword [TPT + 5 * 8], A | ALL
  mov qword [TPD], TPT | ALL
  invlpg [rbx]
  SHOW '2 MB page split'
  mov qword [TPD], BIGPAGE | ALL | P_PS
  invlpg [rbx]
  SHOW '4 KB pages joined'
  mov qword [TPDPT], 0 | ALL | P_PS
  invlpg [rbx]
  mov dword [0x5000], 0x5555
  SHOW '1 GB page'

  ; INVLPG checks nothing but the privilege
  mov rcx, 0x8000000000000000
  CASE 'invlpg of a non-canonical address'
  AT invlpg [rcx]
  ENDCASE
  mov rcx, 0x700000000000
  CASE 'invlpg of an absent page'
  AT invlpg [rcx]
  ENDCASE
  ; two linear addresses, one page
  mov rbx, PAGE
  mov qword [TPT + 8], A | ALL
  MAP ALL
  invlpg [rbx + 0x1000]
  mov dword [rbx + 0x10], 0x1234
  mov eax, [rbx + 0x1010]
  mov dword [rbx + 0x1010], 0x5678
  mov edx, [rbx + 0x10]
  LINE 'two addresses of one page ', rax, ' ', rdx
  PROT_MODE
  bits 32
  ret
.code: dq PAGE + 8
