; Locks among more processors than most hosts have cores: who waits with PAUSE lets the owner run. A spin lock by XCHG, a ticket
; lock by XADD, each around a counter that nothing else protects.
%define CPUS 6
%include "guest.inc"
%include "smp.inc"

main:
  OPTION 'rounds', rounds
  SMP
  SAY 'spin'
  ON_ALL spin
  call report
  SAY 'ticket'
  ON_ALL ticket
  call report
  FINISH

bits 64
report:
  mov eax, [rounds]
  imul eax, eax, CPUS
  sub rax, [counter]
  LINE ': missing ', rax, ', broken in on ', [intruders]
  mov qword [counter], 0
  ret

; What the lock protects: a counter, and a mark of its owner
critical:
  mov [owner], r15
  mov rax, [counter]
  inc rax
  mov [counter], rax
  cmp [owner], r15
  je .alone
  lock inc qword [intruders]
.alone:
  ret

spin:
  mov r14d, [rounds]
.again:
  mov eax, 1
  xchg [lock_word], eax
  test eax, eax
  jz .got
.wait:
  pause
  cmp dword [lock_word], 0
  jne .wait
  jmp .again
.got:
  call critical
  mov dword [lock_word], 0
  dec r14d
  jnz .again
  ret

ticket:
  mov r14d, [rounds]
.again:
  mov eax, 1
  lock xadd [next_ticket], eax
  jmp .look
.wait:
  pause
.look:
  cmp [served], eax
  jne .wait
  call critical
  inc dword [served]
  dec r14d
  jnz .again
  ret

section .data
align 64
lock_word:   dd 0
align 64
next_ticket: dd 0
align 64
served:      dd 0
align 64
owner:       dq 0
counter:     dq 0
intruders:   dq 0
rounds:      dd 300
section .text
