; Exceptions of 64-bit mode: instructions that do not exist there, canonical addresses, frames, IST, IRETQ's alignment.
; SDM Vol. 3A 3.3.7.1, 6.14; Vol. 2 (each instruction's 64-bit mode exceptions).
%include "guest.inc"

%macro UNDEFINED 2+
  CASE %1
  AT db %2
  ENDCASE
%endmacro

NONCANON equ 0x800000000000

main:
  LONG_MODE
  bits 64
  LINE 'undefined'
  UNDEFINED 'push es', 0x06
  UNDEFINED 'pop es', 0x07
  UNDEFINED 'push cs', 0x0e
  UNDEFINED 'pop ds', 0x1f
  UNDEFINED 'daa', 0x27
  UNDEFINED 'das', 0x2f
  UNDEFINED 'aaa', 0x37
  UNDEFINED 'aas', 0x3f
  UNDEFINED 'pusha', 0x60
  UNDEFINED 'popa', 0x61
  UNDEFINED 'bound (evex without avx-512)', 0x62, 0x00, 0, 0, 0, 0
  UNDEFINED 'group 1 alias', 0x82, 0xc0, 1
  UNDEFINED 'far call immediate', 0x9a, 0, 0, 0, 0, 0, 0
  UNDEFINED 'les (vex without avx)', 0xc4, 0x00, 0, 0, 0
  UNDEFINED 'lds (vex without avx)', 0xc5, 0x00, 0, 0
  UNDEFINED 'into', 0xce
  UNDEFINED 'aam', 0xd4, 10
  UNDEFINED 'aad', 0xd5, 10
  UNDEFINED 'salc', 0xd6
  UNDEFINED 'far jmp immediate', 0xea, 0, 0, 0, 0, 0, 0
  CASE 'arpl is movsxd'
  mov ecx, 0x80000000
  AT db 0x48, 0x63, 0xc1
  ENDCASE ' rax=', [fault_rax]
  CASE 'inc is rex'
  mov eax, 1
  AT db 0x40, 0x90
  ENDCASE ' rax=', [fault_rax]

  LINE 'canonical'
  mov rbx, NONCANON
  CASE 'read'
  AT mov al, [rbx]
  ENDCASE
  CASE 'write'
  AT mov [rbx], al
  ENDCASE
  CASE 'last canonical, absent'
  AT mov al, [rbx - 1]
  ENDCASE
  CASE 'first of the upper half, absent'
  mov rcx, 0xffff800000000000
  AT mov al, [rcx]
  ENDCASE
  CASE 'below the upper half'
  mov rcx, 0xffff800000000000
  AT mov al, [rcx - 1]
  ENDCASE
  CASE 'rbp-based'
  mov rbp, NONCANON
  AT mov al, [rbp]
  ENDCASE
  CASE 'rsp-based'
  mov rcx, NONCANON
  AT mov al, [rsp + rcx]
  ENDCASE
  CASE 'lea'
  AT lea rax, [rbx + 5]
  ENDCASE ' rax=', [fault_rax]
  CASE 'push'
  mov rcx, NONCANON + 8
  USER64
  mov rsp, rcx
  AT push rax
  ENDCASE ' rsp=', [fault_sp]
  CASE 'pop'
  USER64
  mov rsp, rbx
  AT pop rax
  ENDCASE ' rsp=', [fault_sp]
  CASE 'call target'
  AT call rbx
  ENDCASE
  CASE 'jmp target'
  AT jmp rbx
  ENDCASE
  CASE 'ret target'
  push rbx
  AT ret
  ENDCASE
  CASE 'rep movsb'
  mov rsi, rbx
  mov edi, SCRATCH
  mov ecx, 1
  AT rep movsb
  ENDCASE ' rcx=', [fault_rcx]
  CASE 'fs segment with canonical sum'
  WRITE_MSR MSR_FSBASE, 0x7ffffff00000
  mov rcx, SCRATCH - 0x7ffffff00000
  AT mov al, [fs:rcx]
  ENDCASE
  CASE 'fs segment with non-canonical sum'
  WRITE_MSR MSR_FSBASE, 0x7ffffff00000
  AT mov al, [fs:0x100000]
  ENDCASE
  WRITE_MSR MSR_FSBASE, 0
  CASE 'prefetch'
  AT prefetcht0 [rbx]
  ENDCASE
  CASE '32-bit addresses wrap'
  mov rcx, 0x123456789 << 32
  AT mov al, [ecx + SCRATCH]
  ENDCASE

  LINE 'segments'
  CASE 'no limits'
  xor eax, eax
  mov ds, eax                     ; null is no obstacle
  mov es, eax
  AT mov al, [SCRATCH + 0xfffff]
  mov edi, SCRATCH
  stosb
  ENDCASE
  CASE 'cs override: writable'
  AT db 0x2e, 0x88, 0x04, 0x25
  dd SCRATCH
  ENDCASE
  CASE 'ds base is ignored'
  DESC64 FREE_SEL, SCRATCH, 0, DATA_RW
  mov byte [SCRATCH + 5], 0x77
  mov eax, FREE_SEL
  mov ds, eax
  movzx eax, byte [SCRATCH + 5]
  ENDCASE ' value=', [fault_rax]
  CASE 'fs takes the base of the descriptor'
  mov eax, FREE_SEL
  mov fs, eax
  movzx eax, byte [fs:5]
  ENDCASE ' value=', [fault_rax]
  CASE 'null ss in ring 0'
  xor eax, eax
  AT mov ss, eax
  push rax
  pop rax
  ENDCASE
  CASE 'null ss in ring 3'
  USER64
  mov eax, 3
  AT mov ss, eax
  ENDCASE
  CASE 'ss absent'
  DESC64 FREE_SEL, 0, 0, DATA_RW ^ ABSENT
  mov eax, FREE_SEL
  AT mov ss, eax
  ENDCASE
  CASE 'fs absent'
  mov eax, FREE_SEL
  AT mov fs, eax
  ENDCASE
  LINE 'frames'
  ; the stack is aligned to 16 before the frame is pushed; SS and RSP are always pushed
  GATE64 0x40, show_frame, SYS_INT32
%macro ALIGNMENT 1
  mov rsi, rsp
  sub rsp, %1
  mov rbx, rsp
  int 0x40
  mov rsp, rsi
%endmacro
  ALIGNMENT 0
  ALIGNMENT 1
  ALIGNMENT 8
  ALIGNMENT 13
  GATE64 0x40, show_ist, SYS_INT32 | DPL3, 2
  mov rbx, rsp
  int 0x40
  CASE 'ist from ring 3'
  USER64
  mov rbx, rsp
  int 0x40
  ENDCASE
  ; from ring 3 without IST: RSP0; SS becomes null with RPL = CPL
  GATE64 0x40, show_user, SYS_INT32 | DPL3
  CASE 'ring 3'
  USER64
  int 0x40
  ENDCASE
  GATE64 0x40, show_user, SYS_INT32 | DPL3, 0
  CASE 'compatibility mode'
  USER_COMPAT
  int 0x40
  ENDCASE

  LINE 'gates'
%macro GATE_CASE 1                ; ring 0 and 3
  SAY %1, ':'
  PROBE 'ring-0'
  AT int 0x40
  ENDPROBE
  PROBE 'ring-3'
  USER64
  AT int 0x40
  ENDPROBE
  SAY `\n`
%endmacro
  GATE64 0x40, done, SYS_INT32 | DPL3, 0, K32_CODE
  GATE_CASE '32-bit code'
  GATE64 0x40, done, SYS_INT32 | DPL3, 0, K_DATA
  GATE_CASE 'data'
  GATE64 0x40, done, SYS_INT32 | DPL3, 0, 0
  GATE_CASE 'null'
  GATE64 0x40, done, SYS_INT16 | DPL3, 0
  GATE_CASE '16-bit gate'
  GATE64 0x40, done, SYS_TASK | DPL3, 0
  GATE_CASE 'task gate'
  GATE64 0x40, done, (SYS_INT32 | DPL3) ^ ABSENT, 0
  GATE_CASE 'absent'
  GATE64 0x40, done, SYS_INT32, 0
  GATE_CASE 'dpl 0'
  GATE64 0x40, done, SYS_TRAP32 | DPL3, 7
  mov rbx, NONCANON
  mov [tss + 36 + 6 * 8], rbx
  CASE 'non-canonical ist'
  AT int 0x40
  ENDCASE
  mov [tss + 4], rbx
  GATE64 0x40, done, SYS_TRAP32 | DPL3, 0
  ; RSP0 is of no use for #SS either: its gate uses an IST
  mov byte [idt64 + 12 * 16 + 4], 1
  CASE 'non-canonical rsp0'
  USER64
  AT int 0x40
  ENDCASE
  mov qword [tss + 4], RING0_STACK
  mov byte [idt64 + 12 * 16 + 4], 0
  GATE64 0x40, NONCANON, SYS_TRAP32 | DPL3, 0
  CASE 'non-canonical handler'
  AT int 0x40
  ENDCASE
  PROT_MODE
  bits 32
  ret

bits 64
done:
  int 0x80

; RBX = RSP before INT
show_frame:
  mov rdx, rsp
  mov rax, rsp
  add rax, 40
  and eax, 15
  mov rcx, [rdx + 24]
  sub rcx, rbx
  LINE 'frame: aligned=', rax, ' cs=', [rdx + 8], ' ss=', [rdx + 32], ' rsp=+', rcx
  iretq

show_ist:
  mov rdx, rsp
  mov eax, IST2_STACK
  sub rax, rdx
  mov rcx, [rdx + 24]
  sub rcx, rbx
  LINE 'ist: used=', rax, ' ss=', [rdx + 32], ' rsp=+', rcx
  iretq

show_user:
  mov rdx, rsp
  mov eax, RING0_STACK
  sub rax, rdx
  mov ecx, ss
  LINE 'user: used=', rax, ' cs=', [rdx + 8], ' ss=', [rdx + 32], ' now ss=', rcx
  iretq
bits 32
