; Interrupts between processors: every one is counted. Destinations and shorthands, priorities, NMI, INIT and start-up of
; processors that run, wake-ups from HLT. SDM Vol. 3A 9.4, 12.6.
%define CPUS 4
%include "guest.inc"
%include "smp.inc"

FIXED   equ 0x50
WAKE    equ 0x51
STORM   equ 0x60                  ; from each processor another one

; WAIT_ALL n: until every processor has counted n interrupts, as far as EBX has its bit
%macro WAIT_ALL 1
  mov esi, %1
  call wait_all
%endmacro

; EXPECT: prints what the processors have counted; then it is 0 again
%macro EXPECT 0
  mov eax, 2                      ; one too many would come now
  call sleep_ms
  LINE ' ', [counts], ' ', [counts + 64], ' ', [counts + 128], ' ', [counts + 192]
  call clear_counts
%endmacro

main:
  OPTION 'rounds', rounds
  OPTION 'turns', ping_pongs
  SMP
  GATE64 FIXED, count, SYS_INT32
  GATE64 WAKE, wake, SYS_INT32
  GATE64 2, count_nmi, SYS_INT32
  GATE64 STORM, storm_0, SYS_INT32
  GATE64 STORM + 1, storm_1, SYS_INT32
  GATE64 STORM + 2, storm_2, SYS_INT32
  GATE64 STORM + 3, storm_3, SYS_INT32

  mov dword [sender], send_one
  ON_ALL listen
  SAY 'each alone'
  EXPECT
  mov dword [sender], send_shorthands
  ON_ALL listen
  SAY 'all but self, all, self'
  EXPECT
  mov dword [sender], send_logical
  ON_ALL listen
  SAY 'logical 1 and 3'
  EXPECT
  mov dword [sender], send_lowest
  ON_ALL listen
  mov rax, [counts + 64]
  add rax, [counts + 128]
  add rax, [counts + 192]
  LINE 'lowest priority ', rax, ', itself ', [counts]
  call clear_counts
  mov dword [sender], send_nmi
  ON_ALL be_deaf
  SAY 'nmi'
  EXPECT
  mov dword [sender], send_nmi
  ON_ALL sleep_deaf
  SAY 'nmi while halted'
  EXPECT
  ON_ALL hold_back
  SAY 'held back by priority'
  EXPECT

  ON_ALL storm_with_answers
  mov eax, [rounds]
  imul eax, eax, CPUS * (CPUS - 1)
  sub rax, [counts]
  sub rax, [counts + 64]
  sub rax, [counts + 128]
  sub rax, [counts + 192]
  LINE 'storm: missing ', rax
  call clear_counts
  ON_ALL storm_unanswered
  LINE 'the last of a storm: missing ', [wrong]
  ON_ALL ping_pong
  SAY 'ping-pong'
  call report_turns
  ON_ALL ring
  SAY 'ring'
  call report_turns

  mov dword [victim_state], spin_deaf
  SAY 'restarted while it spins'
  call restart_test
  mov dword [victim_state], halt_deaf
  SAY 'while it is halted'
  call restart_test
  mov dword [victim_state], interrupted
  SAY 'in a handler'
  call restart_test
  mov dword [victim_state], lock_line
  SAY 'while it locks the bus'
  call restart_test
  FINISH

bits 64
report_turns:
  mov eax, [ping_pongs]
  sub rax, [turns]
  LINE ': missing ', rax
  ret

clear_counts:
  xor eax, eax
  mov [counts], rax
  mov [counts + 64], rax
  mov [counts + 128], rax
  mov [counts + 192], rax
  ret

count:
  push rdx
  mov edx, r15d
  shl edx, 6
  inc qword [counts + rdx]
  pop rdx
  EOI64
  iretq
count_nmi:
  push rdx
  mov edx, r15d
  shl edx, 6
  inc qword [counts + rdx]
  pop rdx
  iretq
wake:
  EOI64
  iretq

; Until the processors whose bits EBX has have counted ESI
wait_all:
  xor ecx, ecx
.next:
  bt ebx, ecx
  jnc .done
  mov edx, ecx
  shl edx, 6
  SPIN_WHILE ne, dword [counts + rdx], esi
.done:
  inc ecx
  cmp ecx, CPUS
  jb .next
  ret

; Processor 0 sends, the others take interrupts until it is over.
listen:
  sti
  test r15d, r15d
  jnz .wait
  mov dword [over], 0
  call barrier
  call [sender]
  mov dword [over], 1
  cli
  ret
.wait:
  call barrier
  SPIN_WHILE e, dword [over], 0
  cli
  ret

send_one:
  mov r14d, 1
.round:
  mov r12d, 1
.next:
  SEND_IPI ASSERT | FIXED, r12d
  lea ecx, [r12]
  mov ebx, 1
  shl ebx, cl
  WAIT_ALL r14d
  inc r12d
  cmp r12d, CPUS
  jb .next
  SEND_IPI ASSERT | FIXED, 0
  mov ebx, 1
  WAIT_ALL r14d
  inc r14d
  cmp r14d, 40
  jbe .round
  ret

send_shorthands:
  mov r14d, 1
.round:
  SEND_IPI ALL_BUT_SELF | ASSERT | FIXED
  mov ebx, 0xe
  lea esi, [r14 * 2 - 1]
  call wait_all
  SEND_IPI ALL | ASSERT | FIXED
  mov ebx, 0xe
  lea esi, [r14 * 2]
  call wait_all
  mov ebx, 1
  lea esi, [r14 * 2 - 1]
  call wait_all
  SEND_IPI SELF | ASSERT | FIXED
  mov ebx, 1
  lea esi, [r14 * 2]
  call wait_all
  inc r14d
  cmp r14d, 40
  jbe .round
  ret

; In xAPIC mode every processor has the bit of its number in the flat model; in x2APIC mode it has it anyway.
set_logical:
  cmp dword [x2apic_mode], 0
  jne .end
  mov ecx, r15d
  add ecx, 24
  mov eax, 1
  shl eax, cl
  APIC_PUT APIC_LDR, eax
  APIC_PUT APIC_DFR, -1
.end:
  ret

send_logical:
  call logical_everywhere
  mov r14d, 1
.round:
  SEND_IPI LOGICAL | ASSERT | FIXED, 0xa
  mov ebx, 0xa
  WAIT_ALL r14d
  inc r14d
  cmp r14d, 40
  jbe .round
  ret

send_lowest:
  call logical_everywhere
  mov r14d, 1
.round:
  SEND_IPI LOGICAL | LOWEST | ASSERT | FIXED, 0xe
.wait:
  pause
  mov rax, [counts + 64]
  add rax, [counts + 128]
  add rax, [counts + 192]
  cmp eax, r14d
  jb .wait
  inc r14d
  cmp r14d, 40
  jbe .round
  ret

; By an interrupt, as the others listen: each sets its own registers
logical_everywhere:
  GATE64 WAKE, make_logical, SYS_INT32
  mov dword [answers], 0
  SEND_IPI ALL | ASSERT | WAKE
  SPIN_WHILE ne, dword [answers], CPUS
  GATE64 WAKE, wake, SYS_INT32
  ret
make_logical:
  push rax
  push rcx
  push rdx
  call set_logical
  APIC_PUT APIC_EOI, 0
  lock inc dword [answers]
  pop rdx
  pop rcx
  pop rax
  iretq

send_nmi:
  mov r14d, 1
.round:
  SEND_IPI ALL_BUT_SELF | ASSERT | NMI_MODE
  mov ebx, 0xe
  WAIT_ALL r14d
  inc r14d
  cmp r14d, 40
  jbe .round
  ret
be_deaf:
  test r15d, r15d
  jz listen
  call barrier
  SPIN_WHILE e, dword [over], 0
  ret
sleep_deaf:
  test r15d, r15d
  jz .send
  call barrier
  mov ecx, r15d
  shl ecx, 6
.sleep:
  hlt                             ; NMIs are blocked until IRET, and one that came before HLT ends no HLT: so they answer
  lock inc dword [answers]
  cmp dword [counts + rcx], 40
  jb .sleep
  ret
.send:
  call barrier
  mov r14d, 1
.round:
  mov eax, 1
  call sleep_ms                   ; by then the others are halted, or will be woken by the next
  SEND_IPI ALL_BUT_SELF | ASSERT | NMI_MODE
  mov ebx, 0xe
  WAIT_ALL r14d
  inc r14d
  cmp r14d, 40
  jbe .round
  ret

; With a high task priority the interrupts of the others wait in the IRR; several of the same vector become one.
hold_back:
  test r15d, r15d
  jz .send
  APIC_PUT APIC_TPR, 0x50
  sti
  call barrier
.pending:
  APIC_GET APIC_IRR + (FIXED / 32) * 16
  bt eax, FIXED % 32
  jnc .pending
  call barrier                    ; all of them are sent
  mov ecx, r15d
  shl ecx, 6
  cmp qword [counts + rcx], 0
  je .none
  add qword [counts + rcx], 100
.none:
  APIC_PUT APIC_TPR, 0
  mov ecx, r15d
  shl ecx, 6
  SPIN_WHILE e, qword [counts + rcx], 0
  cli
  ret
.send:
  call barrier
  SEND_IPI ALL_BUT_SELF | ASSERT | FIXED
  SEND_IPI ALL_BUT_SELF | ASSERT | FIXED
  jmp barrier

; Everybody sends to all others, with a vector of its own, and sends again when they have answered.
%macro STORM_HANDLER 1
storm_%1:
  push rdx
  mov edx, r15d
  shl edx, 6
  lock inc qword [counts + rdx]
  lock inc dword [answers + %1 * 64]
  mov rdx, [number + %1 * 64]
  shl r15d, 4
  mov [last + r15 + %1 * 4], edx
  shr r15d, 4
  pop rdx
  EOI64
  iretq
%endmacro
STORM_HANDLER 0
STORM_HANDLER 1
STORM_HANDLER 2
STORM_HANDLER 3

storm_with_answers:
  sti
  mov r14d, [rounds]
  mov r12d, r15d
  shl r12d, 6
.round:
  mov dword [answers + r12], 0
  lea ebx, [r15 + (ALL_BUT_SELF | ASSERT | STORM)]
  SEND_IPI ebx
  SPIN_WHILE ne, dword [answers + r12], CPUS - 1
  dec r14d
  jnz .round
  call barrier
  cli
  ret

; Without waiting: some become one, but what was stored before the last one is seen in its handler.
storm_unanswered:
  call barrier
  sti
  mov r14d, 1
  mov r12d, r15d
  shl r12d, 6
.round:
  mov [number + r12], r14d
  lea ebx, [r15 + (ALL_BUT_SELF | ASSERT | STORM)]
  SEND_IPI ebx
  inc r14d
  cmp r14d, [rounds]
  jbe .round
  dec r14d
  ; of everybody, unless it has been told too little
  mov r13d, 30000000
.wait:
  pause
  mov ecx, r15d
  shl ecx, 4
  xor edx, edx
  xor esi, esi
.from:
  cmp edx, r15d
  je .fine
  cmp [last + rcx + rdx * 4], r14d
  je .fine
  inc esi
.fine:
  inc edx
  cmp edx, CPUS
  jb .from
  test esi, esi
  jz .end
  dec r13d
  jnz .wait
  lock add [wrong], rsi
.end:
  call barrier
  cli
  ret

; Two that halt until it is their turn
ping_pong:
  mov r13d, [ping_pongs]
  mov r12d, 2
  jmp take_turns
ring:
  mov r13d, [ping_pongs]
  mov r12d, CPUS
; R12 processors, R13 turns
take_turns:
  test r15d, r15d
  jnz .begin
  mov qword [turns], 0
.begin:
  call barrier
  cmp r15d, r12d
  jae .end
.again:
  cli
  mov eax, [turns]
  cmp eax, r13d
  jae .over
  xor edx, edx
  div r12d
  cmp edx, r15d
  je .mine
  sti
  hlt
  jmp .again
.mine:
  lea edx, [r15 + 1]
  cmp edx, r12d
  jb .to
  xor edx, edx
.to:
  mov ebx, edx
  inc dword [turns]
  SEND_IPI ASSERT | WAKE, ebx
  jmp .again
.over:
  lea edx, [r15 + 1]              ; the one whose turn it would be sleeps perhaps
  cmp edx, r12d
  jb .tell
  xor edx, edx
.tell:
  mov ebx, edx
  SEND_IPI ASSERT | WAKE, ebx
.end:
  ret

; Processor 1 is reset and started while it is in [victim_state], 8 times; the others go on meanwhile.
restart_test:
  mov qword [starts], 0
  mov dword [over], 0
  mov dword [smp_restart], restarted
  ON_ALL restart
  mov dword [smp_restart], 0
  LINE ': ', [starts], ', ran on ', [wrong]
  ret
restart:
  cmp r15d, 1
  je .victim
  jb .reset
  mov r14d, 0
.work:                            ; split locks, so that the bus is in use
  lock inc dword [SMP_SHARED + 0x3e]
  cmp dword [over], 0
  je .work
  ret
.victim:
  jmp [victim_state]
.reset:
  mov r14d, 1
.round:
  mov eax, 1
  call sleep_ms
  SEND_IPI ASSERT | INIT_MODE, 1
  mov r13d, 100
.running:                         ; it stops soon
  mov rbx, [alive]
  mov eax, 2
  call sleep_ms
  cmp rbx, [alive]
  je .stopped
  dec r13d
  jnz .running
  inc qword [wrong]
.stopped:
  SEND_IPI ASSERT | STARTUP_MODE | (TRAMPOLINE >> 12), 1
  SPIN_WHILE ne, dword [starts], r14d
  SEND_IPI ASSERT | STARTUP_MODE | (TRAMPOLINE >> 12), 1 ; it does not wait for this one any more
  inc r14d
  cmp r14d, 8
  jbe .round
  mov eax, 2
  call sleep_ms
  mov dword [over], 1
  SEND_IPI ASSERT | NMI_MODE, 1
  call clear_counts
  ret
restarted:                        ; the victim's stack is empty again
  inc qword [starts]
  call [victim_state]
  jmp finish_job

spin_deaf:
  inc qword [alive]
  cmp dword [over], 0
  je spin_deaf
  ret
halt_deaf:
  hlt
  cmp dword [over], 0
  je halt_deaf
  ret
interrupted:
  GATE64 WAKE, stay, SYS_INT32
  sti
  SEND_IPI SELF | ASSERT | WAKE
.wait:
  pause
  cmp dword [over], 0
  je .wait
  cli
  ret
stay:                             ; in service while it is reset
  sti
.wait:
  inc qword [alive]
  cmp dword [over], 0
  je .wait
  EOI64
  iretq
lock_line:
  inc qword [alive]
  lock inc dword [SMP_SHARED + 0x7e]
  cmp dword [over], 0
  je lock_line
  ret

section .data
align 64
counts:       times 8 * CPUS dq 0
answers:      times 16 * CPUS dd 0
number:       times 16 * CPUS dd 0
last:         times 4 * CPUS dd 0
align 64
over:         dq 0
align 64
turns:        dq 0
align 64
alive:        dq 0
starts:       dq 0
wrong:        dq 0
sender:       dq 0
victim_state: dq 0
rounds:       dd 100
ping_pongs:   dd 1000
section .text
