; Single-step around SYSCALL and in 64-bit and compatibility mode. SDM Vol. 3A 17.3.1.4; Vol. 2B "SYSCALL" (IA32_FMASK).
%include "guest.inc"

; The handler shows each trap's RIP relative to trace_base, and `kernel` where it lies in ring 0.
%macro TRACE 2                    ; name, label of the first traced instruction
  SAY %1, ':'
  mov rax, %2
  mov [trace_base], rax
%endmacro

main:
  LONG_MODE
  bits 64
  GATE64 1, on_debug, SYS_INT32
  mov ecx, MSR_EFER
  rdmsr
  or eax, EFER_SCE
  wrmsr
  WRITE_MSR MSR_STAR, (0x0020 << 48) | (K64_CODE << 32)
  WRITE_MSR MSR_LSTAR, entry
  ; TF is masked on entry: ring 0 is not traced, nor is there a trap for SYSCALL itself (processors look at TF after it; operating
  ; systems rely on that)
  WRITE_MSR MSR_SFMASK, TF
  TRACE 'syscall, tf masked', .masked + ALIAS
  CASE ''
  USER64 TF | 2
.masked:
  nop
  syscall
  ENDCASE
  ; TF is kept: a trap before the first instruction of ring 0
  WRITE_MSR MSR_SFMASK, 0
  TRACE 'syscall, tf kept', .kept + ALIAS
  CASE ''
  USER64 TF | 2
.kept:
  nop
  syscall
  ENDCASE
  TRACE 'rep movsb', .rep + ALIAS
  CASE ''
  USER64 TF | 2
.rep:
  lea rsi, [rsp - 32]
  lea rdi, [rsp - 64]
  mov ecx, 3
  rep movsb
  ENDCASE
  TRACE 'compatibility mode', .compat + ALIAS
  CASE ''
  push qword U_DATA
  push qword USTACK + ALIAS
  push qword TF | 2
  push qword U32_CODE
  push qword .compat + ALIAS
  iretq
  bits 32
.compat:
  xor eax, eax
  mov eax, ecx
  jmp short .end
.end:
  ENDCASE
  PROT_MODE
  bits 32
  ret

bits 64
; Ends the trace in ring 0, or at stop_at
on_debug:
  push rax
  push rcx
  test byte [rsp + 24], 3
  jnz .user
  SAY ' kernel'
  jmp .stop
.user:
  mov rax, [rsp + 16]
  sub rax, [trace_base]
  SAY ' +', rax
  mov rax, [rsp + 16]
  cmp rax, [stop_at]
  jne .end
.stop:
  and qword [rsp + 32], ~TF
.end:
  pop rcx
  pop rax
  iretq

entry:
  mov esp, IST3_STACK
  pushfq
  pop rax
  and eax, TF
  and r11d, TF
  SAY ' entered, r11 tf=', r11, ' tf=', rax
  int 0x80

section .data
trace_base: dq 0
stop_at: dq main.end + ALIAS
section .text
