; The 8259A pair: delivery, masks, priority, EOI forms, read-back, poll, the cascade. Intel 8259A data sheet; LAPIC LINT0 in
; ExtINT mode (SDM Vol. 3A 10.5.1). Sources: PIT channel 0 (IRQ 0), the first serial port (IRQ 4), the RTC (IRQ 8).
%include "guest.inc"
%include "apic.inc"

; LINES mask: unmasked lines of both PICs
%macro LINES 1
  mov al, ~(%1) & 0xff
  out 0x21, al
  mov al, (~(%1) >> 8) & 0xff
  out 0xa1, al
%endmacro

; Lets pending interrupts in
%macro LET_IN 0
  sti
  nop
  nop
  cli
%endmacro

%macro EOI_MASTER 0
  mov al, 0x20
  out 0x20, al
%endmacro

; READ_PIC port, OCW3: EAX = IRR (0x0a) or ISR (0x0b)
%macro READ_PIC 2
  mov al, %2
  out %1, al
  xor eax, eax
  in al, %1
%endmacro

main:
  call enable_apic
  APIC_WRITE APIC_LVT_LINT0, 0x700
  GATE32 0x20, irq_0, SYS_INT32
  GATE32 0x24, irq_4, SYS_INT32
  GATE32 0x28, irq_8, SYS_INT32
  xor eax, eax
  in al, 0x21
  LINE 'mask reads back ', eax

  ; IRQ 0: an edge while masked is remembered
  call tick
  READ_PIC 0x20, 0x0a
  and eax, 1
  LINE 'irr while masked ', eax
  LINES 1 << 0
  LET_IN
  READ_PIC 0x20, 0x0b
  LINE 'isr after eoi ', eax
  LET_IN
  LINE 'once'

  ; priority: IRQ 0 before IRQ 4, one at a time
  LINES 1 << 0 | 1 << 4
  call serial_on
  call tick
  LET_IN
  LET_IN
  call serial_off
  ; without EOI a lower line is held back, a higher one is not
  mov byte [no_eoi], 1
  call serial_on
  LET_IN
  call serial_off
  call serial_on
  LET_IN
  LINE 'irq 4 in service, irq 4 again: held back'
  call tick
  mov byte [no_eoi], 0
  LET_IN
  ; specific EOI
  mov al, 0x64
  out 0x20, al
  LET_IN
  call serial_off

  ; the slave: RTC, IRQ 8
  LINES 1 << 2 | 1 << 8
  call rtc_on
  call wait_slave
  READ_PIC 0x20, 0x0a
  and eax, 4
  LINE 'master irr with irq 8: ', eax
  LET_IN
  READ_PIC 0xa0, 0x0b
  LINE 'slave isr after eoi ', eax
  call rtc_off

  ; poll mode: takes the interrupt without INTA
  LINES 1 << 0
  call tick
  mov al, 0x0c
  out 0x20, al
  xor eax, eax
  in al, 0x20
  LINE 'poll ', eax
  READ_PIC 0x20, 0x0b
  LINE 'isr after poll ', eax
  EOI_MASTER
  mov al, 0x0c
  out 0x20, al
  xor eax, eax
  in al, 0x20
  and eax, 0x80
  LINE 'poll without interrupt ', eax

  ; rotation: EOI with rotate makes IRQ 0 the lowest
  call serial_on
  LINES 1 << 0 | 1 << 4
  call tick
  mov al, 0xc0                    ; set priority: IRQ 0 is lowest, IRQ 1 highest
  out 0x20, al
  LET_IN
  LET_IN
  call serial_off
  mov al, 0xc7                    ; IRQ 7 lowest again
  out 0x20, al

  ; automatic EOI: ICW4 bit 1
  mov al, 0x11
  out 0x20, al
  mov al, 0x20
  out 0x21, al
  mov al, 4
  out 0x21, al
  mov al, 3
  out 0x21, al
  READ_PIC 0x20, 0x0a
  call tick
  LINES 1 << 0
  mov byte [no_eoi], 1
  LET_IN
  mov byte [no_eoi], 0
  ; other vectors
  call quiet_pic
  mov al, 0x11
  out 0x20, al
  mov al, 0x60
  out 0x21, al
  mov al, 4
  out 0x21, al
  mov al, 1
  out 0x21, al
  GATE32 0x60, irq_0, SYS_INT32
  call tick
  LINES 1 << 0
  LET_IN
  LINES 0
  call quiet_pic
  ; ICW1 forgets what was latched
  call tick
  call quiet_pic
  mov al, 0xb0                    ; (channel 0 stays high: no new edge)
  LINES 1 << 0
  LET_IN
  LINE 'after icw1: nothing'
  ; ELCR: lines 3 to 7, 9 to 12, 14, 15 can be level-triggered
  mov edx, 0x4d0
  mov al, 0xff
  out dx, al
  xor eax, eax
  in al, dx
  LINE 'elcr ', eax
  mov al, 0
  out dx, al
  ret

; One rising edge of channel 0's output: mode 0 with a count of 2
tick:
  push eax
  mov al, 0x30
  out 0x43, al
  mov al, 2
  out 0x40, al
  mov al, 0
  out 0x40, al
.wait:
  mov al, 0xe2                    ; read back the status of channel 0
  out 0x43, al
  in al, 0x40
  test al, 0x80                   ; OUT
  jz .wait
  mov ah, 1
  call wait_irr
  pop eax
  ret

; Until the master's IRR shows the bits AH: the line may be later than the register that tells of its cause
wait_irr:
  push ecx
  mov ecx, 100000
.wait:
  mov al, 0x0a
  out 0x20, al
  in al, 0x20
  test al, ah
  jnz .there
  loop .wait
.there:
  pop ecx
  ret

; The serial port asks for attention while its transmitter is empty
serial_on:
  push edx
  push eax
  mov edx, 0x3fd
.empty:
  in al, dx
  test al, 0x40
  jz .empty
  mov edx, 0x3fc
  mov al, 8                       ; OUT2 connects the line
  out dx, al
  mov edx, 0x3f9
  mov al, 2
  out dx, al
  mov ah, 0x10
  call wait_irr
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

rtc_on:
  mov al, 0x8a
  out 0x70, al
  mov al, 0x26
  out 0x71, al
  mov al, 0x8b
  out 0x70, al
  mov al, 0x42
  out 0x71, al
read_c:
  mov al, 0x8c
  out 0x70, al
  in al, 0x71
  ret
rtc_off:
  mov al, 0x8b
  out 0x70, al
  mov al, 2
  out 0x71, al
  jmp read_c
wait_slave:
  READ_PIC 0xa0, 0x0a
  test al, 1
  jz wait_slave
  ret

; The handlers read before they print: printing uses the serial port
%macro HANDLER 1
  pushad
  READ_PIC 0x20, 0x0b
  mov ebx, eax
  READ_PIC 0x20, 0x0a
  mov esi, eax
%endmacro
irq_0:
  HANDLER 0
  LINE 'irq 0: isr=', ebx, ' irr=', esi
leave_irq:
  cmp byte [no_eoi], 0
  jne .end
  EOI_MASTER
.end:
  popad
  iretd
irq_4:
  HANDLER 4
  call serial_off
  LINE 'irq 4: isr=', ebx, ' irr=', esi
  jmp leave_irq
irq_8:
  pushad
  call rtc_off
  READ_PIC 0x20, 0x0b
  mov ebx, eax
  READ_PIC 0xa0, 0x0b
  LINE 'irq 8: master isr=', ebx, ' slave isr=', eax
  mov al, 0x20
  out 0xa0, al
  out 0x20, al
  popad
  iretd

section .data
no_eoi: db 0
section .text
