; Random 16-bit code, in virtual-8086 mode with paging: every exception is caught, the timer ends loops. Only the end is shown.
%include "guest.inc"
%include "paging32.inc"
%include "apic.inc"
%include "random.inc"

ROUNDS equ 50000
SIZE   equ 48
FIRST  equ 0x20000                ; 128 KB of random pages for the code, at this linear address

main:
  call read_seed
  call enable_apic
  call build_two_level
  mov dword [PD + (ALIAS >> 22) * 4], 0
  mov dword [PD + (APIC >> 22) * 4], 0xfec00000 + (P_P | P_W | P_PS | P_PCD)
  or dword [PD], P_U
  mov eax, CR4_PSE | CR4_OSFXSR | CR4_OSXMM
  mov cr4, eax
  mov ecx, 32
  mov edi, PT_LOW + (FIRST >> 12) * 4
.map:
  or dword [edi], P_U
  add edi, 4
  loop .map
  mov edi, FIRST
  mov ecx, 0x8000
.fill:
  call random32
  stosd
  loop .fill
  APIC_WRITE APIC_TIMER_DIVIDE, 0xb
  APIC_WRITE APIC_LVT_TIMER, 0x40
  mov dword [left], ROUNDS
.round:
  call random32
  and eax, 0xffff
  mov [start_at], eax
  lea edi, [FIRST + eax]
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
  APIC_WRITE APIC_TIMER_INITIAL, 50000
  mov ecx, 4                      ; GS, FS, DS, ES
.segments:
  call random32
  and eax, 0x0fff
  add eax, FIRST >> 4
  push eax
  loop .segments
  push dword (FIRST + 0x10000) >> 4
  push dword 0xf000
  push dword VM | IF | 2
  push dword FIRST >> 4
  push dword [start_at]
  call random32
  mov ebx, eax
  call random32
  mov ecx, eax
  call random32
  mov edx, eax
  call random32
  mov esi, eax
  call random32
  mov edi, eax
  call random32
  mov ebp, eax
  call random32
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

section .data
left: dd 0
start_at: dd 0
default_mxcsr: dd 0x1f80
section .text
