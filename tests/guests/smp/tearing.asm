; Plain accesses to aligned units, and to any within a cache line, are one step: nobody sees half a store. On pages of data and
; on pages that hold code. SDM Vol. 3A 9.1.1.
%define CPUS 4
%include "guest.inc"
%include "smp.inc"

DATA      equ SMP_SHARED
CODE_PAGE equ SMP_SHARED + 0x2000
SOURCES   equ SMP_SHARED + 0x4000 ; 64 bytes for each processor, what it copies

; Stores RAX (eight times the same byte) at RBX; loads from there into RAX
%macro STORE_MOV 0
  mov [rbx], rax
%endmacro
%macro LOAD_MOV 0
  mov rax, [rbx]
%endmacro
%macro STORE_MOV32 0
  mov [rbx], eax
%endmacro
%macro LOAD_MOV32 0
  mov eax, [rbx]
  mov ecx, eax
  shl rcx, 32
  or rax, rcx
%endmacro
%macro STORE_MOV16 0
  mov [rbx], ax
%endmacro
%macro LOAD_MOV16 0
  movzx eax, word [rbx]
  imul eax, eax, 0x10001
  mov ecx, eax
  shl rcx, 32
  or rax, rcx
%endmacro
%macro STORE_SSE 0
  movq xmm0, rax
  movq [rbx], xmm0
%endmacro
%macro LOAD_SSE 0
  movq xmm0, [rbx]
  movq rax, xmm0
%endmacro
%macro STORE_X87 0
  mov [rsp - 16], rax
  fild qword [rsp - 16]
  fistp qword [rbx]
%endmacro
%macro LOAD_X87 0
  fild qword [rbx]
  fistp qword [rsp - 16]
  mov rax, [rsp - 16]
%endmacro
%macro STORE_STACK 0
  mov rcx, rsp
  lea rsp, [rbx + 8]
  push rax
  mov rsp, rcx
%endmacro
%macro LOAD_STACK 0
  mov rcx, rsp
  mov rsp, rbx
  pop rax
  mov rsp, rcx
%endmacro
%macro STORE_STOS 0
  mov rdi, rbx
  mov ecx, 1
  rep stosq
%endmacro
%macro STORE_MOVS 0
  mov [rbp], rax
  mov rsi, rbp
  mov rdi, rbx
  mov ecx, 1
  rep movsq
%endmacro
%macro LOAD_MOVS 0
  mov rsi, rbx
  mov rdi, rbp
  movsq
  mov rax, [rbp]
%endmacro

; WAY 'name', store macro, load macro, places: two processors store, two load
%macro WAY 4
  jmp %%run
  align 16
%%store:
  %2
  ret
%%load:
  %3
  ret
%%run:
  mov dword [store], %%store
  mov dword [load], %%load
  mov dword [places], %4
  ON_ALL at_all_places
  SAY %1
  call report
%endmacro

main:
  OPTION 'rounds', rounds
  SMP
  mov byte [CODE_PAGE], 0xc3
  WAY 'mov, 8 bytes', STORE_MOV, LOAD_MOV, places64
  WAY 'mov, 4 bytes', STORE_MOV32, LOAD_MOV32, places64
  WAY 'mov, 2 bytes', STORE_MOV16, LOAD_MOV16, places64
  WAY 'sse', STORE_SSE, LOAD_SSE, aligned
  WAY 'x87', STORE_X87, LOAD_X87, aligned
  WAY 'push, pop', STORE_STACK, LOAD_STACK, aligned
  WAY 'stos', STORE_STOS, LOAD_MOV, aligned
  WAY 'movs', STORE_MOVS, LOAD_MOVS, aligned
  FINISH

bits 64
report:
  mov rax, [torn]
  test rax, rax
  jnz .torn
  LINE ': ok'
  jmp .end
.torn:
  LINE ': torn ', rax, ' times, at ', [first_place], ' seen ', [first_seen]
.end:
  mov qword [torn], 0
  ret

at_all_places:
  mov rax, cr4
  or eax, CR4_OSFXSR | CR4_OSXMM
  mov cr4, rax
  fninit
  mov ebp, r15d
  shl ebp, 6
  add ebp, SOURCES
  mov r13d, [places]
.place:
  mov ebx, [r13]
  test ebx, ebx
  jz .end
  call barrier
  mov qword [rbx], 0
  call barrier
  mov r14d, [rounds]
.round:
  mov eax, CODE_PAGE
  call rax
  cmp r15d, 2
  jae .look
  lea eax, [r14 * 2 + r15]
  and eax, 0x7f
  mov rcx, 0x0101010101010101
  imul rax, rcx
  call [store]
  dec r14d
  jnz .round
  jmp .next
.look:
  call [load]
  movzx ecx, al
  mov rdx, 0x0101010101010101
  imul rdx, rcx
  cmp rax, rdx
  je .whole
  lock inc qword [torn]
  mov [first_seen], rax
  mov [first_place], rbx
.whole:
  dec r14d
  jnz .round
.next:
  add r13d, 4
  jmp .place
.end:
  ret

section .data
align 8
store:       dq 0
load:        dq 0
torn:        dq 0
first_place: dq 0
first_seen:  dq 0
places:      dd 0
rounds:      dd 400
places64:                         ; and the aligned ones behind them
  dd DATA + 0x100, DATA + 0x141, DATA + 0x182, DATA + 0x1c3, DATA + 0x204, DATA + 0x245, DATA + 0x286, DATA + 0x2c7
  dd DATA + 0x338, CODE_PAGE + 0x101, CODE_PAGE + 0x203
aligned:
  dd DATA + 0x100, CODE_PAGE + 0x100
  dd 0
section .text
