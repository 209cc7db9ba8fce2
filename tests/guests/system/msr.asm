; RDMSR and WRMSR: unknown registers, reserved bits, what can be read back; RDTSC(P), the TSC, RDPMC. SDM Vol. 2B, Vol. 4 chapter 2.
%include "guest.inc"

%macro READ 2
  CASE %1
  mov ecx, %2
  AT rdmsr
  ENDCASE
%endmacro
%macro WRITE 4                    ; name, MSR, EDX, EAX
  CASE %1
  mov ecx, %2
  mov edx, %3
  mov eax, %4
  AT wrmsr
  ENDCASE
%endmacro

main:
  READ 'unknown 2fff', 0x2fff
  WRITE 'write unknown 2fff', 0x2fff, 0, 0
  READ 'unknown c0001fff', 0xc0001fff
  READ 'unknown ffffffff', 0xffffffff
  READ 'tsc', MSR_TSC
  READ 'apic base', MSR_APIC
  READ 'mtrr capabilities', 0xfe
  WRITE 'mtrr capabilities are read-only', 0xfe, 0, 0
  READ 'pat', 0x277
  LINE 'pat at reset'
  mov ecx, 0x277
  rdmsr
  LINE edx, ' ', eax
  WRITE 'pat, type 2', 0x277, 0x00070406, 0x00070402
  WRITE 'pat, reserved bit', 0x277, 0x00070406, 0x00070486
  WRITE 'pat, all types', 0x277, 0x00010405, 0x07060100
  mov ecx, 0x277
  rdmsr
  LINE edx, ' ', eax
  WRITE 'pat back', 0x277, 0x00070406, 0x00070406
  WRITE 'mtrr default type 2', 0x2ff, 0, 2
  WRITE 'mtrr default type, reserved bit', 0x2ff, 0, 0x100
  WRITE 'mtrr physical base type 3', 0x200, 0, 3
  WRITE 'fixed mtrr type 7', 0x250, 0, 0x07000000
  WRITE 'apic base, reserved bits', MSR_APIC, 0, 0xfee00801
  WRITE 'efer in ring 0', MSR_EFER, 0, 0
  CASE 'ring 3'
  USER
  mov ecx, MSR_TSC
  AT rdmsr
  ENDCASE

  LINE 'tsc'
  rdtsc
  mov ebx, eax
  mov esi, edx
  mov ecx, 1000
.spin:
  loop .spin
  rdtsc
  sub eax, ebx
  sbb edx, esi
  test edx, edx
  LINE 'goes up: ', edx
  ; written: at once, and RDMSR shows it
  mov ecx, MSR_TSC
  mov edx, 0x1234
  xor eax, eax
  wrmsr
  rdtsc
  LINE 'written ', edx
  mov ecx, MSR_TSC
  rdmsr
  LINE 'read ', edx
  mov ecx, 0xc0000103
  xor edx, edx
  mov eax, 0x55
  wrmsr
  rdtscp
  LINE 'rdtscp aux ', ecx, ' ', edx
  WRITE 'tsc aux, upper half', 0xc0000103, 1, 0
  CASE 'rdpmc of no counter'
  mov ecx, 0xff
  AT rdpmc
  ENDCASE
  ret
