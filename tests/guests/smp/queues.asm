; Structures without locks among four processors: a ring for many producers and consumers, a stack whose head has a tag
; (CMPXCHG16B), a sequence lock. Each relies on the memory ordering of SDM Vol. 3A 9.2.3 in its own way.
%define CPUS 4
%include "guest.inc"
%include "smp.inc"

RING      equ SMP_SHARED          ; cells of 16 bytes: sequence, value
RING_SIZE equ 16
NODES     equ SMP_SHARED + 0x10000 ; nodes of 64 bytes: next, owner, uses
NODE_COUNT equ 8
SEQUENCE  equ SMP_SHARED + 0x20000 ; the number, and 6 words that belong together
WORDS     equ 6

main:
  OPTION 'rounds', rounds
  SMP
  ; the ring: two produce, two consume
  mov edi, RING
  xor eax, eax
.cell:
  mov [rdi], rax
  mov qword [rdi + 8], 0
  add edi, 16
  inc eax
  cmp eax, RING_SIZE
  jb .cell
  ON_ALL use_ring
  mov ebx, [rounds]
  lea rcx, [rbx + 1]              ; what came out is what went in: twice the numbers 1 to rounds
  imul rbx, rcx
  sub rbx, [sum]
  LINE 'ring: missing ', rbx, ', out of order ', [disorder]
  ; the stack: nodes go from one to the other and back
  mov edi, NODES
  mov ecx, NODE_COUNT
  xor eax, eax
.node:
  mov [rdi], rax
  mov qword [rdi + 8], 0
  mov qword [rdi + 16], 0
  mov rax, rdi
  add edi, 64
  loop .node
  mov [stack_a], rax
  ON_ALL use_stacks
  call count_nodes
  mov eax, [rounds]
  imul eax, eax, CPUS
  sub rax, [uses]
  LINE 'stack: nodes ', [nodes], ', missing uses ', rax, ', owned twice ', [disorder]
  ; the sequence lock: one writes, three read
  ON_ALL use_sequence
  LINE 'sequence: torn ', [disorder]
  FINISH

bits 64
use_ring:
  mov r14d, 1
  cmp r15d, 2
  jae .consume
.produce:                         ; RCX = producer, number
  mov ecx, r15d
  shl rcx, 32
  or rcx, r14
.enqueue:
  mov rax, [tail]
.try:
  mov edi, eax
  and edi, RING_SIZE - 1
  shl edi, 4
  mov rbx, [RING + rdi]
  sub rbx, rax
  jb .full
  ja .enqueue
  lea rdx, [rax + 1]
  lock cmpxchg [tail], rdx
  jne .try
  mov [RING + rdi + 8], rcx
  mov [RING + rdi], rdx
  inc r14d
  cmp r14d, [rounds]
  jbe .produce
  ret
.full:
  pause
  jmp .enqueue
.consume:                         ; each takes as many as a producer makes
  xor r8d, r8d                    ; the last number from each producer
  xor r9d, r9d
  xor r10d, r10d
.dequeue:
  mov rax, [head]
.try_take:
  mov edi, eax
  and edi, RING_SIZE - 1
  shl edi, 4
  lea rdx, [rax + 1]
  mov rbx, [RING + rdi]
  sub rbx, rdx
  jb .empty
  ja .dequeue
  lock cmpxchg [head], rdx
  jne .try_take
  mov rcx, [RING + rdi + 8]
  add rax, RING_SIZE
  mov [RING + rdi], rax
  mov eax, ecx
  add r10, rax
  shr rcx, 32
  jnz .second
  cmp eax, r8d
  mov r8d, eax
  ja .next
  jmp .disorder
.second:
  cmp eax, r9d
  mov r9d, eax
  ja .next
.disorder:
  lock inc qword [disorder]
.next:
  inc r14d
  cmp r14d, [rounds]
  jbe .dequeue
  lock add [sum], r10
  ret
.empty:
  pause
  jmp .dequeue

; POP: RSI = the stack's head; RBX = a node or 0. PUSH: RSI, RDI = the node.
pop_node:
  mov rax, [rsi]
  mov rdx, [rsi + 8]
.again:
  test rax, rax
  jz .empty
  mov rbx, [rax]                  ; it may be another's already; then the tag has changed
  lea rcx, [rdx + 1]
  lock cmpxchg16b [rsi]
  jnz .again
.empty:
  mov rbx, rax
  ret
push_node:
  mov rax, [rsi]
  mov rdx, [rsi + 8]
.again:
  mov [rdi], rax
  mov rbx, rdi
  lea rcx, [rdx + 1]
  lock cmpxchg16b [rsi]
  jnz .again
  ret

use_stacks:
  mov r14d, [rounds]
  mov r12d, stack_a
  mov r13d, stack_b
.round:
  mov rsi, r12
  call pop_node
  test rbx, rbx
  jnz .own
  pause
  xchg r12, r13
  jmp .round
.own:
  mov eax, 1
  xchg [rbx + 8], rax
  add [disorder], rax             ; nobody else may own it now
  inc qword [rbx + 16]
  mov qword [rbx + 8], 0
  mov rdi, rbx
  mov rsi, r13
  call push_node
  dec r14d
  jnz .round
  ret

count_nodes:
  mov qword [nodes], 0
  mov qword [uses], 0
  mov rax, [stack_a]
  call .list
  mov rax, [stack_b]
.list:
  test rax, rax
  jz .end
  inc qword [nodes]
  mov rcx, [rax + 16]
  add [uses], rcx
  mov rax, [rax]
  jmp .list
.end:
  ret

use_sequence:
  mov r14d, [rounds]
  mov ebx, SEQUENCE
  test r15d, r15d
  jnz .read
.write:
  inc qword [rbx]
  mov rax, [rbx]
  xor ecx, ecx
.word:
  mov [rbx + 64 + rcx * 8], rax
  inc ecx
  cmp ecx, WORDS
  jb .word
  inc qword [rbx]
  dec r14d
  jnz .write
  ret
.read:
  mov rax, [rbx]
  test al, 1
  jnz .busy
  mov rdx, rax
  test rax, rax
  jz .first
  dec rdx
.first:
  xor ecx, ecx
  xor esi, esi
.look:
  mov rdi, [rbx + 64 + rcx * 8]
  xor rdi, rdx
  or rsi, rdi
  inc ecx
  cmp ecx, WORDS
  jb .look
  cmp [rbx], rax
  jne .busy
  test rsi, rsi
  jz .good
  lock inc qword [disorder]
.good:
  dec r14d
  jnz .read
  ret
.busy:
  pause
  jmp .read

section .data
align 64
head:     dq 0
align 64
tail:     dq 0
align 64
stack_a:  dq 0, 0
align 64
stack_b:  dq 0, 0
align 64
sum:      dq 0
disorder: dq 0
nodes:    dq 0
uses:     dq 0
rounds:   dd 2000
section .text
