; What MOV to CR0, CR3, CR4, CR8, LMSW and WRMSR to EFER refuse: #GP(0), the register unchanged.
; SDM Vol. 3A 2.5, 4.1.2, 4.4.1, 4.10.1; Vol. 2B "MOV—Move to/from Control Registers".
%include "guest.inc"


; Tries MOV control register, EAX/RAX = its value with bits set and cleared
%macro REFUSED 4                  ; name, register, bits to set, bits to clear
  CASE %1
  %if __?BITS?__ == 64
    mov rax, %2
    mov rdx, %3
    or rax, rdx
    mov rdx, ~(%4)
    and rax, rdx
    AT mov %2, rax
  %else
    mov eax, %2
    or eax, %3
    and eax, ~(%4)
    AT mov %2, eax
  %endif
  ENDCASE
%endmacro

main:
  REFUSED 'cr0.pg-without-pe', cr0, CR0_PG, CR0_PE
  REFUSED 'cr0.nw-without-cd', cr0, CR0_NW, CR0_CD
  REFUSED 'cr0.reserved-bit-is-ignored', cr0, 1 << 10, 0
  mov eax, cr0
  and eax, 1 << 10
  LINE 'cr0.reserved-bit ', eax
  REFUSED 'cr0.et-cleared', cr0, 0, CR0_ET
  mov eax, cr0
  and eax, CR0_ET | CR0_PE
  LINE 'cr0.et-is-one ', eax
  CASE 'lmsw.keeps-pe'
  mov eax, CR0_MP | CR0_EM | CR0_TS
  lmsw ax
  mov eax, cr0
  and eax, 15
  ENDCASE ' cr0=', [fault_eax]
  xor eax, eax
  lmsw ax
  CASE 'lmsw.changes-4-bits'
  mov eax, 0xffd1                 ; NE and ET are not LMSW's to clear
  lmsw ax
  mov eax, cr0
  ENDCASE ' cr0=', [fault_eax]
  REFUSED 'cr4.bit-15', cr4, 1 << 15, 0
  REFUSED 'cr4.bit-31', cr4, 1 << 31, 0
  REFUSED 'cr4.pcide-outside-long-mode', cr4, CR4_PCID, 0

  ; EFER
  CASE 'efer.reserved'
  mov ecx, MSR_EFER
  xor edx, edx
  mov eax, 2
  AT wrmsr
  ENDCASE
  CASE 'efer.reserved-high'
  mov ecx, MSR_EFER
  mov edx, 1
  xor eax, eax
  AT wrmsr
  ENDCASE
  mov ecx, MSR_EFER
  mov eax, EFER_LME
  xor edx, edx
  wrmsr
  REFUSED 'long.pg-without-pae', cr0, CR0_PG, 0
  mov ecx, MSR_EFER
  xor eax, eax
  xor edx, edx
  wrmsr
  rdmsr
  LINE 'efer.cleared ', eax

  ; PAE paging: the PDPTEs are loaded and checked by MOV CR3 and by setting CR0.PG
  call build_long_tables
  mov edi, TABLES + 0x8000
  mov dword [edi], LONG_PD0 + P_P
  mov dword [edi + 8], LONG_PD1 + P_P
  mov dword [edi + 24], LONG_PD3 + P_P
  mov cr3, edi
  mov eax, CR4_PAE
  mov cr4, eax
  mov dword [edi + 16], LONG_PD2 + P_P + P_W ; bits 1, 2, 5 to 8 are reserved in a PDPTE
  REFUSED 'pae.pdpte-reserved-setting-pg', cr0, CR0_PG, 0
  mov dword [edi + 16], LONG_PD2 + P_P
  mov eax, cr0
  or eax, CR0_PG
  mov cr0, eax
  mov dword [edi + 16], LONG_PD2 + P_P + P_U
  REFUSED 'pae.pdpte-reserved-mov-cr3', cr3, 0, 0
  mov dword [edi + 16], P_W | P_U | P_A ; not present: nothing is reserved
  REFUSED 'pae.pdpte-not-present', cr3, 0, 0
  mov dword [edi + 16], LONG_PD2 + P_P
  mov dword [edi + 20], 1 << 31   ; bit 63
  REFUSED 'pae.pdpte-bit-63', cr3, 0, 0
  mov dword [edi + 20], 0
  CASE 'efer.lme-while-paging'
  mov ecx, MSR_EFER
  xor edx, edx
  mov eax, EFER_LME
  AT wrmsr
  ENDCASE
  mov eax, cr0
  and eax, ~CR0_PG
  mov cr0, eax

  LONG_MODE
  bits 64
  REFUSED 'long.cr0-bit-32', cr0, 1 << 32, 0
  REFUSED 'long.cr4-bit-32', cr4, 1 << 32, 0
  REFUSED 'long.cr4-pae-cleared', cr4, 0, CR4_PAE
  REFUSED 'long.pg-cleared-in-64-bit-mode', cr0, 0, CR0_PG
  REFUSED 'long.pe-cleared', cr0, 0, CR0_PE
  REFUSED 'long.cr3-bit-56', cr3, 1 << 56, 0
  REFUSED 'long.cr3-bit-63-without-pcide', cr3, 1 << 63, 0
  REFUSED 'long.cr8-bit-4', cr8, 1 << 4, 0
  CASE 'long.efer-lme-cleared'
  mov ecx, MSR_EFER
  rdmsr
  btr eax, 8
  AT wrmsr
  ENDCASE
  CASE 'long.efer-lma-is-read-only'
  mov ecx, MSR_EFER
  rdmsr
  btr eax, 10
  AT wrmsr
  rdmsr
  ENDCASE ' efer=', [fault_rax]
  mov rax, cr3
  or rax, P_PWT
  mov cr3, rax
  or rax, 1
  mov cr3, rax                    ; bits 0 to 2 and 5 to 11 are ignored without PCIDE
  mov rax, cr3
  and eax, P_PWT
  LINE 'long.cr3-pwt ', rax
  mov rax, cr4
  or eax, CR4_PCID
  CASE 'long.pcide-with-cr3-low-bits'
  AT mov cr4, rax
  ENDCASE
  mov eax, LONG_PML4
  mov cr3, rax
  CASE 'long.pcide'
  mov rax, cr4
  or eax, CR4_PCID
  AT mov cr4, rax
  ENDCASE
  CASE 'long.cr3-bit-63-with-pcide-is-not-stored'
  mov rax, cr3
  bts rax, 63
  or eax, 5
  AT mov cr3, rax
  mov rax, cr3
  ENDCASE ' cr3=', [fault_rax]
  COMPAT
  CASE 'compat.pg-cleared-with-pcide'
  mov eax, cr0
  and eax, ~CR0_PG
  AT mov cr0, eax
  bits 64
  %assign %$bits 64
  ENDCASE
  mov rax, cr4
  and eax, ~CR4_PCID
  mov cr4, rax
  mov eax, LONG_PML4
  mov cr3, rax
  CASE 'debug.dr6-upper-half'
  mov rax, 1 << 32
  AT mov dr6, rax
  ENDCASE
  CASE 'debug.dr7-upper-half'
  mov rax, 1 << 32
  AT mov dr7, rax
  ENDCASE
  CASE 'debug.dr3-takes-64-bits'
  mov rax, 0x123456789abcdef0
  AT mov dr3, rax
  mov rax, dr3
  ENDCASE ' dr3=', [fault_rax]
  CASE 'debug.dr6-reserved'
  xor eax, eax
  mov dr6, rax
  mov rax, dr6
  ENDCASE ' dr6=', [fault_rax]
  CASE 'debug.dr7-bit-10'
  xor eax, eax
  mov dr7, rax
  mov rax, dr7
  ENDCASE ' dr7=', [fault_rax]
  PROT_MODE
  bits 32
  ret
