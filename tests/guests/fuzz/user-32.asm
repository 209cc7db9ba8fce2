; Random code in ring 3 of 32-bit protected mode: every exception is caught, the timer ends loops. Only the end is shown.
%include "guest.inc"
%include "paging32.inc"
%include "apic.inc"
%include "random.inc"

ROUNDS equ 200000
SIZE   equ 64                     ; random bytes a round; after them a UD2
CODE   equ TESTLIN                ; pages of ring 3: code, data, stack, all random
TOP    equ TESTLIN + 0x8000

main:
  call read_seed
  call enable_apic
  call build_two_level
  mov dword [PD + (ALIAS >> 22) * 4], 0
  mov dword [PD + (APIC >> 22) * 4], 0xfec00000 + (P_P | P_W | P_PS | P_PCD)
  mov eax, CR4_PSE | CR4_OSFXSR | CR4_OSXMM
  mov cr4, eax
  mov ecx, 8
  mov edi, TEST_PT
  mov eax, TESTPAGES + (P_P | P_W | P_U)
.map:
  stosd
  add eax, 0x1000
  loop .map
  mov edi, CODE
  mov ecx, 0x2000
.fill:
  call random32
  stosd
  loop .fill
  APIC_WRITE APIC_TIMER_DIVIDE, 0xb
  APIC_WRITE APIC_LVT_TIMER, 0x40
  mov dword [left], ROUNDS
.round:
  call random32
  and eax, 0xfff
  lea edi, [CODE + eax]
  mov [start_at], edi
  mov ecx, SIZE / 4
.code:
  call random32
  stosd
  loop .code
  mov word [edi], 0x0b0f
  fninit
  ldmxcsr [default_mxcsr]
  mov dword [recover_ip], .next
  mov [recover_sp], esp
  APIC_WRITE APIC_TIMER_INITIAL, 200000
  push dword U_DATA
  push dword TOP - 0x1000
  push dword IF | 2
  push dword U32_CODE
  push dword [start_at]
  ; registers: small numbers, addresses of ring 3, anything
  call operand
  mov ebx, eax
  call operand
  mov ecx, eax
  call operand
  mov edx, eax
  call operand
  mov esi, eax
  call operand
  mov edi, eax
  call operand
  mov ebp, eax
  call operand
  push dword U_DATA
  pop ds
  push dword U_DATA
  pop es
  iretd
.next:
  APIC_WRITE APIC_TIMER_INITIAL, 0
  EOI
  dec dword [left]
  jnz .round
  mov eax, cr0
  and eax, ~CR0_PG
  mov cr0, eax
  LINE 'survived'
  ret

operand:
  call random32
  test eax, 3
  jz .any
  and eax, 0x7fff
  or eax, CODE
.any:
  ret

section .data
left: dd 0
start_at: dd 0
default_mxcsr: dd 0x1f80
section .text
