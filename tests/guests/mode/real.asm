; Real-address mode: 8086 addressing, the interrupt table, which exceptions there are. SDM Vol. 3A chapter 20.
%include "guest.inc"

main:
  mov eax, exceptions
  call call_real
  mov eax, undefined
  call call_real
  mov eax, frames
  call call_real
  mov eax, address
  call call_real
  mov eax, transfers
  call call_real
  mov eax, system
  call call_real
  ret

section .low
bits 16
exceptions:
  CASE 'real.de'
  xor ax, ax
  AT div al
  ENDCASE
  CASE 'real.ud'
  AT ud2
  ENDCASE
  CASE 'real.int3'
  AT int3
  ENDCASE
  CASE 'real.into'
  mov al, 0x7f
  inc al
  AT into
  ENDCASE
  CASE 'real.bound'
  mov ax, 5
  AT bound ax, [bounds]
  ENDCASE
  CASE 'real.int-n'
  AT int 0x60
  ENDCASE
  CASE 'real.in-out-cli'
  AT in al, 0x80
  cli
  ENDCASE
  CASE 'real.nm'
  mov eax, cr0
  or al, CR0_TS
  mov cr0, eax
  AT fld1
  ENDCASE
  clts
  ret

; Not recognised in real mode: #UD
undefined:
%macro UNDEFINED 2+
  CASE %1
  xor eax, eax
  AT %2
  ENDCASE
%endmacro
  UNDEFINED 'undefined.lldt', lldt ax
  UNDEFINED 'undefined.sldt', sldt ax
  UNDEFINED 'undefined.ltr', ltr ax
  UNDEFINED 'undefined.str', str ax
  UNDEFINED 'undefined.lar', lar ax, ax
  UNDEFINED 'undefined.lsl', lsl ax, ax
  UNDEFINED 'undefined.verr', verr ax
  UNDEFINED 'undefined.verw', verw ax
  UNDEFINED 'undefined.arpl', arpl ax, ax
  UNDEFINED 'undefined.sysenter', sysenter
  UNDEFINED 'undefined.sysexit', sysexit
  UNDEFINED 'undefined.lock-mov', db 0xf0, 0x89, 0x07
  UNDEFINED 'undefined.mov-cs', db 0x8e, 0xc8
  UNDEFINED 'undefined.vex', db 0xc5, 0xf8, 0x57, 0xc0
  ret

; What INT pushes and clears, what IRET pops. SDM Vol. 3A 20.1.4
frames:
  mov word [0x61 * 4], .handler
  mov word [0x61 * 4 + 2], 0
  mov [.sp], sp
  push dword AC | 2               ; AC is cleared by INT
  popfd
  stc
  int 0x61
.return:
  pushfd
  pop eax
  and eax, CF | IF | TF | AC
  LINE 'frame.flags-after-iret ', eax
  push dword 2
  popfd
  ; a 32-bit IRET pops twelve bytes
  mov [.sp], sp
  push dword 0x93
  push dword 0
  push dword .iretd
  o32 iret
.iretd:
  pushfd
  pop eax
  mov bx, [.sp]
  sub bx, sp
  movzx ebx, bx
  LINE 'frame.iretd flags=', eax, ' left=', ebx
  push word 2
  popf
  ; outside of the interrupt table's limit
  CASE 'frame.idt-limit-last'
  lidt [.small_ivt]
  AT int 0x60
  ENDCASE
  CASE 'frame.idt-limit-beyond'
  AT int 0x61
  ENDCASE
  CASE 'frame.idt-base'
  xor si, si
  mov di, 0xa000
  mov cx, 0x200
  rep movsw
  lidt [.moved_ivt]
  mov dword [0x60 * 4], 0         ; the old table is not used
  AT int 0x60
  ENDCASE
  lidt [ivt_pointer]
  ret
.small_ivt:
  dw 0x61 * 4 - 1
  dd 0
.moved_ivt:
  dw 0x3ff
  dd 0xa000
.sp: dw 0
.handler:
  mov bp, sp
  movzx eax, word [bp]
  sub eax, .return
  movzx ecx, word [bp + 2]
  movzx edx, word [bp + 4]
  pushfd
  pop esi
  and esi, CF | IF | TF | AC | 2
  mov bx, [.sp]
  sub bx, bp
  movzx ebx, bx
  and dl, 0xd7 & 3
  and esi, IF | TF | AC | 2
  LINE 'frame.inside size=', ebx, ' ip=+', eax, ' cs=', ecx, ' flags=', edx, ' now=', esi
  iret

address:
  CASE 'address.segment-times-16'
  mov byte [0x9123], 0x77
  mov ax, 0x0900
  mov fs, ax
  xor eax, eax
  AT mov al, [fs:0x123]
  ENDCASE ' al=', [fault_eax]
  ret

; Far transfers load CS with any value; base = selector * 16
transfers:
  call 0x100:.far - 0x1000
  mov eax, cs
  LINE 'far.returned cs=', eax
  push word 0x80
  push word .lret - 0x800
  retf
.lret:
  mov eax, cs
  push ax
  jmp 0:.home
.home:
  pop ax
  LINE 'far.retf cs=', eax
  mov [.sp], sp
  push word 1
  push word 2
  push word 0
  push word .retf_imm
  retf 4
.retf_imm:
  mov ax, [.sp]
  sub ax, sp
  movzx eax, ax
  LINE 'far.retf-4 left=', eax
  mov [.sp], sp
  push sp
  pop ax
  sub ax, [.sp]
  movzx eax, ax
  LINE 'push-sp difference=', eax
  mov ax, 0x1234
  push ax
  mov bp, sp
  mov bx, sp
  pop word [bp]                   ; back where it was
  mov ax, [bp]
  movzx eax, ax
  LINE 'pop-to-stack ', eax
  ret
.sp: dw 0
.far:
  mov bx, sp
  mov ax, [.sp_before]
  mov eax, cs
  push ax
  mov ecx, 4
  pop ax
  push cs
  pop dx
  jmp 0:.flat_cs
.flat_cs:
  movzx edx, dx
  LINE 'far.call cs=', edx, ' size=', ecx
  retf
.sp_before: dw 0

; CR0, MSW, descriptor-table registers are available in real mode
system:
  CASE 'system.smsw'
  smsw ax
  and eax, 1
  ENDCASE ' pe=', [fault_eax]
  CASE 'system.sgdt'
  sgdt [0x9000]
  movzx eax, word [0x9000]
  ENDCASE ' limit=', [fault_eax]
  CASE 'system.lidt-16-bit-base'
  lidt [.pointer]                 ; with a 16-bit operand size the base has 24 bits
  o32 sidt [0x9000]
  lidt [ivt_pointer]
  mov eax, [0x9002]
  ENDCASE ' base=', [fault_eax]
  CASE 'system.lidt-32-bit-base'
  o32 lidt [.pointer]
  o32 sidt [0x9000]
  lidt [ivt_pointer]
  mov eax, [0x9002]
  ENDCASE ' base=', [fault_eax]
  CASE 'system.rdmsr'
  mov ecx, MSR_EFER
  rdmsr
  ENDCASE ' efer=', [fault_eax]
  CASE 'system.rdmsr-unknown'
  mov ecx, 0x2fff
  AT rdmsr
  ENDCASE
  ret
.pointer:
  dw 0x3ff
  dd 0x12345678
bounds: dw 10, 20
