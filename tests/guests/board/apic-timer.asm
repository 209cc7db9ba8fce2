; The local APIC's timer: one-shot, periodic, masked, stopped, divider. SDM Vol. 3A 10.5.4.
%include "guest.inc"
%include "apic.inc"
%include "acpi.inc"

%macro RESTART 0
  mov dword [ticks], 0
%endmacro

main:
  call enable_apic
  call find_pm_timer
  GATE32 0x40, tick, SYS_INT32
  APIC_WRITE APIC_TIMER_DIVIDE, 0xb ; by 1
  mov eax, [APIC + APIC_TIMER_DIVIDE]
  LINE 'divide ', eax
  APIC_WRITE APIC_TIMER_DIVIDE, 0xffffffff
  mov eax, [APIC + APIC_TIMER_DIVIDE]
  LINE 'divide takes bits 0, 1, 3: ', eax
  mov eax, [APIC + APIC_TIMER_CURRENT]
  LINE 'not started ', eax

  ; one-shot
  APIC_WRITE APIC_TIMER_DIVIDE, 3 ; by 16
  APIC_WRITE APIC_LVT_TIMER, 0x40
  RESTART
  APIC_WRITE APIC_TIMER_INITIAL, 1000
  call wait_for_one
  mov eax, [APIC + APIC_TIMER_CURRENT]
  LINE 'one-shot: current ', eax
  mov eax, [APIC + APIC_TIMER_INITIAL]
  LINE 'initial stays ', eax
  mov eax, 35795
  call wait_with_interrupts
  LINE 'one-shot: once ', [ticks]
  ; it counts down
  APIC_WRITE APIC_LVT_TIMER, MASKED | 0x40
  APIC_WRITE APIC_TIMER_INITIAL, 0xffffffff
  mov ebx, [APIC + APIC_TIMER_CURRENT]
  mov eax, 3580
  call wait_pm
  mov eax, [APIC + APIC_TIMER_CURRENT]
  cmp eax, ebx
  setb al
  movzx eax, al
  LINE 'counts down ', eax
  ; 0 stops it
  APIC_WRITE APIC_TIMER_INITIAL, 0
  mov eax, [APIC + APIC_TIMER_CURRENT]
  LINE 'stopped ', eax

  ; masked: nothing comes, also not later
  RESTART
  APIC_WRITE APIC_TIMER_INITIAL, 1000
  mov eax, 35795
  call wait_with_interrupts
  APIC_WRITE APIC_LVT_TIMER, 0x40
  mov eax, 3580
  call wait_with_interrupts
  LINE 'masked ', [ticks]

  ; periodic
  RESTART
  APIC_WRITE APIC_LVT_TIMER, PERIODIC | 0x40
  APIC_WRITE APIC_TIMER_INITIAL, 100000
  sti
.three:
  cmp dword [ticks], 3
  jb .three
  cli
  LINE 'periodic'
  mov eax, [APIC + APIC_TIMER_CURRENT]
  cmp eax, 100000
  setbe al
  movzx eax, al
  LINE 'current within initial ', eax
  APIC_WRITE APIC_TIMER_INITIAL, 0
  call drain
  RESTART
  mov eax, 35795
  call wait_with_interrupts
  LINE 'periodic stopped ', [ticks]
  ; HLT until the timer
  RESTART
  APIC_WRITE APIC_LVT_TIMER, 0x40
  APIC_WRITE APIC_TIMER_INITIAL, 100000
  sti
  hlt
  cli
  LINE 'woke from hlt ', [ticks]

  ; the divider scales: by 1 it is (about) 16 times as fast as by 16. Counts in 10 ms of PM time
  mov dword [tries], 20
.ratio:
  APIC_WRITE APIC_TIMER_DIVIDE, 3
  call count
  mov esi, ebx
  APIC_WRITE APIC_TIMER_DIVIDE, 0xb
  call count
  mov eax, ebx
  xor edx, edx
  div esi
  cmp eax, 15
  je .ok
  cmp eax, 16
  je .ok
  dec dword [tries]
  jnz .ratio
  LINE 'divider ', eax
  jmp .deadline
.ok:
  LINE 'divider: ok'
.deadline:
  ret

; Interrupts on until one came
wait_for_one:
  sti
.wait:
  cmp dword [ticks], 0
  je .wait
  cli
  ret

wait_with_interrupts:
  sti
  call wait_pm
  cli
  ret
drain:
  sti
  nop
  nop
  cli
  ret

; EBX = how far the timer counts down in 10 ms; the interval is measured and scaled
count:
  APIC_WRITE APIC_LVT_TIMER, MASKED | 0x40
.again:
  APIC_WRITE APIC_TIMER_INITIAL, 0xffffffff
  mov ebx, [APIC + APIC_TIMER_CURRENT]
  call read_pm_timer
  mov ecx, eax
  mov eax, 35795
  call wait_pm
  sub ebx, [APIC + APIC_TIMER_CURRENT]
  call read_pm_timer
  sub eax, ecx
  and eax, 0xffffff
  cmp eax, 37000
  ja .again                       ; the host was busy
  ret

tick:
  inc dword [ticks]
  EOI
  iretd

section .data
ticks: dd 0
tries: dd 0
section .text
