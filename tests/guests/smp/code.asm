; Code that one processor writes and others run. Whoever has seen the flag that follows the write and executes a serialising
; instruction runs what was written (SDM Vol. 3A 9.1.3, 9.3); breakpoints keep running code safe while it is replaced; what lies
; beside code on its page is data like any other.
%define CPUS 4
%include "guest.inc"
%include "smp.inc"

JIT       equ SMP_SHARED          ; code that comes and goes
JIT_SIZE  equ 0x4000
MIXED     equ SMP_SHARED + 0x10000 ; a page of code and data
SYNC      equ 0x40                ; vector
NEW_IMM   equ 0x01010101          ; times the number: a byte that is not written with the others shows
POKES     equ 200

%macro WITH_CPUID 0
  xor eax, eax
  cpuid
%endmacro
%macro WITH_IRET 0
  mov rax, rsp
  push qword K_DATA
  push rax
  pushfq
  push qword K64_CODE
  push qword %%here
  iretq
%%here:
%endmacro
%macro WITH_CR3 0
  mov rax, cr3
  mov cr3, rax
%endmacro
%macro WITH_INVLPG 0
  invlpg [TABLES]
%endmacro
%macro WITH_WRMSR 0
  mov ecx, MSR_KGSBASE
  xor eax, eax
  xor edx, edx
  wrmsr
%endmacro
%macro WITH_DR 0
  xor eax, eax
  mov dr0, rax
%endmacro
%macro WITH_LIDT 0
  lidt [idtr64]
%endmacro
%macro WITH_LGDT 0
  lgdt [gdtr]
%endmacro
%macro WITH_WBINVD 0
  wbinvd
%endmacro

; PATCHED 'name', macro: the instruction that follows the serialising one is new in every round
%macro PATCHED 2
  jmp %%run
  align 16
%%read:
  mov r14d, 1
%%next:
  SPIN_WHILE b, dword [flag], r14d
  %2
%%patched:
  mov eax, 0
  cmp eax, r14d
  je %%right
  lock inc qword [wrong]
%%right:
  lock inc dword [seen]
  inc r14d
  cmp r14d, [rounds]
  jbe %%next
  ret
%%all:
  test r15d, r15d
  jnz %%read
  mov edi, %%patched + 1
  jmp write_rounds
%%run:
  ON_ALL %%all
  SAY %1
  call report
%endmacro

main:
  OPTION 'rounds', rounds
  SMP
  GATE64 SYNC, synchronise, SYS_INT32
  GATE64 3, breakpoint, SYS_INT32
  PATCHED 'cpuid', WITH_CPUID
  PATCHED 'iret', WITH_IRET
  PATCHED 'mov cr3', WITH_CR3
  PATCHED 'invlpg', WITH_INVLPG
  PATCHED 'wrmsr', WITH_WRMSR
  PATCHED 'mov dr', WITH_DR
  PATCHED 'lidt', WITH_LIDT
  PATCHED 'lgdt', WITH_LGDT
  PATCHED 'wbinvd', WITH_WBINVD
  ON_ALL hot
  SAY 'hot'
  call report
  ON_ALL poke
  SAY 'breakpoint'
  call report
  ON_ALL jit
  SAY 'new places'
  call report
  ON_ALL neighbours
  SAY 'data beside code'
  call report
  ON_ALL own_code
  SAY 'own code on one page'
  call report
  FINISH

bits 64
report:
  mov rax, [wrong]
  test rax, rax
  jnz .wrong
  LINE ': ok'
  jmp .end
.wrong:
  LINE ': wrong ', rax
.end:
  mov qword [wrong], 0
  mov dword [flag], 0
  mov dword [seen], 0
  ret

; Processor 0: the number of the round into the 32 bits at RDI, then the flag; the next round when all have seen this one.
write_rounds:
  mov r14d, 1
.next:
  mov [rdi], r14d
  mov [flag], r14d
  imul eax, r14d, CPUS - 1
  SPIN_WHILE ne, dword [seen], eax
  inc r14d
  cmp r14d, [rounds]
  jbe .next
  ret

; A function that is called so often that a translator will have it
hot:
  test r15d, r15d
  jnz .read
  mov edi, JIT + 1
  mov dword [JIT], 0xb8           ; mov eax, number
  mov word [JIT + 4], 0xc300      ; ret
  jmp write_rounds
.read:
  mov r14d, 1
.next:
  SPIN_WHILE b, dword [flag], r14d
  xor eax, eax
  cpuid
  mov ebx, 500
  mov edi, JIT
.call:
  call rdi
  cmp eax, r14d
  jne .wrong
  dec ebx
  jnz .call
  jmp .right
.wrong:
  lock inc qword [wrong]
.right:
  lock inc dword [seen]
  inc r14d
  cmp r14d, [rounds]
  jbe .next
  ret

; Processor 0 replaces an instruction while the others run it: a breakpoint, the rest, the first byte, and all synchronise
; after each. The others find the value before or the one after, do not go back, and find nothing else.
poke:
  test r15d, r15d
  jnz .run
  mov dword [poked + 1], 0
  mov r14d, 1
.next:
  mov byte [poked], 0xcc
  call synchronise_all
  imul eax, r14d, NEW_IMM
  mov [poked + 1], eax
  call synchronise_all
  mov byte [poked], 0xb8
  call synchronise_all
  mov [flag], r14d                ; from here on it is the new value for all
  inc r14d
  cmp r14d, POKES
  jbe .next
  mov dword [flag], -1
  ret
.run:
  xor ebx, ebx                    ; the last value
  sti
.again:
  mov esi, [flag]
  mov r8d, 3                      ; a breakpoint on the way: as nothing
  call poked
  cmp r8d, 3
  jne .look
  movzx ecx, al
  imul edi, ecx, NEW_IMM
  cmp eax, edi
  jne .wrong
  cmp ecx, ebx                    ; not older than before, nor than the flag; not newer than the next
  jb .wrong
  mov ebx, ecx
  cmp esi, POKES
  ja .look
  cmp ecx, esi
  jb .wrong
  mov esi, [flag]
  cmp esi, POKES
  ja .look
  inc esi
  cmp ecx, esi
  jbe .look
.wrong:
  lock inc qword [wrong]
.look:
  cmp esi, -1
  jne .again
  cli
  ret

breakpoint:                       ; instead of the instruction: past its five bytes
  mov r8d, 4
  add qword [rsp], 4
  iretq
synchronise:
  push rax
  push rbx
  push rcx
  push rdx
  xor eax, eax
  cpuid
  lock inc dword [synchronised]
  EOI64
  pop rdx
  pop rcx
  pop rbx
  pop rax
  iretq
synchronise_all:
  push rdx
  mov dword [synchronised], 0
  SEND_IPI ALL_BUT_SELF | ASSERT | SYNC
  SPIN_WHILE ne, dword [synchronised], CPUS - 1
  pop rdx
  ret

; Functions at places that nobody has run before need no serialising instruction in practice: they are new to every cache.
jit:
  mov r14d, 1
  test r15d, r15d
  jnz .read
  mov edi, JIT + 0x1000
.write:
  mov byte [rdi], 0xb8
  mov [rdi + 1], r14d
  mov byte [rdi + 5], 0xc3
  mov [function], rdi
  mov [flag], r14d
  add edi, 11
  imul eax, r14d, CPUS - 1
  SPIN_WHILE ne, dword [seen], eax
  inc r14d
  cmp r14d, 1000
  jbe .write
  ret
.read:
  SPIN_WHILE b, dword [flag], r14d
  call [function]
  cmp eax, r14d
  je .right
  lock inc qword [wrong]
.right:
  lock inc dword [seen]
  inc r14d
  cmp r14d, 1000
  jbe .read
  ret

; Two run a function on a page, two count in its other half.
neighbours:
  test r15d, r15d
  jnz .begin
  mov edi, MIXED
  mov ecx, 0x1000 / 8
  xor eax, eax
  rep stosq
  mov byte [MIXED], 0xb8
  mov dword [MIXED + 1], 0x1234567
  mov byte [MIXED + 5], 0xc3
.begin:
  call barrier
  mov r14d, 20000
  lea ebx, [MIXED + 0x800 + r15 * 8]
  xor ecx, ecx
  cmp r15d, 2
  jae .count
.call:
  mov edi, MIXED
  call rdi
  cmp eax, 0x1234567
  jne .wrong
  dec r14d
  jnz .call
  jmp .end
.count:
  inc qword [rbx]
  inc ecx
  cmp [rbx], rcx
  jne .wrong
  dec r14d
  jnz .count
  jmp .end
.wrong:
  lock inc qword [wrong]
.end:
  jmp barrier

; Everybody writes and runs a function of its own; they lie on the same page, some within the same 64 bytes.
own_code:
  mov r14d, 3000
  mov edi, r15d
  shl edi, 4
  add edi, MIXED + 0x40
  mov byte [rdi], 0xb8
  mov byte [rdi + 5], 0xc3
.next:
  mov [rdi + 1], r14d
  call rdi
  cmp eax, r14d
  je .right
  lock inc qword [wrong]
.right:
  dec r14d
  jnz .next
  ret

align 16
poked:
  mov eax, 0
  ret
  ret

section .data
align 64
flag:         dd 0
align 64
seen:         dd 0
align 64
synchronised: dd 0
align 64
function:     dq 0
wrong:        dq 0
rounds:       dd 60
section .text
