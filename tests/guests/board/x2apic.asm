; x2APIC mode: the switch, registers as MSRs, the self-IPI register, what is refused. SDM Vol. 3A 10.12.
%include "guest.inc"

%macro READ 2
  mov ecx, %2
  rdmsr
  LINE %1, ' ', edx, ' ', eax
%endmacro
%macro WRITE 3
  mov ecx, %1
  mov edx, %2
  mov eax, %3
  wrmsr
%endmacro
%macro TRY_WRITE 4
  CASE %1
  mov ecx, %2
  mov edx, %3
  mov eax, %4
  AT wrmsr
  ENDCASE
%endmacro
%macro TRY_READ 2
  CASE %1
  mov ecx, %2
  AT rdmsr
  ENDCASE
%endmacro
%macro LET_IN 0
  sti
  nop
  nop
  nop
  cli
%endmacro

main:
  NEEDS 1, 0, ecx, 21, 'x2apic'
  TRY_READ 'msr in xapic mode', 0x802
  TRY_WRITE 'extd without en', MSR_APIC, 0, 0xfee00500
  WRITE MSR_APIC, 0, 0xfee00d00
  READ 'base', MSR_APIC
  READ 'id', 0x802
  mov ecx, 0x803
  rdmsr
  and eax, 0xf0
  LINE 'version 1x: ', eax
  READ 'ldr', 0x80d
  WRITE 0x80f, 0, 0x1ff
  READ 'svr', 0x80f
  WRITE 0x808, 0, 0x20
  READ 'tpr', 0x808
  READ 'ppr', 0x80a
  WRITE 0x808, 0, 0
  LINE 'interrupts'
  GATE32 0x51, irq, SYS_INT32
  WRITE 0x83f, 0, 0x51
  READ 'irr', 0x822
  LET_IN
  READ 'isr', 0x812
  WRITE 0x830, 0, (1 << 18) | 0x51
  LET_IN
  WRITE 0x830, 0, 0x51            ; physical destination 0
  LET_IN
  WRITE 0x830, 1, (1 << 11) | 0x51 ; logical destination: cluster 0, the first
  LET_IN
  WRITE 0x830, 0xffffffff, 0x51   ; all
  LET_IN
  WRITE 0x830, 5, 0x51
  LET_IN
  LINE 'absent destination'
  READ 'icr has 64 bits', 0x830
  LINE 'refused'
  TRY_WRITE 'id', 0x802, 0, 1
  TRY_WRITE 'version', 0x803, 0, 0
  TRY_WRITE 'ldr', 0x80d, 0, 1
  TRY_READ 'dfr', 0x80e
  TRY_READ 'eoi', 0x80b
  TRY_WRITE 'eoi 1', 0x80b, 0, 1
  TRY_WRITE 'eoi 0', 0x80b, 0, 0
  TRY_WRITE 'esr 1', 0x828, 0, 1
  TRY_WRITE 'tpr, reserved bits', 0x808, 0, 0x100
  TRY_WRITE 'svr, reserved bits', 0x80f, 1, 0x1ff
  TRY_READ 'self-ipi is write-only', 0x83f
  TRY_WRITE 'self-ipi, reserved bits', 0x83f, 0, 0x151
  TRY_READ 'icr high', 0x831
  TRY_READ 'unknown', 0x840
  TRY_WRITE 'back to xapic', MSR_APIC, 0, 0xfee00900
  TRY_WRITE 'disabled', MSR_APIC, 0, 0xfee00100
  TRY_READ 'msr while disabled', 0x802
  TRY_WRITE 'disabled to x2apic', MSR_APIC, 0, 0xfee00d00
  TRY_WRITE 'disabled to xapic', MSR_APIC, 0, 0xfee00900
  ret
irq:
  pushad
  LINE 'vector 51'
  WRITE 0x80b, 0, 0
  popad
  iretd
