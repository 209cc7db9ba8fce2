; NMI: not masked by IF, blocked from its delivery until the next IRET, one more is remembered. SDM Vol. 3A 6.7, 10.6.1.
%include "guest.inc"
%include "apic.inc"

; SEND_NMI: to this processor, by physical destination (the shorthand "self" takes fixed interrupts only). Keeps EAX.
%macro SEND_NMI 0
  push eax
  mov eax, [APIC + APIC_ID]
  mov [APIC + APIC_ICR_HIGH], eax
  APIC_WRITE APIC_ICR, ASSERT | (4 << 8)
  call delay
  pop eax
%endmacro

main:
  call enable_apic
  GATE32 2, .count, SYS_INT32
  ; with IF = 0
  SEND_NMI
  LINE 'if = 0: ', [.nmis]
  ; the handler (which does not return by IRET here) runs with NMIs blocked
  GATE32 2, .no_iret, SYS_INT32
  mov ebx, esp
  SEND_NMI
.no_iret:
  mov esp, ebx
  GATE32 2, .count, SYS_INT32
  mov dword [.nmis], 0
  SEND_NMI
  SEND_NMI
  LINE 'blocked: ', [.nmis]
  ; any IRET unblocks; of the two that were sent one was remembered
  push dword 2
  push dword K32_CODE
  push dword .unblocked
  iretd
.unblocked:
  call delay
  LINE 'after iret: ', [.nmis]
  ; sent by the handler itself: taken after its IRET
  GATE32 2, .nested, SYS_INT32
  mov dword [.nmis], 0
  SEND_NMI
  LINE 'nested: ', [.nmis]
  ; an exception within the handler: its IRET unblocks
  GATE32 2, .with_int3, SYS_INT32
  GATE32 3, .int3, SYS_INT32
  mov dword [.nmis], 0
  SEND_NMI
  ret
.nmis: dd 0
.count:
  inc dword [.nmis]
  iretd
.nested:
  push eax
  mov eax, [.nmis]
  LINE 'nmi ', eax, ' begins'
  inc dword [.nmis]
  test eax, eax
  jnz .second
  SEND_NMI
.second:
  LINE 'nmi ', eax, ' ends'
  pop eax
  iretd
.with_int3:
  push eax
  mov eax, [.nmis]
  LINE 'nmi ', eax, ' begins'
  inc dword [.nmis]
  test eax, eax
  jnz .second
  SEND_NMI
  int3
  jmp .second
.int3:
  LINE 'int3'
  iretd

delay:
  push ecx
  mov ecx, 2000
.loop:
  loop .loop
  pop ecx
  ret
