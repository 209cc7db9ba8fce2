; The local APIC in xAPIC mode: registers, self-IPI, IRR/ISR/TMR, priorities, TPR, EOI, ICR. Errors: board/local-apic-errors.
; SDM Vol. 3A 10.4 to 10.9.
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
  mov ecx, MSR_APIC
  rdmsr
  and eax, 0xfffff900
  LINE 'base msr ', eax
  call enable_apic
  SHOW 'id', APIC_ID
  mov eax, [APIC + APIC_VERSION]
  and eax, 0xf0
  LINE 'version 1x: ', eax
  SHOW 'svr', APIC_SVR
  APIC_WRITE APIC_TPR, 0x1ab
  SHOW 'tpr takes 8 bits', APIC_TPR
  SHOW 'ppr follows', APIC_PPR
  APIC_WRITE APIC_TPR, 0
  APIC_WRITE APIC_LDR, 0x12345678
  SHOW 'ldr', APIC_LDR
  APIC_WRITE APIC_DFR, 0x0fffffff
  SHOW 'dfr', APIC_DFR
  APIC_WRITE APIC_DFR, 0xffffffff
  APIC_WRITE APIC_LVT_TIMER, MASKED
  APIC_WRITE APIC_LVT_ERROR, MASKED

  LINE 'self-ipi'
  GATE32 0x51, irq, SYS_INT32
  GATE32 0x52, irq, SYS_INT32
  GATE32 0x61, irq, SYS_INT32
  SEND 0x51
  SHOW 'irr', APIC_IRR + 0x20
  SHOW 'tmr: edge', APIC_TMR + 0x20
  LET_IN
  SHOW 'isr after', APIC_ISR + 0x20
  ; without EOI the same and lower classes wait, a higher one does not
  GATE32 0x51, no_eoi, SYS_INT32
  SEND 0x51
  LET_IN
  SHOW 'isr', APIC_ISR + 0x20
  SHOW 'ppr', APIC_PPR
  SEND 0x52
  LET_IN
  LINE 'same class waits'
  SEND 0x61
  LET_IN
  EOI
  LET_IN
  ; the same vector while in service is kept once more
  SEND 0x51
  LET_IN
  SEND_NOWAIT 0x51
  SEND_NOWAIT 0x51
  SEND 0x51
  EOI
  LET_IN
  EOI
  LET_IN
  LINE 'no more'
  GATE32 0x51, irq, SYS_INT32

  LINE 'tpr'
  APIC_WRITE APIC_TPR, 0x50
  SEND 0x51
  LET_IN
  LINE 'class 5 held back by 50'
  APIC_WRITE APIC_TPR, 0x4f
  LET_IN
  APIC_WRITE APIC_TPR, 0xf0
  SEND 0x61
  LET_IN
  LINE 'all held back by f0'
  APIC_WRITE APIC_TPR, 0
  LET_IN
  ; CR8 is TPR's upper half, in 64-bit mode
  LINE 'icr'
  APIC_WRITE APIC_ICR_HIGH, 0x05000000
  SHOW 'high', APIC_ICR_HIGH
  ; to a processor that is not there: nothing comes
  APIC_WRITE APIC_ICR, ASSERT | 0x51
  LET_IN
  LINE 'absent destination'
  ; physical destination 0, all including self, logical destination
  APIC_WRITE APIC_ICR_HIGH, 0
  APIC_WRITE APIC_ICR, ASSERT | 0x51
  call settle
  LET_IN
  APIC_WRITE APIC_ICR, ASSERT | (2 << 18) | 0x52
  call settle
  LET_IN
  APIC_WRITE APIC_ICR, ASSERT | (3 << 18) | 0x61
  call settle
  LET_IN
  LINE 'all but self: nothing'
  APIC_WRITE APIC_LDR, 0x04000000
  APIC_WRITE APIC_ICR_HIGH, 0x06000000
  APIC_WRITE APIC_ICR, ASSERT | (1 << 11) | 0x61
  call settle
  LET_IN
  APIC_WRITE APIC_ICR_HIGH, 0x0b000000
  APIC_WRITE APIC_ICR, ASSERT | (1 << 11) | 0x61
  call settle
  LET_IN
  LINE 'logical, not addressed'

  ret

settle:
  push ecx
  mov ecx, 1000
.loop:
  loop .loop
  pop ecx
  ret

irq:
  pushad
  call in_service
  LINE 'vector ', ebx, ' ppr=', [APIC + APIC_PPR]
  EOI
  popad
  iretd
no_eoi:
  pushad
  call in_service
  LINE 'vector ', ebx, ' without eoi'
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
