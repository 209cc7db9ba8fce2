; Every exception an instruction can raise by itself in 32-bit protected mode, in ring 0 and ring 3, without paging.
%include "guest.inc"

main:
  CASE 'de.divide-by-zero'
  mov eax, 5
  mov edx, 7
  xor ecx, ecx
  AT div ecx
  ENDCASE ' eax=', [fault_eax], ' edx=', [fault_edx]
  CASE 'de.quotient-too-large'
  mov edx, 1
  xor eax, eax
  mov ecx, 1
  AT div ecx
  ENDCASE
  CASE 'de.largest-quotient'
  mov edx, 1
  mov eax, 0xfffffffe
  mov ecx, 2
  AT div ecx
  ENDCASE ' eax=', [fault_eax], ' edx=', [fault_edx]
  CASE 'de.idiv-minimum-by-minus-1'
  mov eax, 0x80000000
  cdq
  mov ecx, -1
  AT idiv ecx
  ENDCASE
  CASE 'de.idiv-8-bit-quotient-80'
  mov ax, -128
  mov cl, 1
  AT idiv cl
  ENDCASE ' ax=', [fault_eax]
  CASE 'de.aam-0'
  AT aam 0
  ENDCASE
  CASE 'bp.int3'
  AT int3
  ENDCASE
  CASE 'bp.int-3'
  AT db 0xcd, 3
  ENDCASE
  CASE 'db.int1'
  AT db 0xf1
  ENDCASE
  CASE 'of.into-set'
  mov eax, 0x7fffffff
  inc eax
  AT into
  ENDCASE
  CASE 'of.into-clear'
  xor eax, eax
  AT into
  ENDCASE
  CASE 'br.below'
  mov eax, -3
  AT bound eax, [bounds]
  ENDCASE
  CASE 'br.lower-bound'
  mov eax, -2
  AT bound eax, [bounds]
  ENDCASE
  CASE 'br.upper-bound'
  mov eax, 10
  AT bound eax, [bounds]
  ENDCASE
  CASE 'br.above'
  mov eax, 11
  AT bound eax, [bounds]
  ENDCASE
  CASE 'br.16-bit-below'
  mov eax, 0xffff0000
  AT bound ax, [bounds + 4]       ; 10..0
  ENDCASE

  call undefined
  call no_math
  call math_error
  call simd_error
  call alignment
  call privilege
  call software_interrupts
  ret

undefined:
  CASE 'ud.ud2'
  AT ud2
  ENDCASE
  CASE 'ud.ud1'
  AT db 0x0f, 0xb9, 0xc0
  ENDCASE
  CASE 'ud.ud0'
  AT db 0x0f, 0xff, 0xc0
  ENDCASE
  CASE 'ud.prefixed'
  AT db 0x66, 0xf2, 0x0f, 0x0b
  ENDCASE
  CASE 'ud.mov-to-cs'
  mov eax, K32_CODE
  AT db 0x8e, 0xc8
  ENDCASE
  CASE 'ud.mov-from-segment-6'
  AT db 0x8c, 0xf0
  ENDCASE
  CASE 'ud.lea-register'
  AT db 0x8d, 0xc0
  ENDCASE
  CASE 'ud.lss-register'
  AT db 0x0f, 0xb2, 0xc0
  ENDCASE
  CASE 'ud.clgi-without-svm'
  AT db 0x0f, 0x01, 0xdd
  ENDCASE
  CASE 'ud.group-4-2'
  AT db 0xfe, 0xd0
  ENDCASE
  CASE 'ud.group-5-7'
  AT db 0xff, 0xf8
  ENDCASE
  CASE 'ud.far-call-register'
  AT db 0xff, 0xd8
  ENDCASE
  CASE 'ud.mov-cr1'
  AT db 0x0f, 0x20, 0xc8
  ENDCASE
  CASE 'ud.mov-cr7'
  AT db 0x0f, 0x22, 0xf8
  ENDCASE
  CASE 'ud.rsm'
  AT rsm
  ENDCASE
  CASE 'ud.cmpxchg8b-register'
  AT db 0x0f, 0xc7, 0xc8
  ENDCASE
  CASE 'ud.movntdq-register'
  mov eax, CR4_OSFXSR
  mov cr4, eax
  AT db 0x66, 0x0f, 0xe7, 0xc0
  ENDCASE
  CASE 'ud.before-privilege'
  USER
  AT db 0x0f, 0x20, 0xc8          ; MOV EAX, CR1
  ENDCASE
  xor eax, eax
  mov cr4, eax
  ret

; CR0.EM, MP, TS: SDM Vol. 3A 2.5, table 13-1 for SSE
no_math:
  CASE 'nm.em-fld'
  mov eax, CR0_PE | CR0_ET | CR0_NE | CR0_EM
  mov cr0, eax
  AT fld1
  ENDCASE
  CASE 'nm.em-fnstcw'
  AT fnstcw [SCRATCH]
  ENDCASE
  CASE 'nm.em-wait'
  AT wait
  ENDCASE
  CASE 'nm.em-mmx'
  AT pxor mm0, mm0
  ENDCASE
  CASE 'nm.em-sse'
  mov eax, CR4_OSFXSR
  mov cr4, eax
  AT xorps xmm0, xmm0
  ENDCASE
  CASE 'nm.em-fxsave'
  AT fxsave [SCRATCH]
  ENDCASE
  CASE 'nm.ts-fld'
  mov eax, CR0_PE | CR0_ET | CR0_NE | CR0_TS
  mov cr0, eax
  AT fld1
  ENDCASE
  CASE 'nm.ts-wait-without-mp'
  AT wait
  ENDCASE
  CASE 'nm.ts-wait-with-mp'
  mov eax, CR0_PE | CR0_ET | CR0_NE | CR0_TS | CR0_MP
  mov cr0, eax
  AT wait
  ENDCASE
  CASE 'nm.ts-mmx'
  AT pxor mm0, mm0
  ENDCASE
  CASE 'nm.ts-sse'
  AT xorps xmm0, xmm0
  ENDCASE
  CASE 'nm.ts-movnti'
  AT movnti [SCRATCH], eax        ; no SSE state, no #NM
  ENDCASE
  CASE 'nm.ts-em-mmx'
  mov eax, CR0_PE | CR0_ET | CR0_NE | CR0_TS | CR0_EM | CR0_MP
  mov cr0, eax
  AT pxor mm0, mm0
  ENDCASE
  CASE 'nm.clts'
  mov eax, CR0_PE | CR0_ET | CR0_NE | CR0_TS | CR0_MP
  mov cr0, eax
  AT clts
  fld1
  fninit
  ENDCASE
  CASE 'nm.sse-without-osfxsr'
  xor eax, eax
  mov cr4, eax
  AT xorps xmm0, xmm0
  ENDCASE
  CASE 'nm.mmx-without-osfxsr'
  AT pxor mm0, mm0
  emms
  ENDCASE
  ret

; CR0.NE = 1: the error of one x87 instruction is reported by the next waiting one. SDM Vol. 1 8.7, Vol. 3A 6.15 #MF
math_error:
  mov eax, CR0_PE | CR0_ET | CR0_NE
  mov cr0, eax
  CASE 'mf.next-instruction'
  call divide_by_zero
  AT fld1
  ENDCASE
  CASE 'mf.wait'
  call divide_by_zero
  AT wait
  ENDCASE
  CASE 'mf.not-by-fnstsw'
  call divide_by_zero
  AT fnstsw ax
  movzx eax, ax
  mov ebx, eax
  and eax, 0x80
  and ebx, 4
  ENDCASE ' es=', [fault_eax], ' ze=', [fault_ebx]
  CASE 'mf.not-after-fnclex'
  call divide_by_zero
  fnclex
  AT fld1
  ENDCASE
  CASE 'mf.unmasked-later'
  fninit
  fldz
  fld1
  fdivrp st1, st0
  fldcw [unmask_zero_divide]      ; the flag is set already: now it is an error
  AT fld1
  ENDCASE
  CASE 'mf.mmx'
  call divide_by_zero
  AT pxor mm0, mm0
  ENDCASE
  fninit
  CASE 'mf.masked'
  fldz
  fld1
  fdivrp st1, st0
  AT fld1
  ENDCASE
  fninit
  ret

divide_by_zero:
  fninit
  fldcw [unmask_zero_divide]
  fld1
  fldz
  fdivp st1, st0
  ret

; SDM Vol. 3A 6.15 #XM: only with CR4.OSXMMEXCPT, otherwise #UD
simd_error:
  mov eax, CR4_OSFXSR | CR4_OSXMM
  mov cr4, eax
  CASE 'xm.divide'
  call unmask_simd
  AT divss xmm0, xmm1
  ENDCASE
  CASE 'xm.flag-remains'
  stmxcsr [SCRATCH]
  mov eax, [SCRATCH]
  ENDCASE ' mxcsr=', [fault_eax]
  CASE 'xm.ldmxcsr-does-not-raise'
  AT ldmxcsr [pending_simd]
  addss xmm2, xmm2
  ENDCASE
  CASE 'xm.masked'
  call unmask_simd
  ldmxcsr [default_mxcsr]
  AT divss xmm0, xmm1
  ENDCASE
  CASE 'xm.without-osxmmexcpt'
  mov eax, CR4_OSFXSR
  mov cr4, eax
  call unmask_simd
  AT divss xmm0, xmm1
  ENDCASE
  CASE 'xm.ldmxcsr-reserved'
  AT ldmxcsr [reserved_mxcsr]
  ENDCASE
  ldmxcsr [default_mxcsr]
  ret

unmask_simd:
  xorps xmm1, xmm1
  xorps xmm2, xmm2
  mov eax, 1
  cvtsi2ss xmm0, eax
  ldmxcsr [unmask_simd_divide]
  ret

; SDM Vol. 3A 6.15 #AC: CR0.AM, EFLAGS.AC and CPL 3 together
alignment:
  mov eax, CR0_PE | CR0_ET | CR0_NE | CR0_AM
  mov cr0, eax
  mov ebx, SCRATCH
  CASE 'ac.dword-read'
  USER AC | 2
  AT mov eax, [ebx + 2]
  ENDCASE
  CASE 'ac.word-write'
  USER AC | 2
  AT mov [ebx + 1], ax
  ENDCASE
  CASE 'ac.aligned'
  USER AC | 2
  AT mov eax, [ebx + 4]
  mov ax, [ebx + 2]
  mov al, [ebx + 1]
  ENDCASE
  CASE 'ac.stack'
  USER AC | 2
  dec esp
  AT push eax
  ENDCASE
  CASE 'ac.flag-clear'
  USER
  AT mov eax, [ebx + 2]
  ENDCASE
  CASE 'ac.ring-0'
  push dword AC | 2
  popfd
  AT mov eax, [ebx + 2]
  push dword 2
  popfd
  ENDCASE
  CASE 'ac.am-clear'
  mov eax, CR0_PE | CR0_ET | CR0_NE
  mov cr0, eax
  USER AC | 2
  AT mov eax, [ebx + 2]
  ENDCASE
  CASE 'ac.movaps-is-gp'
  AT movaps xmm0, [ebx + 8]
  ENDCASE
  CASE 'ac.movups'
  AT movups xmm0, [ebx + 8]
  ENDCASE
  CASE 'ac.fxsave-is-gp'
  AT fxsave [ebx + 8]
  ENDCASE
  ret

; Instructions of ring 0 in ring 3: #GP(0). CPL > IOPL for the last four.
privilege:
%macro PRIVILEGED 2+
  CASE %1
  USER
  xor eax, eax
  mov ecx, MSR_EFER
  AT %2
  ENDCASE
%endmacro
  PRIVILEGED 'priv.hlt', hlt
  PRIVILEGED 'priv.clts', clts
  PRIVILEGED 'priv.mov-from-cr0', mov eax, cr0
  PRIVILEGED 'priv.mov-to-cr3', mov cr3, eax
  PRIVILEGED 'priv.mov-from-dr7', mov eax, dr7
  PRIVILEGED 'priv.lmsw', lmsw ax
  PRIVILEGED 'priv.smsw', smsw ax
  PRIVILEGED 'priv.lgdt', lgdt [gdtr]
  PRIVILEGED 'priv.lidt', lidt [gdtr]
  PRIVILEGED 'priv.sgdt', sgdt [SCRATCH]
  PRIVILEGED 'priv.lldt', lldt ax
  PRIVILEGED 'priv.ltr', ltr ax
  PRIVILEGED 'priv.str', str eax
  PRIVILEGED 'priv.invlpg', invlpg [eax]
  PRIVILEGED 'priv.invd', invd
  PRIVILEGED 'priv.wbinvd', wbinvd
  PRIVILEGED 'priv.rdmsr', rdmsr
  PRIVILEGED 'priv.wrmsr', wrmsr
  PRIVILEGED 'priv.rdtsc', rdtsc
  PRIVILEGED 'priv.rdpmc', rdpmc
  PRIVILEGED 'priv.cli', cli
  PRIVILEGED 'priv.sti', sti
  PRIVILEGED 'priv.in', in al, 0x80
  PRIVILEGED 'priv.outsb', outsb
  CASE 'priv.iopl-3'
  USER IOPL3 | 2
  AT sti
  cli
  in al, 0x80
  ENDCASE
  CASE 'priv.popf-keeps-iopl-and-if'
  USER
  push dword IOPL3 | IF | 2
  AT popfd
  pushfd
  pop eax
  ENDCASE ' flags=', [fault_eax]
  CASE 'priv.popf-iopl-3-sets-if'
  USER IOPL3 | 2
  push dword IF | 2
  AT popfd
  pushfd
  pop eax
  ENDCASE ' flags=', [fault_eax]
  CASE 'priv.tsd'
  mov eax, CR4_TSD
  mov cr4, eax
  USER
  AT rdtsc
  ENDCASE
  CASE 'priv.tsd-ring-0'
  AT rdtsc
  ENDCASE
  xor eax, eax
  mov cr4, eax
  ret

; INT n, INT3, INTO need gate DPL >= CPL: #GP(vector * 8 + 2), the IDT bit set. SDM Vol. 3A 6.12.1.1
software_interrupts:
  CASE 'int.dpl-0-from-ring-3'
  USER
  AT int 0x20
  ENDCASE
  CASE 'int.dpl-0-from-ring-0'
  AT int 0x20
  ENDCASE
  CASE 'int.exception-vector'
  USER
  AT int 6
  ENDCASE
  mov byte [idt32 + 3 * 8 + 5], SYS_INT32
  mov byte [idt32 + 4 * 8 + 5], SYS_INT32
  CASE 'int.int3-dpl-0'
  USER
  AT int3
  ENDCASE
  CASE 'int.into-dpl-0'
  USER
  mov eax, 0x7fffffff
  inc eax
  AT into
  ENDCASE
  CASE 'int.int1-ignores-dpl'
  USER
  AT db 0xf1
  ENDCASE
  CASE 'int.fault-ignores-dpl'
  USER
  AT ud2
  ENDCASE
  CASE 'int.ring-0-frame'
  ENDCASE ' cs=', [fault_cs]
  CASE 'int.ring-3-frame'
  USER
  ENDCASE ' cs=', [fault_cs], ' ss=', [fault_ss], ' esp=', [fault_sp]
  ret

section .data
align 16
bounds: dd -2, 10, 0
unmask_zero_divide: dw 0x37b
unmask_simd_divide: dd 0x1d80
default_mxcsr: dd 0x1f80
pending_simd: dd 0x1d84
reserved_mxcsr: dd 0x80011f80
