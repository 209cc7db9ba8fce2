; Random code in real mode, which may do anything to the machine: write over the guest, mask its interrupts, reach every port. Only
; the monitor has to survive it.
%include "guest.inc"
%include "random.inc"

SIZE equ 48
RSEG  equ 0x2000

main:
  call read_seed
  mov eax, [random_state]
  mov [random_low], eax
  mov eax, fuzz
  call call_real
  ret

section .low
bits 16
fuzz:
.round:
  xor ax, ax
  mov ds, ax
  mov ax, RSEG
  mov es, ax
  call random16
  mov di, ax
  and di, 0x7fff
  mov [start_offset], di
  mov cx, SIZE / 4
.code:
  call random16
  stosd
  loop .code
  mov word [es:di], 0x0b0f
  mov dword [recover_ip], .next
  mov [recover_sp], sp
  mov dword [fault_vector], -1
  fninit
  call random16
  mov ebx, eax
  call random16
  mov ecx, eax
  call random16
  mov edx, eax
  call random16
  mov esi, eax
  call random16
  mov edi, eax
  call random16
  push word RSEG
  push word [start_offset]
  push word RSEG
  pop ds
  retf
.next:
  jmp .round

; EAX = the next number
random16:
  push edx
  mov eax, [random_low]
  mov edx, eax
  shl edx, 13
  xor eax, edx
  mov edx, eax
  shr edx, 17
  xor eax, edx
  mov edx, eax
  shl edx, 5
  xor eax, edx
  mov [random_low], eax
  pop edx
  ret
random_low: dd 0x2545f491
start_offset: dw 0
section .text
