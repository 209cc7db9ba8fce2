; Single-step: where the trap comes, what DR6 says, what inhibits it. SDM Vol. 3A 17.3.1.4, 6.8.3; Vol. 2A "INT n", "IRET".
%include "guest.inc"

; The handler notes the saved EIP of each #DB (relative to the label given by TRACE), then returns; a trace ends with
; clearing TF in the saved EFLAGS at the address trace_end.

; TRACE 'name': starts; the code up to END_TRACE runs with TF set. The trap after POPFD itself does not come: TF takes effect
; after the next instruction.
%macro TRACE 1
  %push trace
  SAY %1, ':'
  mov dword [trace_base], %$base
  mov dword [trace_end], %$end
  push dword TF | 2
  popfd
%$base:
%endmacro

%macro END_TRACE 0
%$end:
  nop
  nop
  LINE ''
  %pop trace
%endmacro

main:
  GATE32 1, on_debug, SYS_INT32
  GATE32 0x40, on_int, SYS_INT32 | DPL3
  GATE32 6, on_ud, SYS_INT32
  xor eax, eax
  mov dr6, eax
  ; a trap after each instruction; its EIP is that of the next one
  TRACE 'nops'
  nop
  nop
  nop
  END_TRACE
  TRACE 'jump'
  jmp short .over
  nop
  nop
.over:
  nop
  END_TRACE
  TRACE 'call, ret'
  call .called
  jmp short .called_end
.called:
  ret
  nop
.called_end:
  END_TRACE
  ; each iteration of a repeated string instruction traps, EIP still points to it
  TRACE 'rep movsb'
  mov esi, SCRATCH
  mov edi, SCRATCH + 16
  mov ecx, 3
  rep movsb
  END_TRACE
  TRACE 'rep of none'
  xor ecx, ecx
  rep movsb
  END_TRACE
  TRACE 'repe cmpsb, unequal'
  mov esi, .one
  mov edi, .two
  mov ecx, 3
  repe cmpsb
  END_TRACE
  ; INT clears TF: the handler is not traced, there is no trap after INT; after IRET the next instruction runs, then it traps
  TRACE 'int'
  nop
  int 0x40
  nop
  END_TRACE
  ; a fault is no trap; the handler skips the instruction
  TRACE 'fault'
  nop
  ud2
  nop
  END_TRACE
  ; MOV SS and POP SS hold the trap back for one instruction
  TRACE 'mov ss'
  mov eax, ss
  mov ss, eax
  nop
  nop
  END_TRACE
  TRACE 'pop ss'
  push ss
  pop ss
  nop
  END_TRACE
  TRACE 'mov ds'
  mov eax, ds
  mov ds, eax
  END_TRACE
  ; STI holds interrupts back, not traps
  TRACE 'sti'
  sti
  cli
  END_TRACE
  ; TF was set when POPF began: it traps, with TF = 0 in the image
  TRACE 'popf clears tf'
  push byte 2
  popfd
  END_TRACE
  TRACE 'pushf'
  pushfd
  pop dword [main.image]
  END_TRACE
  mov eax, [.image]
  and eax, TF
  LINE 'pushf shows tf=', eax
  ; IRET that sets TF
  SAY 'iret:'
  mov dword [trace_base], .iret
  mov dword [trace_end], .iret + 2
  push dword TF | 2
  push dword K32_CODE
  push dword .iret
  iretd
.iret:
  nop
  nop
  nop
  LINE ''
  ; in ring 3
  SAY 'ring 3:' 
  CASE ''
  mov dword [trace_base], .user
  mov dword [trace_end], .user + 3
  mov eax, U_DATA                 ; which ring 3 may keep
  mov ds, eax
  push dword U_DATA
  push dword USTACK
  push dword TF | 2
  push dword U32_CODE
  push dword .user
  iretd
.user:
  nop
  mov eax, ecx
  nop
  ENDCASE
  ret
.image: dd 0
.one: db 1, 2, 3
.two: db 2, 2, 3

on_debug:
  push eax
  push edx
  mov eax, [esp + 8]
  sub eax, [trace_base]
  SAY ' +', eax
  mov edx, [esp + 8]
  cmp edx, [trace_end]
  jne .more
  mov eax, dr6
  and eax, 0xf00f
  mov edx, [esp + 16]
  and edx, TF
  SAY ' dr6=', eax, ' tf=', edx
  and dword [esp + 16], ~TF
  xor eax, eax
  mov dr6, eax
.more:
  pop edx
  pop eax
  iretd

on_int:
  SAY ' (int)'
  iretd

on_ud:
  SAY ' (ud)'
  add dword [esp], 2
  iretd

section .data
trace_base: dd 0
trace_end: dd 0
section .text
