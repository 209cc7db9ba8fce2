; SYSCALL and SYSRET. SDM Vol. 2B "SYSCALL", "SYSRET"; Vol. 3A 5.8.8.
%include "guest.inc"

NONCANON equ 0x800000000000

main:
  LONG_MODE
  bits 64
  CASE 'syscall without sce'
  AT syscall
  ENDCASE
  CASE 'sysret without sce'
  AT o64 sysret
  ENDCASE
  mov ecx, MSR_EFER
  rdmsr
  or eax, EFER_SCE
  wrmsr
  WRITE_MSR MSR_STAR, (0x0020 << 48) | (K64_CODE << 32) | 0x12345678
  WRITE_MSR MSR_LSTAR, entry
  WRITE_MSR MSR_CSTAR, 0
  WRITE_MSR MSR_SFMASK, 0

  ; from ring 3
  CASE 'syscall'
  mov qword [after], main.after
  USER64
  stc
  syscall
.after:
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss]
  ; SFMASK: the bits of RFLAGS that are cleared; R11 keeps them
  WRITE_MSR MSR_SFMASK, CF | DF | AC | IF | TF | NT
  CASE 'masked'
  mov qword [after], main.after_masked
  USER64
  push qword CF | AF | SF | DF | OF | NT | AC | 2
  popfq
  syscall
.after_masked:
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss]
  WRITE_MSR MSR_SFMASK, 0
  ; from ring 0, too
  CASE 'in ring 0'
  mov qword [after], main.after_ring_0
  mov rax, KSTACK
  sub rax, rsp
  mov [depth], rax
  push qword 2
  popfq
  syscall
.after_ring_0:
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss]
  ; there is no check that the descriptors exist: fixed attributes
  WRITE_MSR MSR_STAR, (0x0020 << 48) | ((GDT_SIZE + 8) << 32)
  CASE 'descriptors are not read'
  mov qword [after], main.after_no_descriptor
  USER64
  syscall
.after_no_descriptor:
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss]
  ; RPL bits of STAR[33:32] are ignored
  WRITE_MSR MSR_STAR, (0x0023 << 48) | ((K64_CODE | 3) << 32)
  CASE 'rpl in star'
  mov qword [after], main.after_rpl
  USER64
  syscall
.after_rpl:
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss]
  WRITE_MSR MSR_STAR, (0x0020 << 48) | (K64_CODE << 32)

  LINE 'sysret'
%macro SYSRET_CASE 3+             ; name, rflags, instruction
  CASE %1
  mov r11d, %2
  mov ecx, %%target + ALIAS
  %3
%%target:
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss], ' rflags=', [fault_flags]
%endmacro
  SYSRET_CASE 'to 64-bit mode', CF | 2, o64 sysret
  CASE 'to compatibility mode'
  mov r11d, CF | IF | 2
  mov ecx, .compat + ALIAS
  o32 sysret
  bits 32
.compat:
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss], ' rflags=', [fault_flags]
  SYSRET_CASE 'rf, vm are cleared', RF | VM | CF | 2, o64 sysret
  SYSRET_CASE 'reserved flags', 0x247fd7 & ~TF, o64 sysret
  CASE 'rsp is not changed'
  mov r11d, 2
  mov ecx, .rsp + ALIAS
  mov esp, 0x1234
  o64 sysret
.rsp:
  ENDCASE ' rsp=', [fault_sp]
  CASE 'non-canonical rcx'
  mov rcx, NONCANON
  AT o64 sysret
  ENDCASE ' cs=', [fault_cs]
  CASE 'upper half of rcx, compatibility mode'
  mov r11d, 2
  mov rcx, (0x1234 << 32) + .compat2 + ALIAS
  o32 sysret
  bits 32
.compat2:
  ENDCASE ' cs=', [fault_cs]
  CASE 'in ring 3'
  USER64
  AT o64 sysret
  ENDCASE
  CASE 'in compatibility mode'
  COMPAT
  AT sysret
  bits 64
  ENDCASE
  LINE 'compatibility mode'
  ; Intel: #UD outside of 64-bit mode
  CASE 'syscall'
  USER_COMPAT
  AT syscall
  ENDCASE
  LINE 'msr'
%macro WRMSR_CASE 3
  CASE %1
  mov ecx, %2
  mov rax, %3
  mov rdx, rax
  shr rdx, 32
  AT wrmsr
  ENDCASE
%endmacro
  WRMSR_CASE 'lstar non-canonical', MSR_LSTAR, NONCANON
  WRMSR_CASE 'cstar non-canonical', MSR_CSTAR, NONCANON
  WRMSR_CASE 'lstar upper half', MSR_LSTAR, 0xffff800000000000
  WRMSR_CASE 'star takes all', MSR_STAR, -1
  PROT_MODE
  bits 32
  ret

bits 64
; Where SYSCALL leads: RCX is the address after it, in ring 3 at the alias
entry:
  mov [SCRATCH], rsp
  mov esp, IST3_STACK
  pushfq
  pop rax
  and eax, ~ID
  mov rdx, rcx
  mov rsi, ALIAS
  cmp rdx, rsi
  jb .kernel
  sub rdx, rsi
.kernel:
  sub rdx, [after]
  mov edi, cs
  mov esi, ss
  mov rbp, [SCRATCH]
  SAY 'entry: rcx=+', rdx, ' r11=', r11, ' cs=', rdi, ' ss=', rsi
  mov rcx, KSTACK
  sub rcx, rbp
  cmp rcx, 0x1000
  jae .user_stack
  mov rbp, rcx
  sub rbp, [depth]
  SAY ' rsp=+', rbp
  jmp .flags
.user_stack:
  SAY ' rsp=', rbp
.flags:
  LINE ' rflags=', rax
  int 0x80
section .data
after: dq 0
depth: dq 0
section .text
bits 32
