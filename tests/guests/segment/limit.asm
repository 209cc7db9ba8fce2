; Limit, type and null checks at the time of access: SDM Vol. 3A 5.3, 5.4. #GP(0), for the stack segment #SS(0).
%include "guest.inc"


T equ FREE_SEL

; SEGMENT base, limit, access, flags: describes it. TRY loads it into FS first.
%macro SEGMENT 4
  DESC T, %1, %2, %3, %4
  mov dword [selector], T
%endmacro

%macro TRY 2+
  CASE %1
  mov fs, [selector]
  AT %2
  ENDCASE
%endmacro

main:
  LINE 'limit fff'
  SEGMENT SCRATCH, 0xfff, DATA_RW, BIG
  TRY 'read fff', mov al, [fs:0xfff]
  TRY 'read 1000', mov al, [fs:0x1000]
  TRY 'word ffe', mov ax, [fs:0xffe]
  TRY 'word fff', mov ax, [fs:0xfff]
  TRY 'dword ffc', mov eax, [fs:0xffc]
  TRY 'dword ffd', mov eax, [fs:0xffd]
  TRY 'write ffd', mov [fs:0xffd], eax
  TRY 'qword ff8', fld qword [fs:0xff8]
  TRY 'qword ff9', fld qword [fs:0xff9]
  TRY 'tword ff7', fld tword [fs:0xff7]
  TRY 'negative offset', mov al, [fs:-1]
  fninit
  TRY 'lea does not look', lea eax, [fs:0x123456]
  TRY 'prefetch does not fault', prefetcht0 [fs:0x123456]
  TRY 'add', add dword [fs:0xffe], 1
  TRY 'bt within', bt dword [fs:0xffc], 31
  CASE 'bt by register'
  mov fs, [selector]
  mov eax, 32
  AT bt [fs:0xffc], eax
  ENDCASE
  CASE 'rep lodsb'
  mov fs, [selector]
  mov esi, 0xffb
  mov ecx, 8
  AT fs rep lodsb
  ENDCASE ' ecx=', [fault_ecx], ' esi=', [fault_esi]
  CASE 'rep stosd in es'
  mov eax, T
  mov es, eax
  mov edi, 0xff1
  mov ecx, 4
  AT rep stosd
  ENDCASE ' ecx=', [fault_ecx], ' edi=', [fault_edi]
  TRY 'far pointer ffb', lgs eax, [fs:0xffb]
  TRY 'sgdt ffa', sgdt [fs:0xffa]
  TRY 'sgdt ffb', sgdt [fs:0xffb]
  TRY 'fnsave', fnsave [fs:0xf95]

  LINE 'granularity'
  SEGMENT SCRATCH, 1, DATA_RW, GRAN | BIG
  TRY 'pages: 1fff', mov al, [fs:0x1fff]
  TRY 'pages: 2000', mov al, [fs:0x2000]
  SEGMENT SCRATCH, 0, DATA_RW, BIG
  TRY 'limit 0: 0', mov al, [fs:0]
  TRY 'limit 0: 1', mov al, [fs:1]

  LINE 'expand-down'
  SEGMENT SCRATCH, 0xfff, DATA_DOWN, BIG
  TRY 'down: fff', mov al, [fs:0xfff]
  TRY 'down: 1000', mov al, [fs:0x1000]
  TRY 'down: 1fffff', mov al, [fs:0x1fffff]
  TRY 'down: dword 0', mov eax, [fs:0]
  SEGMENT SCRATCH, 0xfff, DATA_DOWN, 0
  TRY 'down 16-bit: 1000', mov al, [fs:0x1000]
  TRY 'down 16-bit: ffff', mov al, [fs:0xffff]
  TRY 'down 16-bit: word ffff', mov ax, [fs:0xffff]
  TRY 'down 16-bit: 10000', mov al, [fs:0x10000]
  SEGMENT SCRATCH, 0, DATA_DOWN, GRAN | BIG
  TRY 'down pages: fff', mov al, [fs:0xfff]
  TRY 'down pages: 1000', mov al, [fs:0x1000]
  SEGMENT SCRATCH, 0xffff, DATA_DOWN, 0
  TRY 'down: nothing', mov al, [fs:0xffff]

  LINE 'types'
  SEGMENT SCRATCH, 0xfff, DATA_RO, BIG
  TRY 'read-only: read', mov al, [fs:0]
  TRY 'read-only: write', mov [fs:0], al
  TRY 'read-only: inc', inc byte [fs:0]
  TRY 'read-only: cmp', cmp byte [fs:0], 1
  SEGMENT SCRATCH, 0xfff, CODE_XR, BIG
  TRY 'code: read', mov al, [fs:0]
  TRY 'code: write', mov [fs:0], al
  TRY 'cs: read', mov al, [cs:main]
  TRY 'cs: write', mov [cs:main], al
  ; execute-only code can be read neither through CS
  DESC T, 0, 0xfffff, CODE_XO, GRAN | BIG
  CASE 'execute-only cs: read'
  jmp T:.execute_only
.execute_only:
  AT mov al, [cs:main]
  ENDCASE

  LINE 'null'
  mov dword [selector], 0
  TRY 'null: read', mov al, [fs:0]
  TRY 'null: write', mov [fs:SCRATCH], al
  mov dword [selector], 3
  TRY 'null with rpl: read', mov al, [fs:0]
  TRY 'null: lea', lea eax, [fs:0]

  LINE 'stack segment'
  ; large enough for the stack, too small for the frame
  CASE 'ss: beyond'
  DESC T, 0, 0x3ff, DATA_RW, GRAN | BIG
  mov eax, T
  mov ss, eax
  mov ebp, 0x400000
  AT mov al, [ebp]
  ENDCASE
  CASE 'ss: esp-relative'
  mov eax, T
  mov ss, eax
  AT mov al, [esp + 0x400000]
  ENDCASE
  CASE 'ds: prefix on ebp'
  mov eax, T
  mov ss, eax
  mov ebp, 0x400000
  AT mov al, [ds:ebp]
  ENDCASE
  CASE 'ss: prefix on ebx'
  mov eax, T
  mov ss, eax
  mov ebx, 0x400000
  AT mov al, [ss:ebx]
  ENDCASE
  ; the stack itself, in ring 3 (the handler has another)
  DESC T, SCRATCH, 0xfff, DATA_RW | DPL3, BIG
%macro USER_STACK 3+              ; name, esp, instruction
  CASE %1
  USER
  mov eax, T + 3
  mov ss, eax
  mov esp, %2
  AT %3
  ENDCASE ' esp=', [fault_sp]
%endmacro
  USER_STACK 'push at 0', 0, push eax
  USER_STACK 'push at 2', 2, push eax
  USER_STACK 'push at 4', 4, push eax
  USER_STACK 'push at 1001', 0x1001, push eax
  USER_STACK 'pop at 1000', 0x1000, pop eax
  USER_STACK 'pop at ffd', 0xffd, pop eax
  USER_STACK 'call at 0', 0, call $ + 5
  USER_STACK 'pusha at 10', 0x10, pushad
  USER_STACK 'enter at 8', 8, enter 16, 0
  USER_STACK 'ret at ffe', 0xffe, ret
  ; a 16-bit stack uses SP, and wraps
  DESC T, SCRATCH, 0xffff, DATA_RW | DPL3, 0
  USER_STACK 'push at 0, 16-bit', 0x12340000, push eax
  USER_STACK 'push at 2, 16-bit', 2, push eax
  USER_STACK 'pop at fffc, 16-bit', 0xfffc, pop eax

  LINE 'code limit'
  DESC T, 0, code_end - 1, CODE_XR, BIG
  mov eax, T
  CASE 'jmp within'
  jmp T:short_code
  ENDCASE
  CASE 'runs over the limit'
  FAULTS_AT code_end
  jmp T:code_end - 1
  ENDCASE
  CASE 'instruction cut off by the limit'
  FAULTS_AT cut_off
  jmp T:cut_off
  ENDCASE
  CASE 'near jmp beyond'
  FAULTS_AT short_code.jump
  mov eax, code_end
  jmp T:short_code.jump
  ENDCASE
  CASE 'conditional jump beyond'
  FAULTS_AT short_code.jcc
  cmp eax, eax
  jmp T:short_code.jcc
  ENDCASE
  CASE 'near call beyond'
  FAULTS_AT short_code.call
  jmp T:short_code.call
  ENDCASE
  CASE 'ret beyond'
  FAULTS_AT short_code.ret
  push dword code_end
  jmp T:short_code.ret
  ENDCASE
  CASE 'far jmp beyond'
  AT jmp T:code_end
  ENDCASE
  ret

section .low
bits 32
short_code:
  int 0x80
.jump:
  jmp eax
.jcc:
  je near code_end
.call:
  call code_end
.ret:
  ret
cut_off:
  db 0xb8, 1                      ; MOV EAX, imm32; the limit is after the first byte of the immediate
  nop                             ; the last byte within the limit
code_end:
  int 0x80
section .data
selector: dd 0
