; CR8 is the upper half of the TPR. SDM Vol. 3A 10.8.6.
%include "guest.inc"
%include "apic.inc"

main:
  call enable_apic
  LONG_MODE
  bits 64
  GATE64 0x51, irq, SYS_INT32
  mov ebx, APIC
  mov eax, 5
  mov cr8, rax
  mov eax, [rbx + APIC_TPR]
  LINE 'cr8 5: tpr ', rax
  mov dword [rbx + APIC_TPR], 0x7c
  mov rax, cr8
  LINE 'tpr 7c: cr8 ', rax
  mov rax, cr8
  mov cr8, rax
  mov eax, [rbx + APIC_TPR]
  LINE 'written back: tpr ', rax
  ; holds interrupts back
  mov dword [rbx + APIC_ICR], SELF | ASSERT | 0x51
  sti
  nop
  nop
  cli
  LINE 'held back'
  mov eax, 4
  sti
  mov cr8, rax
  nop
  nop
  cli
  LINE 'let in ', [count]
  CASE 'ring 3'
  USER64
  AT mov rax, cr8
  ENDCASE
  CASE 'lock mov cr0 is undefined here'
  AT db 0xf0, 0x0f, 0x20, 0xc0
  ENDCASE
  PROT_MODE
  bits 32
  ret
bits 64
irq:
  inc qword [count]
  push rbx
  mov ebx, APIC
  mov dword [rbx + APIC_EOI], 0
  pop rbx
  iretq
section .data
count: dq 0
section .text
