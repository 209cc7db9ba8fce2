; One time for all: a time-stamp counter that a processor has read lies in no other's future. Counters of the board agree as well,
; whoever reads them. SDM Vol. 3B 18.17.
%define CPUS 4
%include "guest.inc"
%include "smp.inc"
%include "acpi.inc"

HPET equ 0xfed00000

main:
  OPTION 'rounds', rounds
  call find_pm_timer
  SMP
  mov eax, HPET
  mov dword [rax + 0x10], 1
  mov dword [clock], read_tsc
  ON_ALL pass_on
  SAY 'rdtsc'
  call report
  mov dword [clock], read_tscp
  ON_ALL pass_on
  SAY 'rdtscp'
  call report
  shr dword [rounds], 7           ; these are slow
  mov dword [clock], read_hpet
  ON_ALL pass_on
  SAY 'hpet'
  call report
  mov dword [clock], read_pm
  ON_ALL pass_on
  SAY 'pm timer'
  call report
  ON_ALL compare_rates
  LINE 'as fast: wrong ', [backwards]
  FINISH

bits 64
report:
  LINE ' went back ', [backwards]
  mov qword [backwards], 0
  mov qword [last], 0
  ret

read_tsc:
  lfence
  rdtsc
  shl rdx, 32
  or rax, rdx
  ret
read_tscp:
  rdtscp
  shl rdx, 32
  or rax, rdx
  lfence
  ret
read_hpet:
  mov eax, HPET
  mov eax, [rax + 0xf0]
  ret
read_pm:
  mov edx, [pm_timer_port]
  in eax, dx
  and eax, 0xffffff
  ret

; What is in [last] somebody has read before.
pass_on:
  mov r14d, [rounds]
  mov ebx, 1 << 23                ; half of the narrowest counter's round
.next:
  mov rsi, [last]
  call [clock]
  test rsi, rsi
  jz .fine
  mov rcx, rax
  sub rcx, rsi
  cmp dword [clock], read_pm
  jne .wide
  and ecx, 0xffffff
  test ecx, ebx
  jz .fine
  jmp .wrong
.wide:
  cmp dword [clock], read_hpet
  jne .wider
  movsxd rcx, ecx
.wider:
  test rcx, rcx
  jns .fine
.wrong:
  lock inc qword [backwards]
.fine:
  mov [last], rax
  dec r14d
  jnz .next
  ret

; Between two meetings the same time has passed for all: within the time that the meetings take.
compare_rates:
  call barrier
  call read_tsc
  mov rbx, rax
  call barrier
  call read_tsc
  mov r12, rax                    ; all have begun between RBX and R12
  test r15d, r15d
  jnz .wait
  mov eax, 20
  call sleep_ms
.wait:
  call barrier
  call read_tsc
  mov rsi, rax
  call barrier
  call read_tsc
  ; least and most that has passed: RSI - R12 and RAX - RBX
  sub rax, rbx
  sub rsi, r12
  mov [most + r15 * 8], rax
  mov [least + r15 * 8], rsi
  call barrier
  xor ecx, ecx
.other:
  cmp rsi, [most + rcx * 8]
  jbe .right
  lock inc qword [backwards]
.right:
  inc ecx
  cmp ecx, CPUS
  jb .other
  ret

section .data
align 64
last:      dq 0
align 64
backwards: dq 0
clock:     dq 0
least:     times CPUS dq 0
most:      times CPUS dq 0
rounds:    dd 10000
section .text
