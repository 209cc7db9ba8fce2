; The I/O APIC: registers, edge and level, mask, remote IRR, destinations. 82093AA data sheet 3.2. Source: the serial port's
; line (pin 4), high while its transmitter is empty and it may ask.
%include "guest.inc"
%include "apic.inc"

IOAPIC  equ 0xfec00000
PIN     equ 4
LOW_REG equ 0x10 + PIN * 2
LEVEL   equ 1 << 15
REMOTE  equ 1 << 14

%macro IO_WRITE 2
  mov dword [IOAPIC], %1
  mov dword [IOAPIC + 0x10], %2
%endmacro
%macro IO_READ 1
  mov dword [IOAPIC], %1
  mov eax, [IOAPIC + 0x10]
%endmacro
%macro LET_IN 0
  call settle
  sti
  nop
  nop
  nop
  cli
%endmacro

main:
  call enable_apic
  IO_READ 1
  and eax, 0xff0000
  LINE 'last pin ', eax
  IO_WRITE LOW_REG + 1, 0xff000000
  IO_READ LOW_REG + 1
  LINE 'destination ', eax
  IO_WRITE LOW_REG + 1, 0
  IO_WRITE LOW_REG, MASKED | LEVEL | (1 << 13) | (1 << 11) | 0x40
  IO_READ LOW_REG
  LINE 'low ', eax
  IO_WRITE LOW_REG, MASKED | REMOTE | (1 << 12) | 0x40
  IO_READ LOW_REG
  LINE 'status and remote irr are read-only ', eax
  mov dword [IOAPIC], 0x12
  mov eax, [IOAPIC]
  and eax, 0xff
  LINE 'index ', eax
  GATE32 0x40, quiet_irq, SYS_INT32
  GATE32 0x41, eoi_only, SYS_INT32

  LINE 'edge'
  IO_WRITE LOW_REG, 0x40
  call serial_on
  LET_IN
  LET_IN
  LINE 'once'
  call serial_off
  call serial_on
  LET_IN
  call serial_off
  IO_WRITE LOW_REG, MASKED | 0x40
  call serial_on
  LET_IN
  LINE 'masked'
  call serial_off

  LINE 'level'
  mov dword [count], 0
  IO_WRITE LOW_REG, LEVEL | 0x40
  call serial_on
  IO_READ LOW_REG
  and eax, REMOTE
  LINE 'remote irr while pending ', eax
  call serial_on                  ; printing took the line down
  LET_IN
  IO_READ LOW_REG
  and eax, REMOTE
  LINE 'after eoi ', eax
  LET_IN
  LINE 'the line is low'
  ; EOI while the line is still high: again
  IO_WRITE LOW_REG, LEVEL | 0x41
  mov dword [count], 0
  call serial_on
  sti
.more:
  cmp dword [count], 3
  jb .more
  cli
  LET_IN
  LINE 'as long as it is high: ', [count]
  ; masked while high, then unmasked: a level is not lost, nor is it remembered once it went
  IO_WRITE LOW_REG, MASKED | LEVEL | 0x40
  mov dword [count], 0
  call serial_on
  LET_IN
  IO_WRITE LOW_REG, LEVEL | 0x40
  LET_IN
  IO_WRITE LOW_REG, MASKED | LEVEL | 0x40
  call serial_on
  call serial_off
  IO_WRITE LOW_REG, LEVEL | 0x40
  LET_IN
  LINE 'gone before it was unmasked'
  ; logical destination
  LINE 'destination'
  mov dword [count], 0
  APIC_WRITE APIC_LDR, 0x02000000
  IO_WRITE LOW_REG + 1, 0x02000000
  IO_WRITE LOW_REG, (1 << 11) | 0x40
  call serial_on
  LET_IN
  call serial_off
  IO_WRITE LOW_REG + 1, 0x04000000
  call serial_on
  LET_IN
  LINE 'logical, not addressed'
  call serial_off
  IO_WRITE LOW_REG, MASKED
  ret

settle:
  push ecx
  mov ecx, 5000
.loop:
  loop .loop
  pop ecx
  ret

; The transmitter is empty first; then the port may ask
serial_on:
  push edx
  push eax
  mov edx, 0x3fd
.empty:
  in al, dx
  test al, 0x40
  jz .empty
  mov edx, 0x3fc
  mov al, 8
  out dx, al
  mov edx, 0x3f9
  mov al, 2
  out dx, al
  call settle
  pop eax
  pop edx
  ret
serial_off:
  push edx
  push eax
  mov edx, 0x3f9
  mov al, 0
  out dx, al
  pop eax
  pop edx
  ret

; Takes the line down, tells, EOI
quiet_irq:
  pushad
  call serial_off
  inc dword [count]
  mov eax, [APIC + APIC_TMR + 0x20]
  and eax, 1
  LINE 'irq count=', [count], ' tmr=', eax
  EOI
  popad
  iretd
eoi_only:                         ; the third time the line is taken down: else nothing but the handler would run
  inc dword [count]
  cmp dword [count], 3
  jb .high
  call serial_off
.high:
  EOI
  iretd
section .data
count: dd 0
section .text
