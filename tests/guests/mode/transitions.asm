; All mode transitions: protected → real → protected, protected → PAE → long → compatibility → long → protected → real.
; SDM Vol. 3A 9.8.5, 9.9. What may not be switched: system/control-registers.
%include "guest.inc"

main:
  mov eax, cr0
  and eax, CR0_PE | CR0_PG
  LINE 'start cr0=', eax
  mov eax, in_real
  call call_real
  call code_size
  LINE 'protected code-size=', ebx

  ; PAE paging without long mode
  call build_long_tables
  mov edi, TABLES + 0x8000
  mov dword [edi], LONG_PD0 + P_P
  mov dword [edi + 4], 0
  mov dword [edi + 8], LONG_PD1 + P_P
  mov dword [edi + 12], 0
  mov dword [edi + 16], 0
  mov dword [edi + 24], LONG_PD3 + P_P
  mov dword [edi + 28], 0
  mov cr3, edi
  mov eax, CR4_PAE
  mov cr4, eax
  mov eax, cr0
  or eax, CR0_PG
  mov cr0, eax
  mov dword [SCRATCH], 0x600d
  mov eax, [SCRATCH + ALIAS]
  LINE 'pae alias=', eax
  BASE TESTLIN
  CASE 'pae.pdpte-not-present'
  AT mov eax, [TESTLIN]
  ENDCASE
  mov eax, cr0
  and eax, ~CR0_PG
  mov cr0, eax
  LINE 'pae.left'

  LONG_MODE
  bits 64
  mov ecx, MSR_EFER
  rdmsr
  and eax, EFER_LME | EFER_LMA
  LINE 'long efer=', rax
  call code_size
  LINE 'long code-size=', rbx
  mov rax, 0x123456789abcdef0
  mov r15, rax
  ; compatibility mode and back: the upper halves of RAX to RSP are undefined, R8 to R15 keep their values in practice
  COMPAT
  call code_size
  mov esi, ebx
  jmp K64_CODE:.long_again
bits 64
.long_again:
  LINE 'compatibility code-size=', rsi
  ; a 16-bit compatibility segment
  mov rsi, 0
  push qword K16_CODE
  push qword compat16
  o64 retf
.from_compat16:
  LINE 'compatibility-16 code-size=', rsi
  PROT_MODE
  bits 32
  mov ecx, MSR_EFER
  rdmsr
  and eax, EFER_LME | EFER_LMA
  LINE 'protected efer=', eax
  call code_size
  LINE 'protected code-size=', ebx
  mov eax, in_real
  call call_real
  ; and once more, to see that nothing sticks
  LONG_MODE
  bits 64
  call code_size
  LINE 'long code-size=', rbx
  PROT_MODE
  bits 32
  ret

; EBX = 0x10, 0x20 or 0x40: the code size that the same bytes are decoded with. 66 b8 iw/id and 48 show it:
; 40 is INC EAX but a REX prefix in 64-bit mode.
bits 32
code_size:
  xor ebx, ebx
  xor eax, eax
  db 0x40                         ; INC EAX; in 64-bit mode REX before
  nop                             ; NOP
  test eax, eax
  jnz .legacy
  mov ebx, 0x40
  ret
.legacy:
  mov ebx, 0x20
  ret

section .low
bits 16
in_real:
  mov eax, cr0
  and eax, CR0_PE | CR0_PG
  xor ebx, ebx
  db 0xb8, 0x10, 0                ; 16-bit: MOV AX, 0x10. 32-bit: the next two bytes belong to the immediate
  db 0x89, 0xc3                   ; MOV BX, AX
  mov ecx, cr0
  and ecx, CR0_PE | CR0_PG
  LINE 'real cr0=', ecx, ' code-size=', ebx
  ret

compat16:
  xor bx, bx
  db 0xb8, 0x10, 0
  db 0x89, 0xc3
  movzx esi, bx
  jmp dword K64_CODE:main.from_compat16
