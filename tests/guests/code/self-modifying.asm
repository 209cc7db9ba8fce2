; Code that changes code: the next instruction, later ones, other pages, through another linear address, by the processor's own
; writes, by string instructions; the same bytes in 16- and 32-bit mode. SDM Vol. 3A 11.6, 8.1.3.
%define UALIAS ALIAS
%include "guest.inc"
%include "paging32.inc"

CODE equ TESTLIN                  ; two linear pages for one physical page, then a second page
CODE2 equ TESTLIN + 0x1000
NEXT equ TESTLIN + 0x2000
ALL  equ P_P | P_W | P_U

; COPY address, label: the routine label..label_end
%macro COPY 2
  mov esi, %2
  mov edi, %1
  mov ecx, %2 %+ .end - %2
  rep movsb
%endmacro

main:
  call build_two_level
  mov dword [TEST_PT], TESTPAGES + ALL
  mov dword [TEST_PT + 4], TESTPAGES + ALL
  mov dword [TEST_PT + 8], (TESTPAGES + 0x1000) + ALL
  mov dword [TEST_PT + 12], (TESTPAGES + 0x2000) + ALL

  ; the very next instruction
  mov byte [.next + 1], 1
  call .self
  LINE 'next instruction ', eax
  jmp .loop_test
.self:
  mov byte [.next + 1], 0x22
.next:
  mov eax, 1
  ret

  ; an immediate counts up in a loop, many times
.loop_test:
  xor ebx, ebx
  mov dword [.counter + 1], 0
  mov ecx, 1000
.loop:
.counter:
  mov eax, 0
  add ebx, eax
  inc dword [.counter + 1]
  loop .loop
  LINE 'sum of immediates ', ebx

  ; a routine elsewhere, rewritten between calls
  COPY CODE, return_1
  mov edx, CODE
  call edx
  mov ebx, eax
  COPY CODE, return_2
  call edx
  LINE 'rewritten routine ', ebx, ' ', eax
  ; through another linear address of the same physical page
  COPY CODE2, return_1
  call edx
  mov ebx, eax
  COPY CODE2, return_2
  call edx
  LINE 'through another address ', ebx, ' ', eax
  ; through the identical mapping
  mov byte [TESTPAGES + 1], 7
  call edx
  LINE 'through the physical address ', eax
  ; one byte at a time, hot
  xor ebx, ebx
  mov ecx, 200
.hot:
  mov [CODE + 1], cl
  call edx
  add ebx, eax
  loop .hot
  LINE 'patched 200 times ', ebx

  ; an instruction across two pages: each half patched
  mov byte [NEXT + 0xffe], 0xb8   ; MOV EAX, imm32
  mov dword [NEXT + 0xfff], 0x11111111
  mov byte [NEXT + 0x1003], 0xc3
  mov edx, NEXT + 0xffe
  call edx
  mov ebx, eax
  mov byte [NEXT + 0x1002], 0x22
  call edx
  mov esi, eax
  mov byte [NEXT + 0xfff], 0x33
  call edx
  LINE 'across two pages ', ebx, ' ', esi, ' ', eax
  ; falls through into a page that changed
  mov byte [NEXT + 0xfff], 0x90   ; NOP at the end of one page
  mov dword [NEXT + 0x1000], 0xc301b0 ; MOV AL, 1; RET
  mov edx, NEXT + 0xfff
  call edx
  mov ebx, eax
  mov byte [NEXT + 0x1001], 2
  call edx
  movzx eax, al
  movzx ebx, bl
  LINE 'falls into a changed page ', ebx, ' ', eax
  ; the page is replaced in the page table
  COPY TESTPAGES, return_1
  COPY TESTPAGES + 0x5000, return_2
  mov edx, CODE
  call edx
  mov ebx, eax
  mov dword [TEST_PT], (TESTPAGES + 0x5000) + ALL
  invlpg [CODE]
  call edx
  LINE 'page replaced ', ebx, ' ', eax
  mov dword [TEST_PT], TESTPAGES + ALL
  invlpg [CODE]
  call edx
  LINE 'page replaced again ', eax

  ; written by other means: string instruction, push, locked instruction, SSE, x87, the processor's own push of a frame
  mov edx, CODE
  mov edi, CODE + 1
  mov al, 0x41
  stosb
  call edx
  LINE 'stosb ', eax
  mov ebx, esp
  mov esp, CODE + 5
  push dword 0x42
  mov esp, ebx
  call edx
  LINE 'push ', eax
  lock inc byte [CODE + 1]
  call edx
  LINE 'lock inc ', eax
  mov eax, CR4_OSFXSR
  mov cr4, eax
  mov dword [SCRATCH], 0x44
  movss xmm0, [SCRATCH]
  movss [CODE + 1], xmm0
  call edx
  LINE 'movss ', eax
  fninit
  mov dword [SCRATCH], 0x45
  fild dword [SCRATCH]
  fistp dword [CODE + 1]
  call edx
  LINE 'fistp ', eax
  mov al, 0x45
  mov cl, 0x46
  cmpxchg [CODE + 1], cl
  call edx
  LINE 'cmpxchg ', eax
  ; writes next to code in the same page do no harm
  COPY CODE, return_1
  xor ebx, ebx
  mov ecx, 100
.beside:
  mov [CODE + 0x800], ecx
  call edx
  add ebx, eax
  loop .beside
  LINE 'data beside code ', ebx
  mov eax, cr0
  and eax, ~CR0_PG
  mov cr0, eax
  xor eax, eax
  mov cr4, eax

  ; the same bytes in 16-bit and in 32-bit code
  call both_sizes
  LINE '32-bit ', eax
  mov eax, run_16
  call call_real
  call both_sizes
  LINE '32-bit ', eax
  mov eax, run_16
  call call_real
  ret

return_1:
  mov eax, 1
  ret
.end:
return_2:
  mov eax, 2
  ret
.end:

section .low
bits 32
both_sizes:
  db 0xb8, 0x78, 0x56             ; 16-bit: MOV AX, 5678. 32-bit: MOV EAX, imm32 with the next two bytes
  db 0x12, 0x34                   ; 16-bit: ADC DH, [SI]
  ret
bits 16
run_16:
  mov si, 0x9000
  xor eax, eax
  call both_sizes
  LINE '16-bit ', eax
  ret
section .text
