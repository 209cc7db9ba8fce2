; Random code in ring 3 of 64-bit mode: every exception is caught, the timer ends loops. Only the end is shown.
%include "guest.inc"
%include "apic.inc"
%include "random.inc"

ROUNDS equ 200000
SIZE   equ 64                     ; random bytes a round; after them a UD2
CODE   equ TESTLIN                ; pages of ring 3: code, data, stack, all random
TOP    equ TESTLIN + 0x8000

main:
  call read_seed
  call enable_apic
  LONG_MODE
  bits 64
  mov eax, CR4_PAE | CR4_OSFXSR | CR4_OSXMM
  mov cr4, rax
  mov qword [LONG_PDPT + 8], 0    ; no alias
  mov ecx, 8
  mov edi, LONG_PT
  mov eax, TESTPAGES + (P_P | P_W | P_U)
.map:
  stosq
  add eax, 0x1000
  loop .map
  mov edi, CODE
  mov ecx, 0x2000
.fill:
  call random64
  stosd
  loop .fill
  mov ebx, APIC
  mov dword [rbx + APIC_TIMER_DIVIDE], 0xb
  mov dword [rbx + APIC_LVT_TIMER], 0x40
  mov dword [left], ROUNDS
.round:
  call random64
  and eax, 0xfff
  mov edi, CODE
  add edi, eax
  mov [start_at], edi
  mov ecx, SIZE / 4
.code:
  call random64
  stosd
  loop .code
  ; most rounds start with a REX prefix
  call random64
  mov ecx, [start_at]
  test al, 3
  jz .plain
  shr eax, 8
  and al, 0x0f
  or al, 0x40
  mov [rcx], al
.plain:
  mov word [rdi], 0x0b0f
  fninit
  ldmxcsr [default_mxcsr]
  mov dword [recover_ip], .next
  mov [recover_sp], rsp
  mov ebx, APIC
  mov dword [rbx + APIC_TIMER_INITIAL], 200000
  push qword U_DATA
  mov eax, TOP - 0x1000
  push rax
  push qword IF | 2
  push qword U64_CODE
  mov eax, [start_at]
  push rax
%macro FILL 1
  call operand
  mov %1, rax
%endmacro
  FILL rbx
  FILL rcx
  FILL rdx
  FILL rsi
  FILL rdi
  FILL rbp
  FILL r8
  FILL r9
  FILL r10
  FILL r11
  FILL r12
  FILL r13
  FILL r14
  FILL r15
  call operand
  iretq
.next:
  mov ebx, APIC
  mov dword [rbx + APIC_TIMER_INITIAL], 0
  mov dword [rbx + APIC_EOI], 0
  dec dword [left]
  jnz .round
  LINE 'survived'
  PROT_MODE
  bits 32
  ret

bits 64
operand:
  call random64
  test al, 3
  jz .any
  push rdx
  and eax, 0x7fff
  mov edx, CODE
  or eax, edx
  pop rdx
  ret
.any:
  push rdx
  mov edx, eax
  call random64
  shl rax, 32
  or rax, rdx
  pop rdx
  ret

section .data
left: dd 0
start_at: dd 0
default_mxcsr: dd 0x1f80
section .text
