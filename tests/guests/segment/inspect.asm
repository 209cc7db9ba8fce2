; LAR, LSL, VERR, VERW, ARPL. SDM Vol. 2A/2B; Vol. 3A 5.10.
%include "guest.inc"

T equ FREE_SEL

; INSPECT 'name', access byte, flags [, rpl]: `name: lar=... lsl=... verr=1 verw=0`, `-` where ZF is clear
%macro INSPECT 3-4 0
  DESC T, 0x12345678, 0xabcde, %2, %3
  SAY %1, ':'
  mov edi, T + %4
  call inspect
%endmacro

%macro INSPECT_SELECTOR 2
  SAY %1, ':'
  mov edi, %2
  call inspect
%endmacro

main:
  INSPECT 'data', DATA_RW, GRAN | BIG
  INSPECT 'data, byte limit', DATA_RW, BIG
  INSPECT 'data, read-only', DATA_RO, GRAN
  INSPECT 'data, available bit', DATA_RW, 1
  INSPECT 'data, absent', DATA_RW ^ ABSENT, GRAN
  INSPECT 'expand-down', DATA_DOWN, BIG
  INSPECT 'code', CODE_XR, GRAN | BIG
  INSPECT 'code, execute-only', CODE_XO, GRAN | BIG
  INSPECT 'code, conforming', CODE_CONF, GRAN | BIG
  LINE 'privilege'
  INSPECT 'data dpl 0 rpl 3', DATA_RW, GRAN | BIG, 3
  INSPECT 'data dpl 3 rpl 3', DATA_RW | DPL3, GRAN | BIG, 3
  INSPECT 'code dpl 0 rpl 3', CODE_XR, GRAN | BIG, 3
  INSPECT 'conforming dpl 0 rpl 3', CODE_CONF, GRAN | BIG, 3
  LINE 'system descriptors'
  INSPECT 'type 0', 0x80, 0
  INSPECT '16-bit tss', SYS_TSS16, 0
  INSPECT 'ldt', SYS_LDT, 0
  INSPECT 'busy 16-bit tss', SYS_TSS16B, 0
  INSPECT '16-bit call gate', SYS_CALL16, 0
  INSPECT 'task gate', SYS_TASK, 0
  INSPECT '16-bit interrupt gate', SYS_INT16, 0
  INSPECT '16-bit trap gate', SYS_TRAP16, 0
  INSPECT 'type 8', 0x88, 0
  INSPECT '32-bit tss', SYS_TSS32, 0
  INSPECT 'type 10', 0x8a, 0
  INSPECT 'busy 32-bit tss', SYS_TSS32B, 0
  INSPECT '32-bit call gate', SYS_CALL32, 0
  INSPECT '32-bit interrupt gate', SYS_INT32, 0
  LINE 'selectors'
  INSPECT_SELECTOR 'null', 0
  INSPECT_SELECTOR 'beyond the limit', GDT_SIZE
  INSPECT_SELECTOR 'no ldt', 0xc
  ; ARPL raises the RPL of its first operand to that of the second
  LINE 'arpl'
%macro ARPL 3
  mov eax, %2
  mov ecx, %3
  arpl ax, cx
  setz cl
  movzx ecx, cl
  movzx eax, ax
  LINE %1, ' ', eax, ' zf=', ecx
%endmacro
  ARPL 'raised', 0x10, 0x23
  ARPL 'equal', 0x12, 0x22
  ARPL 'higher', 0x13, 0x21
  ; the destination and ZF when LAR fails; the upper bits of a 16-bit LAR
  mov eax, 0x1111
  mov ecx, GDT_SIZE
  lar eax, ecx
  LINE 'failed lar leaves ', eax
  DESC T, 0, 0xfffff, DATA_RW, GRAN | BIG
  mov ecx, T
  mov eax, 0x11111111
  lar ax, cx
  LINE '16-bit lar ', eax
  mov eax, 0x11111111
  lsl ax, cx
  LINE '16-bit lsl ', eax
  ; from ring 3
  DESC T, 0, 0xffff, DATA_RW, 0
  DESC T + 8, 0, 0xffff, DATA_RW | DPL3, 0
  CASE 'ring 3'
  USER
  mov ecx, T
  verr cx
  setz al
  movzx ebx, al
  mov ecx, T + 8
  verw cx
  setz al
  movzx edx, al
  ENDCASE ' dpl0=', [fault_ebx], ' dpl3=', [fault_edx]
  ret

inspect:
  SAY ' lar='
  lar eax, edi
  jnz .no_lar
  and eax, ~0xf0000               ; bits 19:16 are undefined
  cmp eax, eax
.no_lar:
  call .value
  SAY ' lsl='
  lsl eax, edi
  call .value
  verr di
  setz al
  movzx eax, al
  SAY ' verr=', eax
  verw di
  setz al
  movzx eax, al
  LINE ' verw=', eax
  ret
.value:
  jnz .dash
  SAY eax
  ret
.dash:
  SAY '-'
  ret
