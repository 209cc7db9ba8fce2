; When a pending interrupt is taken: after STI, MOV SS, POPF, IRET, at HLT. SDM Vol. 3A 6.8.1, 6.8.3; Vol. 2B "STI", "HLT".
; rip is relative to the instruction named.
%include "guest.inc"
%include "apic.inc"

V equ 0x50

; PENDING 'name': a case that starts with the interrupt V pending and IF = 0
%macro PENDING 1
  CASE %1
  SEND V
%endmacro

%macro TAKEN 0
  ENDCASE
  EOI
%endmacro

main:
  call enable_apic
  PENDING 'sti: after the next instruction'
  AT sti
  nop
  nop
  cli
  TAKEN
  PENDING 'sti, long instruction'
  AT sti
  mov eax, 0x12345678
  nop
  cli
  TAKEN
  CASE 'sti, cli'
  SEND V
  AT sti
  cli
  nop
  ENDCASE
  ; the one of the last case is still pending
  CASE 'sti, sti'
  AT sti
  sti
  nop
  cli
  TAKEN
  PENDING 'sti, mov ss'
  mov ecx, ss
  AT sti
  mov ss, ecx
  nop
  nop
  cli
  TAKEN
  PENDING 'sti, fault'
  AT sti
  ud2
  ENDCASE
  PENDING 'pending again'
  AT sti
  nop
  cli
  TAKEN
  PENDING 'popf'
  push dword IF | 2
  AT popfd
  nop
  cli
  TAKEN
  PENDING 'popf, mov ss'
  push dword IF | 2
  mov ecx, ss
  AT popfd
  mov ss, ecx
  nop
  cli
  TAKEN
  PENDING 'iret'
  push dword IF | 2
  push dword K32_CODE
  push dword .iret
  iretd
.iret:
  AT nop
  nop
  cli
  TAKEN
  CASE 'sent with if = 1'
  sti
  nop
  APIC_WRITE APIC_ICR, SELF | ASSERT | V
  AT jmp $
  TAKEN
  LINE 'hlt'
  PENDING 'sti, hlt'
  AT sti
  hlt
  nop
  cli
  TAKEN
  PENDING 'popf, hlt'
  push dword IF | 2
  popfd
  AT hlt
  TAKEN
  ; between iterations of a repeated string instruction: EIP points to it, the registers tell how far it came
  LINE 'rep'
  PENDING 'rep movsb'
  mov esi, SCRATCH
  mov edi, SCRATCH + 0x100
  mov ecx, 0x10
  push dword IF | 2
  popfd
  AT rep movsb
  cli
  TAKEN
  ; by priority of vectors
  LINE 'order'
  GATE32 0x51, handler_51, SYS_INT32
  GATE32 0x61, handler_61, SYS_INT32
  SEND 0x51
  SEND 0x61
  sti
  nop
  nop
  nop
  cli
  LINE ''
  ret

handler_51:
  SAY '51'
  EOI
  iretd
handler_61:
  SAY '61 '
  EOI
  iretd
