; SYSENTER and SYSEXIT in 32-bit, compatibility and 64-bit mode. SDM Vol. 2B "SYSENTER", "SYSEXIT"; Vol. 3A 5.8.7.
%include "guest.inc"

S equ FREE_SEL

main:
  LINE 'protected mode'
  CASE 'sysenter, cs 0'
  AT sysenter
  ENDCASE
  CASE 'sysexit, cs 0'
  AT sysexit
  ENDCASE
  WRITE_MSR MSR_SYSENTER_CS, S
  WRITE_MSR MSR_SYSENTER_ESP, RING1_STACK
  WRITE_MSR MSR_SYSENTER_EIP, .entry
  CASE 'sysenter'
  USER IOPL3 | 2
  sti
  stc
  sysenter
.entry:
  ; IF and VM are cleared, the others stay
  pushfd
  pop eax
  and eax, IF | CF | VM
  push eax
  push eax
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss], ' esp=', [fault_sp], ' flags=', [fault_eax]
  CASE 'sysexit'
  mov edx, .exit
  mov ecx, USTACK
  sysexit
.exit:
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss], ' esp=', [fault_sp]
  CASE 'sysexit in ring 3'
  USER
  AT sysexit
  ENDCASE
  ; the RPL of the MSR is ignored
  WRITE_MSR MSR_SYSENTER_CS, S | 3
  WRITE_MSR MSR_SYSENTER_EIP, .entry3
  CASE 'rpl in the msr'
  USER
  sysenter
.entry3:
  ENDCASE ' cs=', [fault_cs]
  WRITE_MSR MSR_SYSENTER_CS, 3
  CASE 'null with rpl'
  AT sysenter
  ENDCASE
  WRITE_MSR MSR_SYSENTER_CS, S

  LONG_MODE
  bits 64
  LINE 'long mode'
  WRITE_MSR MSR_SYSENTER_ESP, IST3_STACK
  WRITE_MSR MSR_SYSENTER_EIP, .entry64
  CASE 'sysenter from compatibility mode'
  USER_COMPAT
  sysenter
  bits 64
.entry64:
  xor eax, eax
  xor ebx, ebx
  db 0x40                         ; INC EAX outside of 64-bit mode
  nop
  test eax, eax
  mov ecx, 0x40
  cmovz ebx, ecx
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss], ' rsp=', [fault_sp], ' bits=', [fault_rbx]
  WRITE_MSR MSR_SYSENTER_EIP, .entry64_2
  CASE 'sysenter from 64-bit mode'
  USER64
  sysenter
.entry64_2:
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss], ' rsp=', [fault_sp]
  CASE 'sysexit to compatibility mode'
  mov edx, .exit32 + ALIAS
  mov ecx, USTACK + ALIAS
  sysexit
  bits 32
.exit32:
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss], ' rsp=', [fault_sp]
  CASE 'sysexit to 64-bit mode'
  mov edx, .exit64 + ALIAS
  mov rcx, 0x123450000
  o64 sysexit
.exit64:
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss], ' rsp=', [fault_sp]
  CASE 'sysexit, non-canonical rdx'
  mov rdx, 0x800000000000
  mov ecx, USTACK
  AT o64 sysexit
  ENDCASE ' cs=', [fault_cs]
  CASE 'sysexit, non-canonical rcx'
  mov edx, .exit64 + ALIAS
  mov rcx, 0x800000000000
  AT o64 sysexit
  ENDCASE ' cs=', [fault_cs]
  CASE 'eip msr non-canonical'
  mov ecx, MSR_SYSENTER_EIP
  xor eax, eax
  mov edx, 0x8000
  AT wrmsr
  ENDCASE
  CASE 'esp msr non-canonical'
  mov ecx, MSR_SYSENTER_ESP
  xor eax, eax
  mov edx, 0x8000
  AT wrmsr
  ENDCASE
  PROT_MODE
  bits 32
  ret
