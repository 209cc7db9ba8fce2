; The local APIC: reserved LVT bits, an illegal vector, software disabling. SDM Vol. 3A 10.4.7.2, 10.5.1, 10.5.3.
%include "guest.inc"
%include "apic.inc"

; SHOW 'name', register
%macro SHOW 2
  mov eax, [APIC + (%2)]
  LINE %1, ' ', eax
%endmacro

%macro LET_IN 0
  sti
  nop
  nop
  nop
  cli
%endmacro

%macro SEND_NOWAIT 1
  APIC_WRITE APIC_ICR, SELF | ASSERT | (%1)
%endmacro

main:
  call enable_apic
  GATE32 0x52, irq, SYS_INT32
  APIC_WRITE APIC_LVT_TIMER, 0xffffffff & ~(1 << 18)
  mov eax, [APIC + APIC_LVT_TIMER]
  and eax, ~(1 << 12)
  LINE 'lvt timer ', eax
  APIC_WRITE APIC_LVT_ERROR, 0xffffffff
  mov eax, [APIC + APIC_LVT_ERROR]
  and eax, ~(1 << 12)
  LINE 'lvt error ', eax
  APIC_WRITE APIC_LVT_TIMER, MASKED
  APIC_WRITE APIC_LVT_ERROR, MASKED
  APIC_WRITE APIC_ESR, 0
  APIC_WRITE APIC_ESR, 0
  SHOW 'esr', APIC_ESR
  SEND_NOWAIT 0x0f
  APIC_WRITE APIC_ESR, 0
  mov eax, [APIC + APIC_ESR]
  and eax, 0x20
  LINE 'send illegal vector ', eax
  APIC_WRITE APIC_ESR, 0
  SHOW 'cleared by the next write', APIC_ESR
  SHOW 'nothing pending', APIC_IRR

  LINE 'disabled'
  APIC_WRITE APIC_LVT_TIMER, 0x51
  APIC_WRITE APIC_SVR, 0xff
  mov eax, [APIC + APIC_LVT_TIMER]
  and eax, MASKED
  LINE 'lvts are masked ', eax
  APIC_WRITE APIC_LVT_TIMER, 0x51
  mov eax, [APIC + APIC_LVT_TIMER]
  and eax, MASKED
  LINE 'and stay so ', eax
  APIC_WRITE APIC_SVR, 0x1ff
  SEND 0x52
  LET_IN
  ret

irq:
  pushad
  call in_service
  LINE 'vector ', ebx, ' ppr=', [APIC + APIC_PPR]
  EOI
  popad
  iretd
; EBX = the highest vector in service from 40 to 7f
in_service:
  mov eax, [APIC + APIC_ISR + 0x30]
  bsr ebx, eax
  jz .low
  add ebx, 0x60
  ret
.low:
  mov eax, [APIC + APIC_ISR + 0x20]
  bsr ebx, eax
  add ebx, 0x40
  ret
