; The limits of real mode: 0xffff in every segment, exceptions 12 and 13 beyond. SDM Vol. 3A 20.1.1, table 20-1.
%include "guest.inc"

main:
  mov eax, limits
  call call_real
  ret

section .low
bits 16
limits:
  CASE 'limit.byte-ffff'
  AT mov al, [0xffff]
  ENDCASE
  CASE 'limit.word-ffff'
  AT mov ax, [0xffff]
  ENDCASE
  CASE 'limit.dword-fffc'
  AT mov eax, [0xfffc]
  ENDCASE
  CASE 'limit.dword-fffd'
  AT mov eax, [0xfffd]
  ENDCASE
  CASE 'limit.32-bit-address'
  mov ebx, 0x10000
  AT mov al, [ebx]
  ENDCASE
  CASE 'limit.16-bit-address-wraps'
  mov byte [0x8004], 0x5a
  xor eax, eax
  mov bx, 0xffff
  AT mov al, [bx + 0x8005]
  ENDCASE ' al=', [fault_eax]
  CASE 'limit.stack-segment'
  mov bp, 0xffff
  AT mov ax, [bp]
  ENDCASE
  CASE 'limit.ss-override'
  AT mov ax, [ss:0xffff]
  ENDCASE
  CASE 'limit.ds-override-of-bp'
  mov bp, 0xffff
  AT mov ax, [ds:bp]
  ENDCASE
  CASE 'limit.jump'
  mov eax, 0x10000
  AT jmp eax
  ENDCASE
  CASE 'limit.rep-movsw-stops'
  mov esi, 0xfffb
  mov edi, 0x9000
  mov ecx, 4
  AT a32 rep movsw
  ENDCASE ' cx=', [fault_ecx], ' si=', [fault_esi], ' di=', [fault_edi]
  CASE 'system.cr0-pg-without-pe'
  mov eax, cr0
  or eax, CR0_PG
  AT mov cr0, eax
  ENDCASE
  ret
