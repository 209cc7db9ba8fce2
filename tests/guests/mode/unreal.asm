; "Unreal" mode: the hidden parts of the segment registers keep limit and attributes across the switch to real mode; a load in
; real mode changes selector and base alone. SDM Vol. 3A 3.4.3, 9.9.2 (and 20.1.1 for the loads).
%include "guest.inc"

main:
  mov dword [SCRATCH], 0x12345678
  mov eax, unreal
  call call_real
  ret

section .low
bits 16
unreal:
  ; real → protected with flat 4 GB data segments → real
  cli
  mov eax, cr0
  or al, CR0_PE
  mov cr0, eax
  mov bx, K_DATA
  mov ds, bx
  mov es, bx
  mov fs, bx
  and al, ~CR0_PE & 0xff
  mov cr0, eax
  ; the selectors still read as loaded in protected mode
  mov ax, fs
  movzx ecx, ax
  xor ax, ax
  mov ds, ax
  mov es, ax
  LINE 'unreal.selector ', ecx
  CASE 'unreal.read-above-1mb'
  mov ebx, SCRATCH
  AT mov eax, [ebx]
  ENDCASE ' value=', [fault_eax]
  CASE 'unreal.write'
  mov ebx, SCRATCH
  AT mov word [ebx + 2], 0
  shr dword [ebx], 0
  mov dword [ebx], 0x2345
  mov eax, [ebx]
  ENDCASE ' value=', [fault_eax]
  CASE 'unreal.reload-sets-base'
  mov ax, 0x1000
  mov fs, ax                      ; base 0x10000, limit still 4 GB
  mov ebx, SCRATCH - 0x10000
  AT mov eax, [fs:ebx]
  ENDCASE ' value=', [fault_eax]
  CASE 'unreal.string'
  mov edi, SCRATCH
  mov al, 0xa5
  mov ecx, 8
  AT a32 rep stosb
  mov eax, [es:dword SCRATCH + 4]
  ENDCASE ' value=', [fault_eax]
  CASE 'unreal.pop-sets-base-only'
  push word 0x2000
  pop gs
  push word 0x2000
  pop fs
  mov ebx, SCRATCH - 0x20000
  AT mov eax, [fs:ebx]
  ENDCASE ' value=', [fault_eax]
  CASE 'unreal.code-is-16-bit'
  xor eax, eax
  AT db 0xb8, 0x78, 0x56          ; MOV AX, 0x5678 where the default operand size is 16
  ENDCASE ' ax=', [fault_eax]
  ; back to the limits of real mode for the rest
  mov eax, cr0
  or al, CR0_PE
  mov cr0, eax
  mov bx, K16_DATA
  mov ds, bx
  mov es, bx
  mov fs, bx
  mov gs, bx
  and al, ~CR0_PE & 0xff
  mov cr0, eax
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov gs, ax
  LINE 'unreal.left ok'
  ret
