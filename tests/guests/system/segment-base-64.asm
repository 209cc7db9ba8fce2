; FS and GS bases: SWAPGS, RDFSBASE and relatives, the MSRs, segment loads. SDM Vol. 3A 3.4.4, Vol. 2B.
%include "guest.inc"

NONCANON equ 0x800000000000
T equ FREE_SEL

main:
  NEEDS 7, 0, ebx, 0, 'fsgsbase'
  LONG_MODE
  bits 64
  LINE 'swapgs'
  WRITE_MSR MSR_GSBASE, 0x1111
  WRITE_MSR MSR_KGSBASE, 0xffff800000002222
  swapgs
  call show
  swapgs
  call show
  CASE 'ring 3'
  USER64
  AT swapgs
  ENDCASE
  CASE 'compatibility mode'
  COMPAT
  AT db 0x0f, 0x01, 0xf8
  bits 64
  ENDCASE

  LINE 'fsgsbase'
  CASE 'without cr4.fsgsbase'
  AT rdfsbase rax
  ENDCASE
  mov rax, cr4
  or eax, CR4_FSGS
  mov cr4, rax
  CASE 'wrfsbase, rdfsbase'
  mov rbx, 0xffff800012345678
  wrfsbase rbx
  rdfsbase rax
  ENDCASE ' rax=', [fault_rax]
  CASE '32-bit forms'
  mov rbx, 0xffff800012345678
  wrgsbase rbx
  mov rax, -1
  rdgsbase eax
  mov rbx, 0x123456789abcdef0
  wrgsbase ebx
  rdgsbase rcx
  ENDCASE ' rax=', [fault_rax], ' rcx=', [fault_rcx]
  CASE 'ring 3 may'
  mov ebx, SCRATCH + ALIAS
  USER64
  wrfsbase rbx
  mov byte [fs:0], 1
  rdfsbase rax
  ENDCASE ' rax=', [fault_rax]
  CASE 'wrfsbase non-canonical'
  mov rbx, NONCANON
  AT wrfsbase rbx
  ENDCASE
  CASE 'memory operand'
  AT db 0xf3, 0x0f, 0xae, 0x00
  nop
  ENDCASE
  CASE 'compatibility mode'
  COMPAT
  AT db 0xf3, 0x0f, 0xae, 0xc0
  bits 64
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
  WRMSR_CASE 'fs non-canonical', MSR_FSBASE, NONCANON
  WRMSR_CASE 'gs non-canonical', MSR_GSBASE, NONCANON
  WRMSR_CASE 'kernel gs non-canonical', MSR_KGSBASE, NONCANON
  WRMSR_CASE 'fs upper half', MSR_FSBASE, 0xffff800000000000

  LINE 'segment loads'
  DESC64 T, 0x89abcdef, 0xffff, DATA_RW
  mov eax, T
  mov fs, eax
  mov gs, eax
  call show_both
  ; a descriptor sets all of the base: the upper half becomes 0
  mov rbx, 0xffff800000000000
  wrfsbase rbx
  mov eax, T
  mov fs, eax
  call show_both
  ; a change of the base leaves the selector
  mov ebx, 0x77
  wrfsbase rbx
  mov ecx, fs
  LINE 'selector ', rcx
  push fs
  pop gs
  call show_both
  ; in compatibility mode the base of ES, DS, SS, CS counts, in 64-bit mode it does not
  CASE 'ds in compatibility mode'
  DESC64 T, SCRATCH, 0xffff, DATA_RW
  mov byte [gdt + T + 6], BIG << 4
  mov byte [SCRATCH + 16], 0x5a
  COMPAT
  mov eax, T
  mov ds, eax
  movzx ebx, byte [16]
  bits 64
  ENDCASE ' value=', [fault_rbx]
  CASE 'limit in compatibility mode'
  DESC64 T, SCRATCH, 0xffff, DATA_RW
  mov byte [gdt + T + 6], BIG << 4
  COMPAT
  mov eax, T
  mov ds, eax
  AT mov al, [0x10000]
  bits 64
  ENDCASE
  PROT_MODE
  bits 32
  ret

bits 64
show:
  mov ecx, MSR_GSBASE
  call read
  mov rbx, rax
  mov ecx, MSR_KGSBASE
  call read
  LINE 'gs=', rbx, ' kernel-gs=', rax
  ret
show_both:
  rdfsbase rax
  rdgsbase rbx
  LINE 'fs=', rax, ' gs=', rbx
  ret
read:
  rdmsr
  shl rdx, 32
  or rax, rdx
  ret
bits 32
