; The paravirtual clock (KVM's, which Corbel offers): CPUID 0x40000000, the system time page and the wall clock.
; Linux, Documentation/virt/kvm/x86/msr.rst.
%include "guest.inc"
%include "acpi.inc"

MSR_WALL   equ 0x4b564d00
MSR_SYSTEM equ 0x4b564d01
PAGE       equ SCRATCH + 0x40
WALL       equ SCRATCH + 0x80

main:
  mov eax, 1
  cpuid
  bt ecx, 31
  jnc .absent
  mov eax, 0x40000000
  cpuid
  cmp ebx, 'KVMK'
  jne .absent
  mov eax, 0x40000001
  cpuid
  test eax, 1 << 3
  jnz .present
.absent:
  LINE 'absent: kvmclock'
  xor eax, eax
  jmp exit32
.present:
  LINE 'kvmclock'
  call find_pm_timer
  mov ecx, MSR_SYSTEM
  xor edx, edx
  mov eax, PAGE | 1
  wrmsr
  mov ecx, MSR_SYSTEM
  rdmsr
  sub eax, PAGE
  LINE 'msr ', edx, ' ', eax
  mov eax, [PAGE]
  and eax, 1
  LINE 'version is even: ', eax
  mov eax, [PAGE]
  test eax, eax
  setnz al
  movzx eax, al
  LINE 'written: ', eax
  mov eax, [PAGE + 24]
  test eax, eax
  setnz al
  movzx eax, al
  LINE 'multiplier: ', eax
  ; time in the guest goes as the PM timer: 20 ms, to 2 %, once in 20 times
  mov dword [tries], 20
.rate:
  call nanoseconds
  mov ebx, eax
  call read_pm_timer
  mov esi, eax
  mov eax, 71591
  call wait_pm
  call nanoseconds
  sub eax, ebx
  mov ebx, eax
  call read_pm_timer
  sub eax, esi
  and eax, 0xffffff
  ; PM ticks to nanoseconds: * 279.365
  mov edx, 279365
  mul edx
  mov ecx, 1000
  div ecx
  mov ecx, eax
  sub ebx, eax
  jns .positive
  neg ebx
.positive:
  mov eax, ecx
  xor edx, edx
  mov ecx, 50
  div ecx
  cmp ebx, eax
  jbe .ok
  dec dword [tries]
  jnz .rate
  LINE 'rate is off by ', ebx
  jmp .wall
.ok:
  LINE 'rate: ok'
.wall:
  mov ecx, MSR_WALL
  xor edx, edx
  mov eax, WALL
  wrmsr
  mov eax, [WALL]
  and eax, 1
  LINE 'wall clock version is even: ', eax
  mov eax, [WALL + 4]             ; seconds since 1970: after 2020
  cmp eax, 0x5e000000
  setae al
  movzx eax, al
  LINE 'after 2020: ', eax
  mov eax, [WALL + 8]
  cmp eax, 1000000000
  setb al
  movzx eax, al
  LINE 'nanoseconds below a second: ', eax
  ; switched off
  mov ecx, MSR_SYSTEM
  xor edx, edx
  xor eax, eax
  wrmsr
  rdmsr
  LINE 'off: ', eax
  ret

; EAX = the clock's nanoseconds, low half: system_time + ((TSC - tsc_timestamp) << shift) * multiplier >> 32
nanoseconds:
  push ebx
  push ecx
  push edx
  push esi
.again:
  mov esi, [PAGE]
  test esi, 1
  jnz .again
  rdtsc
  sub eax, [PAGE + 8]
  sbb edx, [PAGE + 12]
  mov cl, [PAGE + 28]
  test cl, cl
  js .right
  shld edx, eax, cl
  shl eax, cl
  jmp .shifted
.right:
  neg cl
  shrd eax, edx, cl
  shr edx, cl
.shifted:
  mov ebx, edx
  mul dword [PAGE + 24]
  mov ecx, edx
  mov eax, ebx
  mul dword [PAGE + 24]
  add eax, ecx
  add eax, [PAGE + 16]
  cmp esi, [PAGE]
  jne .again
  pop esi
  pop edx
  pop ecx
  pop ebx
  ret
section .data
tries: dd 0
section .text
