; The local APIC's timer in TSC-deadline mode. SDM Vol. 3A 10.5.4.1.
%include "guest.inc"
%include "apic.inc"
%include "acpi.inc"

TSC_DEADLINE equ 2 << 17

; ARM cycles from now
%macro ARM 1
  rdtsc
  add eax, %1
  adc edx, 0
  mov ecx, MSR_TSC_DEADLINE
  wrmsr
%endmacro
%macro DEADLINE 1
  mov ecx, MSR_TSC_DEADLINE
  rdmsr
  or eax, edx
  setnz al
  movzx eax, al
  LINE %1, ' ', eax
%endmacro

main:
  NEEDS 1, 0, ecx, 24, 'tsc-deadline'
  call enable_apic
  call find_pm_timer
  GATE32 0x40, tick, SYS_INT32
  ; only in this mode is the MSR writable with effect
  APIC_WRITE APIC_LVT_TIMER, 0x40
  ARM 1000
  DEADLINE 'in one-shot mode the write is ignored:'
  APIC_WRITE APIC_LVT_TIMER, TSC_DEADLINE | 0x40
  mov eax, [APIC + APIC_LVT_TIMER]
  and eax, ~(1 << 12)
  LINE 'lvt ', eax
  APIC_WRITE APIC_TIMER_INITIAL, 1000
  mov eax, [APIC + APIC_TIMER_CURRENT]
  LINE 'the initial count is ignored: ', eax
  ; a deadline far away is armed, 0 disarms
  mov ecx, MSR_TSC_DEADLINE
  mov edx, 0x7fffffff
  xor eax, eax
  wrmsr
  DEADLINE 'armed'
  mov ecx, MSR_TSC_DEADLINE
  xor edx, edx
  xor eax, eax
  wrmsr
  DEADLINE 'disarmed'
  ; it comes, once, not before its time, and clears the MSR
  ARM 100000
  mov ebx, eax
  mov esi, edx
  sti
.wait:
  cmp dword [ticks], 0
  je .wait
  cli
  mov eax, [came]
  mov edx, [came + 4]
  sub eax, ebx
  sbb edx, esi
  shr edx, 31
  LINE 'too early: ', edx
  DEADLINE 'after it'
  ; in the past: at once
  mov dword [ticks], 0
  mov ecx, MSR_TSC_DEADLINE
  xor edx, edx
  mov eax, 1
  wrmsr
  sti
  mov eax, 35795
  call wait_pm
  cli
  LINE 'past: ', [ticks]
  ; leaving the mode disarms; the deadline is far enough that a host that stalls does not reach it before that
  mov dword [ticks], 0
  ARM 200000000
  APIC_WRITE APIC_LVT_TIMER, 0x40
  sti
  mov eax, 35795 * 30
  call wait_pm
  cli
  LINE 'mode left: ', [ticks]
  APIC_WRITE APIC_LVT_TIMER, TSC_DEADLINE | 0x40
  DEADLINE 'mode entered again'
  ; masked: nothing comes; HLT wakes
  ARM 100000
  sti
  hlt
  cli
  LINE 'woke from hlt ', [ticks]
  ret
tick:
  push eax
  push edx
  rdtsc
  mov [came], eax
  mov [came + 4], edx
  inc dword [ticks]
  EOI
  pop edx
  pop eax
  iretd
section .data
ticks: dd 0
came: dq 0
section .text
