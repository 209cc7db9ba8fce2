; Virtual-8086 mode without VME: addressing, IOPL-sensitive instructions, interrupts through the IDT, return by IRETD.
; SDM Vol. 3A 20.2, 20.3; Vol. 2A "INT n", "IRET".
%include "guest.inc"

%macro IN_V86 3+                  ; name, EFLAGS, instruction
  CASE %1
  V86 %2
  AT %3
  ENDCASE
%endmacro

main:
  LINE 'iopl 0'
  IN_V86 'cli', 2, cli
  IN_V86 'sti', 2, sti
  IN_V86 'pushf', 2, pushf
  IN_V86 'popf', 2, popf
  IN_V86 'pushfd', 2, pushfd
  IN_V86 'int n', 2, int 0x80
  IN_V86 'iret', 2, iret
  IN_V86 'int3 is not sensitive', 2, int3
  CASE 'into is not sensitive'
  V86 OF | 2
  AT into
  ENDCASE
  IN_V86 'ud2', 2, ud2

  LINE 'iopl 3'
  IN_V86 'cli, sti', IOPL3 | 2, cli
  CASE 'pushf'
  V86 IOPL3 | CF | 2
  pushf
  pop ax
  movzx eax, ax
  ENDCASE ' ax=', [fault_eax]
  CASE 'pushfd: VM and RF are clear in the image'
  V86 IOPL3 | 2
  pushfd
  pop eax
  ENDCASE ' eax=', [fault_eax]
  CASE 'popf keeps iopl, sets if'
  V86 IOPL3 | 2
  push word IF | CF | 2
  popf
  pushf
  pop ax
  movzx eax, ax
  ENDCASE ' ax=', [fault_eax]
  CASE 'popfd cannot leave'
  V86 IOPL3 | 2
  push dword 2
  popfd
  ENDCASE
  mov eax, [fault_flags]
  and eax, VM
  LINE 'vm=', eax
  CASE 'iret keeps iopl'
  V86 IOPL3 | 2
  push word PF | 2
  push word 0
  push word .iret
  iret
.iret:
  pushf
  pop ax
  movzx eax, ax
  ENDCASE ' ax=', [fault_eax]

  LINE 'interrupts'
  IN_V86 'gate dpl 0', IOPL3 | 2, int 0x20
  IN_V86 'gate dpl 3', IOPL3 | 2, int 0x80
  CASE 'frame'
  V86 IOPL3 | 2
  mov ax, 0x456
  mov ss, ax
  mov sp, 0x789a
  mov ds, ax
  mov es, ax
  jmp 0x123:.far - 0x1230
.far:
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss], ' sp=', [fault_sp], ' ds=', [fault_ds], ' es=', [fault_es], ' flags=', [fault_flags]
  ; what the handler finds on its stack, and that IRETD brings all back
  GATE32 0x40, show_frame, SYS_INT32 | DPL3
  CASE 'return'
  V86 IOPL3 | 2
  mov ax, 0x11
  mov es, ax
  mov ax, 0x22
  mov ds, ax
  mov ax, 0x33
  mov fs, ax
  mov ax, 0x44
  mov gs, ax
  mov ax, 0x55
  mov ss, ax
  int 0x40
  mov bx, es
  mov bh, bl
  mov cx, ds
  mov bl, cl
  shl ebx, 16
  mov cx, fs
  mov bh, cl
  mov cx, gs
  mov bl, cl
  mov cx, ss
  movzx ecx, cx
  ENDCASE ' regs=', [fault_ebx], ' ss=', [fault_ecx]
  ; the handler's segment must have DPL 0 and not be conforming
  GATE32 0x40, show_frame, SYS_INT32 | DPL3, U32_CODE
  IN_V86 'handler dpl 3', IOPL3 | 2, int 0x40
  DESC FREE_SEL, 0, 0xfffff, CODE_CONF, GRAN | BIG
  GATE32 0x40, show_frame, SYS_INT32 | DPL3, FREE_SEL
  IN_V86 'handler conforming', IOPL3 | 2, int 0x40
  IN_V86 'divide error', 2, db 0xd4, 0

  LINE 'privilege'
  IN_V86 'hlt', IOPL3 | 2, hlt
  IN_V86 'mov from cr0', IOPL3 | 2, mov eax, cr0
  IN_V86 'mov to cr3', IOPL3 | 2, mov cr3, eax
  IN_V86 'clts', IOPL3 | 2, clts
  IN_V86 'lmsw', IOPL3 | 2, lmsw ax
  IN_V86 'smsw', IOPL3 | 2, smsw ax
  IN_V86 'lgdt', IOPL3 | 2, lgdt [0x500]
  IN_V86 'sgdt', IOPL3 | 2, sgdt [0x500]
  IN_V86 'rdmsr', IOPL3 | 2, rdmsr
  IN_V86 'invlpg', IOPL3 | 2, invlpg [0]
  IN_V86 'lldt', IOPL3 | 2, lldt ax
  IN_V86 'str', IOPL3 | 2, str ax
  IN_V86 'lar', IOPL3 | 2, lar ax, ax
  IN_V86 'verr', IOPL3 | 2, verr ax
  IN_V86 'arpl', IOPL3 | 2, arpl ax, ax
  IN_V86 'rdtsc', 2, rdtsc
  IN_V86 'mov to cs', IOPL3 | 2, db 0x8e, 0xc8

  ; I/O: the bitmap decides, whatever IOPL is
  LINE 'i/o'
  DESC TSS_SEL, tss, 103, SYS_TSS32, 0
  mov eax, TSS_SEL
  ltr ax
  IN_V86 'no bitmap', IOPL3 | 2, in al, 0x80
  mov word [tss + 102], tss_io_map - tss
  DESC TSS_SEL, tss, 103 + 0x2001, SYS_TSS32, 0
  mov eax, TSS_SEL
  ltr ax
  and byte [tss_io_map + 0x80 / 8], ~1
  IN_V86 'allowed', IOPL3 | 2, in al, 0x80
  IN_V86 'next port', IOPL3 | 2, in al, 0x81
  IN_V86 'word needs both', IOPL3 | 2, in ax, 0x80

  ; segments: base = selector * 16, limit 0xffff
  LINE 'segments'
  CASE 'base'
  mov byte [0x8123], 0x77
  V86
  mov ax, 0x800
  mov ds, ax
  xor eax, eax
  mov al, [0x123]
  ENDCASE ' value=', [fault_eax]
  CASE 'base and offset above 1 MB'
  V86
  mov ax, 0xffff
  mov ds, ax
  xor eax, eax
  mov al, [0x10]                  ; 0xffff0 + 0x10: the first byte of the image
  ENDCASE ' value=', [fault_eax]
  ret

; Handler for INT 0x40: shows the frame
show_frame:
  mov ebp, esp
  mov edx, RING0_STACK
  sub edx, ebp
  mov eax, ds
  mov ebx, es
  mov ecx, fs
  mov esi, gs
  push dword K_DATA
  pop ds
  LINE 'stack: used=', edx, ' ss=', [ebp + 16], ' es=', [ebp + 20], ' ds=', [ebp + 24], ' fs=', [ebp + 28], ' gs=', [ebp + 32]
  pushfd
  pop edx
  and edx, VM | IF | NT | TF | 2
  LINE 'now: ds=', eax, ' es=', ebx, ' fs=', ecx, ' gs=', esi, ' flags=', edx
  iretd
