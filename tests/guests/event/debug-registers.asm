; Debug registers: instruction, data and I/O breakpoints, general detect, RF. SDM Vol. 3A 17.2, 17.3.1.
%include "guest.inc"

W    equ SCRATCH + 0x100          ; the watched place
L0   equ 1
G0   equ 2
GD   equ 1 << 13
EXEC equ 0
WR   equ 1 << 16
IO   equ 2 << 16
RW   equ 3 << 16
LEN1 equ 0
LEN2 equ 1 << 18
LEN4 equ 3 << 18

; BREAK address, DR7: sets breakpoint 0; DR6 is cleared
%macro BREAK 2
  mov eax, %1
  mov dr0, eax
  xor eax, eax
  mov dr6, eax
  mov eax, %2
  mov dr7, eax
%endmacro

; Prints DR6's B0 to B3, BD, BS, BT with the case
%macro ENDBREAK 0
  ENDCASE
  mov eax, dr6
  and eax, 0xe00f
  LINE '  dr6=', eax
  xor eax, eax
  mov dr7, eax
%endmacro

; DATA 'name', DR7 type and length, instruction: with the breakpoint at W
%macro DATA 3+
  CASE %1
  BREAK W, G0 | %2
  mov ebx, W
  AT %3
  ENDBREAK
%endmacro

main:
  mov dword [show_flags], RF
  LINE 'instruction'
  CASE 'executed'
  BREAK .here, G0
.here:
  AT nop
  ENDBREAK
  CASE 'local enable'
  BREAK .here2, L0
.here2:
  AT nop
  ENDBREAK
  CASE 'not enabled'
  BREAK .here3, 0
.here3:
  AT nop
  ENDBREAK
  CASE 'not at the first byte'
  BREAK .here4 + 1, G0
.here4:
  AT db 0x66, 0x90
  ENDBREAK
  CASE 'at a prefix'
  BREAK .here5, G0
.here5:
  AT db 0x66, 0x90
  ENDBREAK
  CASE 'before a fault of the instruction'
  BREAK .here6, G0
.here6:
  AT ud2
  ENDBREAK
  CASE 'in ring 3'
  BREAK .here7, G0
  USER
  nop
.here7:
  AT nop
  ENDBREAK
  ; IRET with RF: the instruction runs once without its breakpoint, RF is cleared after it
  CASE 'rf'
  xor ecx, ecx
  BREAK .here8, G0
  push dword RF | 2
  push dword K32_CODE
  push dword .here8
  iretd
.here8:
  AT inc ecx
  jmp .here8
  ENDBREAK
  LINE '  count=', [fault_ecx]
  ; POPF does not set RF
  CASE 'popf with rf'
  BREAK .here9, G0
  push dword RF | 2
  popfd
.here9:
  AT nop
  ENDBREAK
  ; not after MOV SS
  CASE 'after mov ss'
  BREAK .here10, G0
  mov eax, ss
  mov ss, eax
.here10:
  AT nop
  ENDBREAK
  CASE 'fault, rf in the image'
  AT ud2
  ENDCASE
  CASE 'trap, rf in the image'
  AT int3
  ENDCASE

  LINE 'data, one byte'
  DATA 'write: written', WR | LEN1, mov [ebx], al
  DATA 'write: read', WR | LEN1, mov al, [ebx]
  DATA 'write: next byte', WR | LEN1, mov [ebx + 1], al
  DATA 'write: dword over it', WR | LEN1, mov [ebx - 3], eax
  DATA 'write: dword before it', WR | LEN1, mov [ebx - 4], eax
  DATA 'write: add', WR | LEN1, add [ebx], al
  DATA 'write: cmp', WR | LEN1, cmp [ebx], al
  DATA 'read or write: read', RW | LEN1, mov al, [ebx]
  DATA 'read or write: written', RW | LEN1, mov [ebx], al
  DATA 'read or write: lea', RW | LEN1, lea eax, [ebx]
  LINE 'data, lengths'
  DATA '2: second byte', WR | LEN2, mov [ebx + 1], al
  DATA '2: third byte', WR | LEN2, mov [ebx + 2], al
  DATA '4: fourth byte', WR | LEN4, mov [ebx + 3], al
  DATA '4: fifth byte', WR | LEN4, mov [ebx + 4], al
  CASE '4: the low address bits are ignored'
  BREAK W + 3, G0 | WR | LEN4
  mov ebx, W
  AT mov [ebx], al
  ENDBREAK
  LINE 'data, instructions'
  CASE 'push'
  BREAK USTACK - 8, G0 | WR | LEN4
  USER
  push eax
  AT push eax
  ENDBREAK
  CASE 'rep stosb, second iteration'
  BREAK W, G0 | WR | LEN1
  mov edi, W - 1
  mov ecx, 4
  AT rep stosb
  ENDBREAK
  LINE '  ecx=', [fault_ecx], ' edi=', [fault_edi]
  CASE 'rep stosb, last iteration'
  BREAK W, G0 | WR | LEN1
  mov edi, W - 1
  mov ecx, 2
  AT rep stosb
  ENDBREAK
  CASE 'mov ss holds it back'
  BREAK W, G0 | RW | LEN1
  mov ebx, W
  mov word [ebx + 8], K_DATA
  mov ecx, W + 8
  mov dr0, ecx
  AT mov ss, [ecx]
  nop
  nop
  ENDBREAK
  LINE 'general detect'
  CASE 'mov from dr'
  BREAK 0, GD
  AT mov eax, dr0
  ENDBREAK
  CASE 'mov to dr'
  BREAK 0, GD
  AT mov dr3, eax
  ENDBREAK
  CASE 'gd is cleared by the exception'
  BREAK 0, GD
  AT mov eax, dr0
  ENDCASE
  mov eax, dr7
  LINE '  dr7=', eax

  LINE 'i/o'
  mov eax, CR4_DE
  mov cr4, eax
%macro PORT 3+
  CASE %1
  BREAK 0x80, G0 | IO | %2
  mov edx, 0x80
  AT %3
  ENDBREAK
%endmacro
  PORT 'out', LEN1, out 0x80, al
  PORT 'in', LEN1, in al, dx
  PORT 'next port', LEN1, out 0x81, al
  PORT 'second port of two', LEN2, out 0x81, al
  CASE 'memory with the number of the port'
  BREAK SCRATCH, G0 | IO | LEN1
  AT mov [SCRATCH], al
  ENDBREAK
  xor eax, eax
  mov cr4, eax

  LINE 'several'
  CASE 'two at once'
  BREAK W, 0
  mov ecx, W
  mov dr3, ecx
  mov eax, G0 | (G0 << 6) | WR | (WR << 12) | LEN4
  mov dr7, eax
  mov ebx, W
  AT mov [ebx], al
  ENDBREAK
  CASE 'with single-step'
  BREAK W, G0 | WR | LEN1
  mov ebx, W
  push dword TF | 2
  popfd
  AT mov [ebx], al
  ENDBREAK
  CASE 'dr6 is not cleared'
  BREAK W, G0 | WR | LEN1
  mov eax, 0x4000
  mov dr6, eax
  mov ebx, W
  AT mov [ebx], al
  ENDBREAK
  ; DR4 and DR5 are DR6 and DR7 without CR4.DE
  mov ecx, 0x4000
  mov dr6, ecx
  db 0x0f, 0x21, 0xe0             ; MOV EAX, DR4
  LINE 'dr4 ', eax
  db 0x0f, 0x21, 0xe8             ; MOV EAX, DR5
  LINE 'dr5 ', eax
  CASE 'dr4 with de'
  mov eax, CR4_DE
  mov cr4, eax
  AT db 0x0f, 0x21, 0xe0
  ENDCASE
  xor eax, eax
  mov cr4, eax
  ret
