; The A20 gate: bit 1 of port 92. With A20 masked, 1 MB wraps to 0. SDM Vol. 3A 20.1.1 (real mode), 8.7.13.4.
; Chipsets OR it with the keyboard controller's gate (ICH9 datasheet, 13.7.3), which is shut first.
%include "guest.inc"

; FFFF:FFF0 is linear 0x10ffe0; without A20 it is 0x0ffe0
main:
  mov eax, in_real
  call call_real
  ret

section .low
bits 16
in_real:
  mov ax, 0xffff
  mov fs, ax
  in al, 0x92
  or al, 2
  and al, 0xfe                    ; bit 0 would reset the machine
  out 0x92, al
  mov word [fs:0xfff0], 0x2222
  mov word [0xffe0], 0x1111
  call read
  LINE 'a20 on: high=', eax, ' low=', ebx
  call wait_keyboard
  mov al, 0xd1                    ; the next byte is for the output port
  out 0x64, al
  call wait_keyboard
  mov al, 0xdd                    ; all but A20
  out 0x60, al
  call wait_keyboard
  in al, 0x92
  and al, 0xfc
  out 0x92, al
  in al, 0x92
  and eax, 2
  LINE 'port 92, a20 off: ', eax
  call read
  LINE 'a20 off: high=', eax, ' low=', ebx
  mov word [fs:0xfff0], 0x3333
  call read
  LINE 'written while off: low=', ebx
  ; code is fetched through the wrap, too: MOV AL, 42; RETF at 0ffe4
  mov dword [0xffe4], 0xcb42b0
  xor eax, eax
  call 0xffff:0xfff4
  LINE 'code through the wrap: ', eax
  in al, 0x92
  or al, 2
  and al, 0xfe
  out 0x92, al
  call read
  LINE 'a20 on again: high=', eax, ' low=', ebx
  ret
read:
  movzx eax, word [fs:0xfff0]
  movzx ebx, word [0xffe0]
  ret
wait_keyboard:
  in al, 0x64
  test al, 2
  jnz wait_keyboard
  ret
section .text
