; An instruction that faults half-way is restarted: the registers are as before it. REP is interrupted between iterations.
; SDM Vol. 3A 6.5 (faults: "the state of the program ... prior to the beginning of execution"), Vol. 2B "REP".
%define UALIAS ALIAS
%include "guest.inc"
%include "paging32.inc"

HERE   equ TESTLIN
AWAY equ TESTLIN + 0x1000
ALL    equ P_P | P_W | P_U

; Faulting with ESP near AWAY needs another stack for the handler: user code.
%macro RESTART 2+
  CASE %1
  mov eax, 0x11
  mov ebx, AWAY
  mov ecx, 0x22
  mov edx, 0x33
  mov esi, HERE
  mov edi, AWAY
  mov ebp, 0x44
  USER
  AT %2
  ENDCASE ' eax=', [fault_eax], ' ecx=', [fault_ecx], ' edx=', [fault_edx], ' esi=', [fault_esi], ' edi=', [fault_edi], \
    ' ebp=', [fault_ebp], ' esp=', [fault_sp]
%endmacro

; STACK 'name', ESP, instruction: shows ESP and EBP after the fault
%macro STACK 3+
  CASE %1
  mov eax, 0x11
  mov ebx, HERE
  mov ecx, 0x22
  mov edx, 0x33
  mov ebp, 0x44
  mov esi, 0x55
  mov edi, 0x66
  USER
  mov esp, %2
  AT %3
  ENDCASE ' esp=', [fault_sp], ' ebp=', [fault_ebp], ' eax=', [fault_eax]
%endmacro

main:
  call build_two_level
  mov dword [TEST_PT], TESTPAGES + ALL
  mov dword [TEST_PT + 8], (TESTPAGES + 0x2000) + ALL
  BASE AWAY
  RESTART 'mov', mov eax, [ebx]
  RESTART 'xchg', xchg eax, [ebx]
  RESTART 'xadd', xadd [ebx], eax
  RESTART 'cmpxchg', cmpxchg [ebx], ecx
  RESTART 'cmpxchg8b', cmpxchg8b [ebx]
  RESTART 'inc', inc dword [ebx]
  RESTART 'mul', mul dword [ebx]
  RESTART 'div', div dword [ebx]
  RESTART 'shld', shld [ebx], eax, 3
  RESTART 'bts', bts [ebx], ecx
  RESTART 'les', les eax, [ebx - 4]
  RESTART 'movsd to absent', movsd
  RESTART 'stosd', stosd
  RESTART 'scasd', scasd
  RESTART 'cmpsd', cmpsd
  RESTART 'xlat', xlatb
  RESTART 'call [absent]', call [ebx]
  RESTART 'jmp [absent]', jmp [ebx]
  RESTART 'push [absent]', push dword [ebx]
  RESTART 'pop [absent]', pop dword [ebx]
  RESTART 'pop [esp-relative]', pop dword [esp + 0x3fdd0ffc]
  RESTART 'fxsave', fxsave [ebx]

  LINE 'stack'
  ; pushes go below HERE, which is absent, too; pops run into AWAY
  STACK 'push', HERE, push eax
  STACK 'push 16-bit', HERE, push ax
  STACK 'push memory', HERE, push dword [ebx]
  STACK 'pushf', HERE, pushfd
  STACK 'call', HERE, call $ + 5
  STACK 'call register', HERE, call ebx
  STACK 'far call', HERE, call U32_CODE:main + ALIAS
  STACK 'far call, second push', HERE + 4, call U32_CODE:main + ALIAS
  STACK 'enter', HERE, enter 16, 0
  STACK 'enter, frame below', HERE + 4, enter 16, 0
  STACK 'enter nested', HERE + 0x100, enter 0, 2
  STACK 'pusha', HERE + 8, pushad
  STACK 'pop', AWAY, pop eax
  STACK 'pop crossing', AWAY - 2, pop eax
  STACK 'pop segment', AWAY, pop es
  STACK 'popa', AWAY - 0x10, popad
  STACK 'popf', AWAY, popfd
  STACK 'ret', AWAY, ret
  STACK 'retf', AWAY - 4, retf
  STACK 'iret', AWAY - 8, iretd
  STACK 'leave', HERE + 8, leave
  STACK 'pop to absent', HERE + 8, pop dword [AWAY]

  LINE 'rep'
%define REGISTERS ' ecx=', [fault_ecx], ' esi=', [fault_esi], ' edi=', [fault_edi]
  CASE 'rep stosd'
  xor esi, esi
  mov edi, AWAY - 16
  mov ecx, 10
  AT rep stosd
  ENDCASE REGISTERS
  CASE 'rep stosd, crossing'
  mov edi, AWAY - 10
  mov ecx, 10
  AT rep stosd
  ENDCASE REGISTERS
  CASE 'rep movsb read'
  mov esi, AWAY - 3
  mov edi, HERE + 0x100
  mov ecx, 8
  AT rep movsb
  ENDCASE REGISTERS
  CASE 'rep movsw write'
  mov esi, HERE + 0x100
  mov edi, AWAY - 2
  mov ecx, 8
  AT rep movsw
  ENDCASE REGISTERS
  CASE 'rep movsb backwards'
  std
  mov esi, HERE + 1
  mov edi, HERE + 0x100
  mov ecx, 8
  AT rep movsb
  ENDCASE REGISTERS
  CASE 'rep movsd over two pages'
  mov esi, HERE
  mov edi, TESTLIN + 0x2000
  mov ecx, 0x404
  AT rep movsd
  ENDCASE REGISTERS
  mov edi, HERE
  mov ecx, 0x1000
  xor eax, eax
  rep stosb
  CASE 'repe cmpsb'
  mov esi, HERE + 0xff0
  mov edi, AWAY - 3
  mov ecx, 16
  AT repe cmpsb
  ENDCASE REGISTERS
  CASE 'repne scasb'
  xor esi, esi
  mov edi, AWAY - 4
  mov ecx, 16
  mov al, 0x99
  AT repne scasb
  ENDCASE REGISTERS
  CASE 'rep with count 0'
  mov esi, AWAY
  mov edi, AWAY
  xor ecx, ecx
  AT rep movsd
  rep stosb
  repne scasb
  ENDCASE REGISTERS
  CASE 'rep insb'
  mov edi, AWAY - 2
  mov ecx, 4
  mov edx, 0x80
  AT rep insb
  ENDCASE ' ecx=', [fault_ecx], ' edi=', [fault_edi]
  CASE 'rep outsb'
  mov esi, AWAY - 2
  mov ecx, 4
  mov edx, 0x80
  AT rep outsb
  ENDCASE ' ecx=', [fault_ecx], ' esi=', [fault_esi]
  mov eax, cr0
  and eax, ~CR0_PG
  mov cr0, eax
  ret
