; Call gates: privilege, stack switch, parameters, error codes, return. SDM Vol. 3A 5.8.3 to 5.8.6, Vol. 2A "CALL", "JMP".
%include "guest.inc"

G equ FREE_SEL                    ; the gate
T equ FREE_SEL + 8                ; a code or stack segment under test
R1_CODE equ FREE_SEL + 16         ; ring 1
R1_DATA equ FREE_SEL + 24

; GATE selector, offset, type and DPL, parameters: the gate G
%macro GATE 4
  push eax
  mov eax, %2
  mov [gdt + G], ax
  mov word [gdt + G + 2], %1
  mov byte [gdt + G + 4], %4
  mov byte [gdt + G + 5], %3
  shr eax, 16
  mov [gdt + G + 6], ax
  pop eax
%endmacro

; THROUGH 'name': CALL and JMP through G in ring 0, then in ring 3
%macro THROUGH 1
  SAY %1, ':'
  PROBE 'call'
  AT call G:0
  ENDPROBE
  PROBE 'jmp'
  AT jmp G:0
  ENDPROBE
  PROBE 'user-call'
  USER
  AT call G + 3:0
  ENDPROBE
  PROBE 'user-jmp'
  USER
  AT jmp G + 3:0
  ENDPROBE
  SAY `\n`
%endmacro

main:
  DESC R1_CODE, 0, 0xfffff, CODE_XR | DPL1, GRAN | BIG
  DESC R1_DATA, 0, 0xfffff, DATA_RW | DPL1, GRAN | BIG
  mov dword [tss + 12], RING1_STACK
  mov dword [tss + 16], R1_DATA | 1
  LINE 'gate'
  GATE K32_CODE, done, SYS_CALL32 | DPL3, 0
  THROUGH 'dpl 3, to ring 0'
  GATE K32_CODE, done, SYS_CALL32, 0
  THROUGH 'dpl 0'
  GATE K32_CODE, done, (SYS_CALL32 | DPL3) ^ ABSENT, 0
  THROUGH 'absent'
  GATE K32_CODE, done, SYS_CALL32 ^ ABSENT, 0
  THROUGH 'absent dpl 0'
  GATE K32_CODE, done, SYS_CALL32 | DPL1, 0
  CASE 'rpl above the gate'
  AT call G + 3:0
  ENDCASE
  LINE 'target'
  GATE 0, done, SYS_CALL32 | DPL3, 0
  THROUGH 'null'
  GATE K_DATA, done, SYS_CALL32 | DPL3, 0
  THROUGH 'data'
  GATE GDT_SIZE, done, SYS_CALL32 | DPL3, 0
  THROUGH 'beyond the limit'
  DESC T, 0, 0xfffff, CODE_XR ^ ABSENT, GRAN | BIG
  GATE T, done, SYS_CALL32 | DPL3, 0
  THROUGH 'absent'
  GATE U32_CODE, done, SYS_CALL32 | DPL3, 0
  THROUGH 'dpl 3'
  DESC T, 0, 0xfffff, CODE_CONF, GRAN | BIG
  GATE T, done, SYS_CALL32 | DPL3, 0
  THROUGH 'conforming dpl 0'
  GATE TSS_SEL, done, SYS_CALL32 | DPL3, 0
  THROUGH 'tss'
  GATE K32_CODE | 3, done, SYS_CALL32 | DPL3, 0
  CASE 'rpl of the target is ignored'
  USER
  AT call G + 3:0
  ENDCASE ' cs=', [fault_cs]

  LINE 'stack switch'
  GATE K32_CODE, show_frame, SYS_CALL32 | DPL3, 2
  CASE 'two parameters'
  USER
  push dword 0x111
  push dword 0x222
  mov ebx, .return
  call G + 3:0x12345678           ; the offset is not used
.return:
  ENDCASE ' esp=', [fault_sp], ' cs=', [fault_cs]
  GATE K32_CODE, show_frame, SYS_CALL32 | DPL3, 31
  CASE '31 parameters'
  USER
  mov ecx, 31
  xor eax, eax
.fill:
  inc eax
  push eax
  loop .fill
  mov ebx, .return31
  call G + 3:0
.return31:
  ENDCASE ' esp=', [fault_sp], ' cs=', [fault_cs]
  ; the parameters are read with the old stack's rights
  GATE R1_CODE, .ring1, SYS_CALL32 | DPL3, 0
  CASE 'to ring 1'
  USER
  call G + 3:0
.ring1:
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss], ' esp=', [fault_sp]
  ; same privilege: no switch, no parameters
  GATE K32_CODE, .same, SYS_CALL32 | DPL3, 5
  mov ebx, esp
  call G:0
  jmp .after_same
.same:
  mov eax, ebx
  sub eax, esp
  mov ecx, [esp + 4]
  LINE 'same privilege pushes ', eax, ' cs=', ecx
  retf
.after_same:
  ; a 16-bit gate pushes 16 bits and clears the upper half of EIP
  GATE K32_CODE, low16, SYS_CALL16 | DPL3, 1
  CASE '16-bit gate'
  USER
  mov esp, 0xfffe + 2
  push word 0x4321
  mov ebx, .return16
  mov edx, .return16
  call G + 3:0
.return16:
  ENDCASE

  LINE 'stack of ring 0'
  GATE K32_CODE, done, SYS_CALL32 | DPL3, 0
  GATE R1_CODE, .ring1_only, SYS_CALL32 | DPL3, 0
%macro STACK 2                    ; name, SS1
  mov dword [tss + 16], %2
  CASE %1
  USER
  AT call G + 3:0
  ENDCASE
%endmacro
  STACK 'null', 0
  STACK 'rpl 0', R1_DATA
  STACK 'dpl 0', K_DATA | 1
  STACK 'code', R1_CODE | 1
  STACK 'beyond the limit', GDT_SIZE | 1
  DESC T, 0, 0xfffff, DATA_RO | DPL1, GRAN | BIG
  STACK 'read-only', T | 1
  DESC T, 0, 0xfffff, (DATA_RW | DPL1) ^ ABSENT, GRAN | BIG
  STACK 'absent', T | 1
  mov dword [tss + 16], R1_DATA | 1
  ret
.ring1_only:
  int 0x80

done:
  int 0x80

; Ring 0, entered through a gate from ring 3; EBX = the address after the call
show_frame:
  mov edx, esp
  mov eax, RING0_STACK
  sub eax, edx
  mov ecx, cs
  mov esi, ss
  SAY 'frame: cs=', ecx, ' ss=', esi, ' used=', eax
  mov eax, [edx]
  sub eax, ebx
  mov ecx, [edx + 4]
  SAY ' eip=+', eax, ' cs=', ecx, ' parameters ', [edx + 8], ' ', [edx + 12]
  movzx ecx, byte [gdt + G + 4]
  lea esi, [edx + 8 + ecx * 4]
  LINE ' esp=', [esi], ' ss=', [esi + 4]
  cmp ecx, 2
  je .two
  retf 31 * 4
.two:
  retf 8

section .low
bits 32
low16:
  mov edx, esp
  mov eax, RING0_STACK
  sub eax, edx
  SAY '16-bit frame: used=', eax
  movzx eax, word [edx]
  sub ax, bx
  movzx eax, ax
  movzx ecx, word [edx + 2]
  SAY ' ip=+', eax, ' cs=', ecx
  movzx eax, word [edx + 4]
  movzx ecx, word [edx + 6]
  movzx esi, word [edx + 8]
  LINE ' parameter ', eax, ' sp=', ecx, ' ss=', esi
  int 0x80                        ; ends the case here: a 16-bit return cannot reach the code above 64 KB
section .text
