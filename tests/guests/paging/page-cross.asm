; Accesses that cross into a page that is absent or forbidden: CR2 names the second page's first byte, the instruction has
; changed nothing. SDM Vol. 3A 4.7 (CR2: the linear address that caused the fault), 6.5 (faults).
%define UALIAS ALIAS
%include "guest.inc"
%include "paging32.inc"

EDGE equ TESTLIN + 0x1000         ; the first page is there, the second is not
ALL  equ P_P | P_W | P_U

; SECOND flags: maps the second page (0: absent)
%macro SECOND 1
  mov dword [TEST_PT + 4], (TESTPAGES + 0x1000) + (%1)
  invlpg [EDGE]
%endmacro

main:
  call build_two_level
  mov eax, cr0
  or eax, CR0_WP
  mov cr0, eax
  mov eax, CR4_OSFXSR | CR4_OSXMM
  mov cr4, eax
  mov dword [TEST_PT], TESTPAGES + ALL
  mov dword [TEST_PT + 8], (TESTPAGES + 0x2000) + ALL
  BASE EDGE
  SECOND 0
  mov ebx, EDGE

  LINE 'second page absent'
  CASE 'read 2'
  mov eax, 0x11112222
  AT mov ax, [ebx - 1]
  ENDCASE ' eax=', [fault_eax]
  CASE 'read 4'
  AT mov eax, [ebx - 3]
  ENDCASE
  CASE 'last dword of the first page'
  AT mov eax, [ebx - 4]
  ENDCASE
  CASE 'user read 4'
  USER
  AT mov eax, [ebx - 2]
  ENDCASE
  CASE 'write 4'
  mov dword [ebx - 4], 0x5a5a5a5a
  mov eax, 0x12345678
  AT mov [ebx - 2], eax
  ENDCASE ' first page=', [EDGE - 4]
  CASE 'add 4'
  AT add dword [ebx - 2], -1
  ENDCASE ' first page=', [EDGE - 4]
  CASE 'movups'
  AT movups xmm0, [ebx - 15]
  ENDCASE
  CASE 'movups store'
  AT movups [ebx - 15], xmm0
  ENDCASE ' first page=', [EDGE - 4]
  CASE 'fld tword'
  fninit
  AT fld tword [ebx - 9]
  ENDCASE
  CASE 'fstp tword keeps the stack'
  fninit
  fld1
  AT fstp tword [ebx - 9]
  ENDCASE
  fnstsw ax
  and eax, 0x3800
  LINE 'x87 top ', eax
  CASE 'bound'
  AT bound eax, [ebx - 4]
  ENDCASE
  CASE 'far pointer'
  AT lfs eax, [ebx - 4]
  ENDCASE
  CASE 'sgdt'
  AT sgdt [ebx - 2]
  ENDCASE
  CASE 'cmpxchg8b'
  AT cmpxchg8b [ebx - 4]
  ENDCASE
  CASE 'bt reaches beyond its operand'
  mov eax, 32
  AT bt [ebx - 4], eax
  ENDCASE
  CASE 'bts negative'
  mov dword [ebx - 4], 0
  mov eax, -1
  AT bts [ebx], eax
  ENDCASE ' value=', [EDGE - 4]

  LINE 'second page read-only'
  SECOND P_P | P_U
  CASE 'ro.read 4'
  AT mov eax, [ebx - 2]
  ENDCASE
  CASE 'ro.write 4'
  mov dword [ebx - 4], 0x5a5a5a5a
  AT mov [ebx - 2], eax
  ENDCASE ' first page=', [EDGE - 4]
  CASE 'ro.user write 4'
  USER
  AT mov [ebx - 2], eax
  ENDCASE ' first page=', [EDGE - 4]
  CASE 'ro.xchg'
  mov eax, 0x77
  AT xchg [ebx - 2], eax
  ENDCASE ' eax=', [fault_eax], ' first page=', [EDGE - 4]

  LINE 'second page supervisor'
  SECOND P_P | P_W
  CASE 'su.user read'
  USER
  AT mov eax, [ebx - 2]
  ENDCASE
  CASE 'su.kernel write'
  AT mov [ebx - 2], eax
  ENDCASE

  LINE 'first page absent'
  SECOND ALL
  mov dword [TEST_PT], P_W
  invlpg [TESTLIN]
  CASE 'first.read 4'
  AT mov eax, [ebx - 2]
  ENDCASE
  CASE 'first.write 4'
  mov dword [ebx], 0x33333333
  AT mov [ebx - 3], eax
  ENDCASE ' second page=', [EDGE]
  mov dword [TEST_PT], TESTPAGES + ALL

  LINE 'contiguous in linear, not in physical memory'
  mov dword [TEST_PT + 4], (TESTPAGES + 0x5000) + ALL
  mov eax, cr3
  mov cr3, eax
  mov dword [ebx - 2], 0x44332211
  movzx eax, word [TESTPAGES + 0xffe]
  movzx ecx, word [TESTPAGES + 0x5000]
  LINE 'split write ', eax, ' ', ecx
  mov eax, [ebx - 1]
  and eax, 0xffffff
  LINE 'split read ', eax
  lock inc dword [ebx - 3]
  mov eax, [ebx - 2]
  LINE 'split locked ', eax
  mov dword [ebx - 3], 0xffffffff
  lock inc dword [ebx - 3]
  mov al, [TESTPAGES + 0x5000]
  movzx eax, al
  LINE 'split locked carry ', eax

  LINE 'code'
  ; mov eax, imm32: five bytes, two of them in the first page
  mov byte [EDGE - 2], 0xb8
  mov dword [EDGE - 1], 0x12345678
  mov byte [EDGE + 3], 0xc3
  CASE 'code.both pages'
  mov ecx, EDGE - 2
  call ecx
  ENDCASE ' eax=', [fault_eax]
  SECOND 0
  CASE 'code.second page absent'
  mov ecx, EDGE - 2
  FAULTS_AT EDGE - 2
  call ecx
  ENDCASE
  CASE 'code.user'
  mov ecx, EDGE - 2
  FAULTS_AT EDGE - 2
  USER
  call ecx
  ENDCASE
  SECOND P_P | P_W
  CASE 'code.user, second supervisor'
  mov ecx, EDGE - 2
  FAULTS_AT EDGE - 2
  USER
  call ecx
  ENDCASE
  ; the last instruction ends with its page: nothing is fetched from the next one
  SECOND 0
  mov byte [EDGE - 1], 0xc3
  CASE 'code.ends with the page'
  mov ecx, EDGE - 1
  call ecx
  ENDCASE
  ; runs off the end
  mov byte [EDGE - 1], 0x90
  CASE 'code.runs off the end'
  mov ecx, EDGE - 1
  FAULTS_AT EDGE
  call ecx
  ENDCASE
  ; #UD needs the whole instruction only where its bytes say so: 0f 0b at the edge is complete
  mov word [EDGE - 2], 0x0b0f
  CASE 'code.ud2 at the edge'
  mov ecx, EDGE - 2
  FAULTS_AT EDGE - 2
  call ecx
  ENDCASE
  mov eax, cr0
  and eax, ~CR0_PG
  mov cr0, eax
  ret
