; Address spaces of user code that a processor remembers by process-context identifier: the same linear addresses lead to other
; code and other data in each. SDM Vol. 3A 4.10.1, 4.10.4.1; Vol. 2A "INVPCID".
%include "guest.inc"

SPACES equ 12
; A space's PML4, page-directory-pointer table, page directory and page table; its pages of code and data
SPACE  equ TABLES + 0x10000
PT_OF  equ SPACE + 0x3000
CODE   equ TESTPAGES
DATA   equ TESTPAGES + 0x1000
PAGE   equ 0x8000000000           ; code, and data behind it
ALL    equ P_P | P_W | P_U
KEEP   equ 1 << 63

; ENTER_SPACE space, PCID, KEEP or 0
%macro ENTER_SPACE 3
  mov eax, %1
  shl eax, 14
  add eax, SPACE
  add eax, %2
  mov rdx, %3
  or rax, rdx
  mov cr3, rax
%endmacro

; ROUNDS … AGAIN n: what lies between n times; R14 counts from 0 on
%macro ROUNDS 0
  %push rounds
  xor r14d, r14d
%$again:
%endmacro
%macro AGAIN 1
  inc r14d
  cmp r14d, %1
  jb %$again
  %pop
%endmacro

; What space 1 leads to from now on: R14 mod SPACES, to EBP
%macro MOVE 0
  mov eax, r14d
  xor edx, edx
  mov ecx, SPACES
  div ecx
  mov ebp, edx
  shl edx, 13
  add edx, CODE | ALL
  mov [PT_OF + 0x4000], rdx
  add edx, 0x1000
  mov [PT_OF + 0x4008], rdx
%endmacro

; INVALIDATE PCID, address, type
%macro INVALIDATE 3
  mov qword [SCRATCH], %1
  mov rax, %2
  mov [SCRATCH + 8], rax
  mov eax, %3
  invpcid rax, [SCRATCH]
%endmacro

%macro RESULT 1
  LINE %1, ': wrong ', [wrong]
  mov qword [wrong], 0
%endmacro

main:
  NEEDS 1, 0, ecx, 17, 'pcid'
  NEEDS 7, 0, ebx, 10, 'invpcid'
  mov edi, SPACE
  xor eax, eax
  mov ecx, SPACES * 0x4000 / 4
  rep stosd
  LONG_MODE
  bits 64
  mov rbx, PAGE
  ROUNDS
  mov edi, r14d
  shl edi, 14
  add edi, SPACE
  mov ebp, edi
  mov rsi, LONG_PML4
  mov ecx, 512
  rep movsq
  lea eax, [rbp + 0x1000 + ALL]
  mov [rbp + 8], rax
  add eax, 0x1000
  mov [rbp + 0x1000], rax
  add eax, 0x1000
  mov [rbp + 0x2000], rax
  mov edi, r14d
  shl edi, 13
  lea eax, [rdi + CODE + ALL]
  mov [rbp + 0x3000], rax
  add eax, 0x1000
  mov [rbp + 0x3008], rax
  lea eax, [r14 + 0x100]
  mov [rdi + DATA], eax
  mov dword [rdi + DATA + 4], 0
  add edi, CODE
  mov rsi, user_code
  mov ecx, user_code.end - user_code
  rep movsb
  mov [rdi + user_code.number - user_code.end], r14d
  AGAIN SPACES
  mov ecx, MSR_EFER
  rdmsr
  or eax, EFER_SCE
  wrmsr
  mov ecx, MSR_STAR
  xor eax, eax
  mov edx, K64_CODE | (U32_CODE << 16)
  wrmsr
  mov ecx, MSR_LSTAR
  mov eax, user_done
  xor edx, edx
  wrmsr
  mov ecx, MSR_SFMASK
  xor eax, eax
  wrmsr
  mov eax, CR4_PAE | CR4_PGE | CR4_PCID
  mov cr4, rax

  ; more spaces than most processors have room for, then few that are entered often
  ROUNDS
  mov r13d, SPACES
  call all_kept
  AGAIN 100
  RESULT 'twelve spaces'
  ROUNDS
  mov r13d, 5
  call all_kept
  AGAIN 20000
  RESULT 'five spaces'
  xor ebp, ebp
  ROUNDS
  mov eax, r14d
  shl eax, 13
  add ebp, [rax + DATA + 4]
  AGAIN SPACES
  LINE 'written ', rbp

  ; space 1 changes while space 2 is in use
  ROUNDS
  ENTER_SPACE 2, 3, KEEP
  MOVE
  INVALIDATE 2, PAGE, 0
  INVALIDATE 2, PAGE + 0x1000, 0
  ENTER_SPACE 1, 2, KEEP
  call expect
  AGAIN 300
  RESULT 'invpcid 0: one address'
  ROUNDS
  ENTER_SPACE 2, 3, KEEP
  mov ebp, 2
  call expect
  MOVE
  INVALIDATE 2, 0, 1
  ENTER_SPACE 1, 2, KEEP
  call expect
  AGAIN 300
  RESULT 'invpcid 1: one context'
  ROUNDS
  ENTER_SPACE 2, 3, KEEP
  MOVE
  INVALIDATE 0, 0, 3
  ENTER_SPACE 1, 2, KEEP
  call expect
  AGAIN 300
  RESULT 'invpcid 3: all but global'
  ROUNDS
  ENTER_SPACE 2, 3, KEEP
  MOVE
  INVALIDATE 0, 0, 2
  ENTER_SPACE 1, 2, KEEP
  call expect
  AGAIN 300
  RESULT 'invpcid 2: all'
  ROUNDS
  ENTER_SPACE 2, 3, KEEP
  MOVE
  ENTER_SPACE 1, 2, 0
  call expect
  AGAIN 300
  RESULT 'mov cr3'
  ; while it is in use itself
  ROUNDS
  MOVE
  invlpg [rbx]
  invlpg [rbx + 0x1000]
  call expect
  AGAIN 300
  RESULT 'invlpg'
  ROUNDS
  MOVE
  INVALIDATE 2, 0, 1
  call expect
  AGAIN 300
  RESULT 'invpcid 1 of the present context'
  ; the identifier of another space
  ROUNDS
  mov r12d, r14d
  and r12d, 1
  add r12d, 3
  ENTER_SPACE r12d, 7, 0
  mov ebp, r12d
  call expect
  AGAIN 300
  RESULT 'one identifier for two spaces'
  ; identifiers off and on
  ROUNDS
  ENTER_SPACE 1, 2, KEEP
  MOVE
  mov eax, CR4_PAE | CR4_PGE
  mov cr4, rax
  call expect
  ENTER_SPACE 4, 0, 0
  mov ebp, 4
  call expect
  mov eax, CR4_PAE | CR4_PGE | CR4_PCID
  mov cr4, rax
  ENTER_SPACE 3, 4, 0
  mov ebp, 3
  call expect
  ENTER_SPACE 4, 0, KEEP
  mov ebp, 4
  call expect
  inc r14d
  MOVE
  ENTER_SPACE 1, 2, KEEP          ; nothing was known of identifier 2
  call expect
  AGAIN 100
  RESULT 'cr4.pcide off and on'
  mov eax, CR4_PAE
  mov cr4, rax
  PROT_MODE
  bits 32
  ret

bits 64
; Enters R13 spaces, each with what was known of it, and runs their code.
all_kept:
  xor ebp, ebp
.next:
  lea r12d, [rbp + 1]
  ENTER_SPACE ebp, r12d, KEEP
  call expect
  inc ebp
  cmp ebp, r13d
  jb .next
  ret

; The code at PAGE has to be that of space EBP, and so the data.
expect:
  mov rcx, rbx
  mov r11d, 2
  o64 sysret
user_done:
  cmp eax, ebp
  jne .wrong
  sub edx, 0x100
  cmp edx, ebp
  je .right
.wrong:
  inc qword [wrong]
.right:
  ret

user_code:
  mov eax, strict dword 0
.number equ $ - 4
  mov edx, [rbx + 0x1000]
  inc dword [rbx + 0x1004]
  syscall
.end:

section .data
align 8
wrong: dq 0
section .text
