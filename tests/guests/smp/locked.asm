; Locked instructions are one step for all processors: every kind, width and alignment, across words, cache lines and pages, on
; pages that hold code as well; and what others store beside their operands stays. SDM Vol. 3A 9.1.2.
%define CPUS 4
%include "guest.inc"
%include "smp.inc"

; Linear pages in another order than their frames, so that operands across pages are in two places
PAGES     equ TESTLIN
FRAMES    equ SMP_SHARED
CODE_PAGE equ SMP_SHARED + 0x4000 ; its first byte is executed by all, all the time
FRAME0    equ FRAMES + 0x3000
FRAME1    equ FRAMES + 0x1000
FRAME2    equ FRAMES + 0x2000

; A of 8, 16, 32 or 64 bits
%macro WIDE 1
  %assign BITS_ %1
  %if %1 == 8
    %define A_ al
    %define D_ dl
    %define UNIT byte
  %elif %1 == 16
    %define A_ ax
    %define D_ dx
    %define UNIT word
  %elif %1 == 32
    %define A_ eax
    %define D_ edx
    %define UNIT dword
  %else
    %define A_ rax
    %define D_ rdx
    %define UNIT qword
  %endif
%endmacro

; What a kind of test does to the operand at RBX once. R12: 0 at first, this processor's own sum.

%macro DO_ADD 0
  lock add UNIT [rbx], 1
%endmacro
%macro DO_INC 0
  lock inc UNIT [rbx]
%endmacro
%macro DO_SUB 0                   ; so that the sum is as for the others
  lock sub UNIT [rbx], -1
%endmacro
%macro DO_XADD 0
  mov eax, 1
  lock xadd UNIT [rbx], A_
  add r12, rax
%endmacro
%macro DO_CMPXCHG 0
  mov A_, [rbx]
%%again:
  lea rdx, [rax + 1]
  lock cmpxchg UNIT [rbx], D_
  jne %%again
%endmacro
%macro DO_ADC 0
  stc
  lock adc UNIT [rbx], 0
%endmacro
; Each processor has a bit, which the others leave alone
%macro DO_LOGIC 0
  mov ecx, r15d
  mov edx, 1
  shl edx, cl
  lock or UNIT [rbx], D_
  test UNIT [rbx], D_
  jnz %%set
  inc r12
%%set:
  not edx
  movsx rdx, edx
  lock and UNIT [rbx], D_
  not edx
  test UNIT [rbx], D_
  jz %%clear
  inc r12
%%clear:
  lock xor UNIT [rbx], D_
  test UNIT [rbx], D_
  jnz %%set_again
  inc r12
%%set_again:
  lock xor UNIT [rbx], D_
%endmacro
%macro DO_BITS 0
  %if BITS_ > 8
    mov edx, r15d
    lock bts UNIT [rbx], D_
    adc r12, 0
    lock btr UNIT [rbx], D_
    cmc
    adc r12, 0
    lock btc UNIT [rbx], D_
    adc r12, 0
    lock btc UNIT [rbx], D_
    cmc
    adc r12, 0
  %endif
%endmacro
; Twice: all together an even number of times
%macro DO_NOT 0
  lock not UNIT [rbx]
  lock not UNIT [rbx]
%endmacro
%macro DO_NEG 0
  lock neg UNIT [rbx]
  lock neg UNIT [rbx]
%endmacro
; A token of each processor goes round, and one that was there
%macro DO_XCHG 0
  mov rax, [token + r15 * 8]
  xchg UNIT [rbx], A_
  mov [token + r15 * 8], rax
%endmacro

; KIND name: its routines, one for each width
%macro KIND 1
  %assign W_ 8
  %rep 4
    WIDE W_
    align 16
kind_%1_%[W_]:
    DO_%1
    ret
    %assign W_ W_ * 2
  %endrep
%endmacro

; RUN_KIND 'name', name, check
%macro RUN_KIND 3
  SAY %1
  %assign W_ 8
  %rep 4
    mov dword [operation], kind_%2_%[W_]
    mov dword [check], %3
    mov dword [bytes], W_ / 8
    ON_ALL at_all_places
    %assign W_ W_ * 2
  %endrep
  call report
%endmacro

main:
  OPTION 'rounds', rounds
  SMP
  mov dword [LONG_PT], FRAME0 | P_P | P_W
  mov dword [LONG_PT + 8], FRAME1 | P_P | P_W
  mov dword [LONG_PT + 16], FRAME2 | P_P | P_W
  mov byte [CODE_PAGE], 0xc3      ; RET
  RUN_KIND 'add', ADD, is_count
  RUN_KIND 'inc', INC, is_count
  RUN_KIND 'sub', SUB, is_count
  RUN_KIND 'adc', ADC, is_count
  RUN_KIND 'xadd', XADD, is_count_with_sum
  RUN_KIND 'cmpxchg', CMPXCHG, is_count
  RUN_KIND 'or and xor', LOGIC, is_zero
  RUN_KIND 'bts btr btc', BITS, is_zero
  RUN_KIND 'not', NOT, is_zero
  RUN_KIND 'neg', NEG, is_zero
  RUN_KIND 'xchg', XCHG, has_tokens
  call pairs
  call mixed
  FINISH

bits 64
KIND ADD
KIND INC
KIND SUB
KIND ADC
KIND XADD
KIND CMPXCHG
KIND LOGIC
KIND BITS
KIND NOT
KIND NEG
KIND XCHG

report:
  cmp qword [wrong], 0
  jne .wrong
  LINE ': ok'
  ret
.wrong:
  LINE ': wrong ', [wrong], ' times, first at ', [first_place], ' bytes ', [first_bytes], ' with ', [first_value]
  mov qword [wrong], 0
  ret

; All processors: [rounds] operations at each place, each followed by stores of this processor to a byte of its own beside the
; operand.
at_all_places:
  mov r13d, places
.place:
  mov ebx, [r13]
  test ebx, ebx
  jz .end
  call barrier
  test r15d, r15d
  jnz .begin
  call clear
.begin:
  call barrier
  ; two processors have bytes below the operand, two above
  mov rbp, rbx
  sub rbp, r15
  dec rbp
  cmp r15d, 2
  jb .own
  mov eax, [bytes]
  lea rbp, [rbx + r15 - 2]
  add rbp, rax
.own:
  xor r12d, r12d
  xor eax, eax
  xor r14d, r14d
.round:
  inc r14d
  mov [rbp], r14b
  push rax
  call [operation]
  cmp [rbp], r14b
  je .kept
  lock inc qword [lost]
.kept:
  mov eax, CODE_PAGE
  call rax
  pop rax
  cmp r14d, [rounds]
  jb .round
  lock add [own_sum], r12
  call barrier
  test r15d, r15d
  jnz .next
  mov eax, [bytes]                ; RAX = the operand
  mov ecx, [rounds]
  imul ecx, ecx, CPUS
  mov rdx, [rbx]
  call cut
  mov rax, rdx
  call [check]
  jz .right
  call note
.right:
  cmp qword [lost], 0
  je .next
  mov rax, [lost]
  shl rax, 56
  call note
.next:
  add r13d, 4
  jmp .place
.end:
  ret

; Everything 0, tokens dealt
clear:
  mov qword [rbx - 8], 0
  mov qword [rbx], 0
  mov qword [rbx + 8], 0
  mov qword [own_sum], 0
  mov qword [lost], 0
  xor eax, eax
.token:
  lea ecx, [eax + 1]
  mov edx, 1
  shl edx, cl
  mov [token + rax * 8], rdx
  inc eax
  cmp eax, CPUS
  jb .token
  cmp dword [check], has_tokens
  jne .end
  mov byte [rbx], 1
.end:
  ret

note:                             ; RAX = what was found
  inc qword [wrong]
  cmp qword [wrong], 1
  jne .end
  mov [first_value], rax
  mov [first_place], rbx
  mov ecx, [bytes]
  mov [first_bytes], rcx
.end:
  ret

; RDX cut to the operand's width
cut:
  push rcx
  mov ecx, 8
  sub ecx, [bytes]
  shl ecx, 3
  shl rdx, cl
  shr rdx, cl
  pop rcx
  ret

; Checks: RAX = the operand, RCX = operations. ZF = 1: right.
is_count:
  mov edx, ecx
  call cut
  cmp rax, rdx
  ret
is_count_with_sum:                ; what XADD gave were all numbers from 0 on
  call is_count
  jne .end
  lea rdx, [rcx - 1]
  imul rdx, rcx
  shr rdx, 1
  sub rdx, [own_sum]
  call cut
  test rdx, rdx
.end:
  ret
is_zero:
  or rax, [own_sum]
  ret
has_tokens:
  xor ecx, ecx
.token:
  add rax, [token + rcx * 8]
  inc ecx
  cmp ecx, CPUS
  jb .token
  cmp rax, (2 << CPUS) - 1
  ret

; CMPXCHG8B and CMPXCHG16B count in both halves of a pair; whoever looks with them finds both alike.
pairs:
  SAY 'cmpxchg8b'
  mov r13d, places
.place8:
  mov ebx, [r13]
  test ebx, ebx
  jz .end8
  mov [place], rbx
  mov qword [rbx], 0
  mov dword [bytes], 8
  push r13
  ON_ALL count_pair8
  pop r13
  mov rbx, [place]
  mov eax, [rounds]
  imul eax, eax, CPUS
  cmp eax, [rbx]
  jne .wrong8
  cmp eax, [rbx + 4]
  je .next8
.wrong8:
  mov rax, [rbx]
  call note
.next8:
  add r13d, 4
  jmp .place8
.end8:
  call report
  SAY 'cmpxchg16b'
  mov r13d, places16
.place16:
  mov ebx, [r13]
  test ebx, ebx
  jz .end16
  mov [place], rbx
  mov qword [rbx], 0
  mov qword [rbx + 8], 0
  mov qword [rbx - 8], 0
  mov qword [rbx + 16], 0
  mov dword [bytes], 16
  push r13
  ON_ALL count_pair16
  pop r13
  mov rbx, [place]
  mov eax, [rounds]
  imul eax, eax, CPUS
  cmp rax, [rbx]
  jne .wrong16
  cmp rax, [rbx + 8]
  je .next16
.wrong16:
  mov rax, [rbx]
  call note
.next16:
  add r13d, 4
  jmp .place16
.end16:
  jmp report

count_pair8:
  mov rsi, [place]
  mov r14d, [rounds]
.round:
  mov eax, [rsi]
  mov edx, [rsi + 4]
.again:
  lea ebx, [rax + 1]
  lea ecx, [rdx + 1]
  mov edi, eax
  lock cmpxchg8b [rsi]
  jz .done
  cmp eax, edx
  je .again
  lock inc qword [wrong]
  jmp .again
.done:
  mov eax, CODE_PAGE
  call rax
  dec r14d
  jnz .round
  ret

count_pair16:
  mov rsi, [place]
  lea rdi, [rsi + r15 * 2 - 8]    ; two bytes of this processor's own below the pair, and a word above
  lea rbp, [rsi + r15 * 2 + 16]
  mov r14d, [rounds]
.round:
  mov [rdi], r14b
  mov [rbp], r14w
  mov rax, [rsi]
  mov rdx, [rsi + 8]
.again:
  lea rbx, [rax + 1]
  lea rcx, [rdx + 1]
  lock cmpxchg16b [rsi]
  jz .done
  cmp rax, rdx
  je .again
  lock inc qword [wrong]
  jmp .again
.done:
  cmp [rdi], r14b
  jne .lost
  cmp [rbp], r14w
  je .kept
.lost:
  lock inc qword [wrong]
.kept:
  mov eax, CODE_PAGE
  call rax
  dec r14d
  jnz .round
  ret

; Operands that overlap, of different widths, aligned and not
mixed:
  SAY 'overlapping'
  mov r13d, places
.place:
  mov ebx, [r13]
  test ebx, ebx
  jz .end
  mov [place], rbx
  mov qword [rbx - 8], 0
  mov qword [rbx], 0
  mov qword [rbx + 8], 0
  push r13
  ON_ALL add_overlapping
  pop r13
  mov rbx, [place]
  mov eax, [rounds]
  shl eax, 16                     ; each round adds 0x10000 in all to the first and the last of three units, twice that between
  cmp [rbx - 4], eax
  jne .wrong
  cmp [rbx + 4], eax
  jne .wrong
  shl eax, 1
  cmp [rbx], eax
  je .next
.wrong:
  mov rax, [rbx]
  call note
.next:
  add r13d, 4
  jmp .place
.end:
  jmp report

add_overlapping:
  mov rsi, [place]
  mov r14d, [rounds]
  mov rax, 0x0000800000008000
.round:
  cmp r15d, 1
  je .one
  ja .two
  lock add [rsi - 4], rax
  jmp .next
.one:
  lock add [rsi], rax
  jmp .next
.two:
  cmp r15d, 2
  ja .three
  lock add dword [rsi], 0x8000
  lock add word [rsi - 4], 0x8000
  jnc .next
  lock add word [rsi - 2], 1
  jmp .next
.three:
  lock add dword [rsi + 3], 0x800000
  lock add dword [rsi], 0x8000
.next:
  dec r14d
  jnz .round
  ret

section .data
align 8
operation:   dq 0
check:       dq 0
own_sum:     dq 0
lost:        dq 0
wrong:       dq 0
first_place: dq 0
first_value: dq 0
first_bytes: dq 0
place:       dq 0
token:       times CPUS dq 0
bytes:       dd 0
rounds:      dd 4                ; at most 255
places:
  dd PAGES + 0x100
  dd PAGES + 0x201, PAGES + 0x302, PAGES + 0x403, PAGES + 0x504, PAGES + 0x605, PAGES + 0x706, PAGES + 0x807
  dd PAGES + 0x93d, PAGES + 0xa3e, PAGES + 0xb3f
  dd PAGES + 0xffc, PAGES + 0xffd, PAGES + 0xfff, PAGES + 0x1ff9, PAGES + 0x1ffe
  dd CODE_PAGE + 0x100, CODE_PAGE + 0x203, CODE_PAGE + 0x33d
  dd 0
places16:
  dd PAGES + 0x100, PAGES + 0xff0, PAGES + 0x1000, CODE_PAGE + 0x110
  dd 0
section .text
