; Paging structures that one processor changes while others use them. After every processor has invalidated an entry and said so,
; nobody uses what it was (SDM Vol. 3A 4.10.5); accessed and dirty flags are set in one step, before the access is seen, and get
; lost in no race (4.8).
%define CPUS 4
%include "guest.inc"
%include "smp.inc"

FLUSH       equ 0x41              ; vector
FRAMES      equ SMP_SHARED        ; a marker at their start, then a word for each processor
FRAME_COUNT equ 4
CODE_FRAMES equ SMP_SHARED + 0x10000
DIRTY_FRAMES equ SMP_SHARED + 0x20000
DIRTY_PAGES equ 8
DATA_PAGE   equ TESTLIN           ; the linear pages
CODE_LINEAR equ TESTLIN + 0x1000
DIRTY_LINEAR equ TESTLIN + 0x10000
DIRTY_PT    equ LONG_PT + 0x10 * 8
D_BIT       equ 6
A_BIT       equ 5
FREE_BIT    equ 9

main:
  OPTION 'rounds', rounds
  SMP
  GATE64 FLUSH, flush, SYS_INT32
  GATE64 14, page_fault, SYS_INT32
  ; frames: markers, and functions that return their numbers
  mov edi, FRAMES
  mov esi, CODE_FRAMES
  xor eax, eax
.frame:
  mov [rdi], rax
  mov byte [rsi], 0xb8
  mov [rsi + 1], eax
  mov byte [rsi + 5], 0xc3
  add edi, 0x1000
  add esi, 0x1000
  inc eax
  cmp eax, FRAME_COUNT
  jb .frame
  call set_mapping
  ON_ALL mapping
  LINE 'mapping: stale reads ', [stale_reads], ', writes ', [stale_writes], ', code ', [stale_code], ', late ', [late]
  mov edi, DIRTY_PT
  mov eax, DIRTY_FRAMES | P_P | P_W
  mov ecx, DIRTY_PAGES
.page:
  mov [rdi], rax
  add edi, 8
  add eax, 0x1000
  loop .page
  mov dword [over], 0
  ON_ALL dirty
  LINE 'dirty: lost ', [lost_dirty], ', accessed: lost ', [lost_accessed], ', other bits: lost ', [lost_bits]
  ON_ALL many_marks
  mov ecx, DIRTY_PAGES
.look:
  mov rax, [DIRTY_PT - 8 + rcx * 8]
  and eax, P_A | P_D | 0xe00
  cmp eax, P_A | P_D | 0xe00
  je .marked
  inc qword [lost_bits]
.marked:
  loop .look
  LINE 'marks: lost ', [lost_bits]
  FINISH

bits 64
; The page tables of generation [target]: of each three the first maps a frame for writing, the second for reading, the third
; not at all. Code lies in a frame of the same number.
set_mapping:
  mov eax, [target]
  xor edx, edx
  mov ecx, 3
  div ecx                         ; EDX = kind
  and eax, FRAME_COUNT - 1
  shl eax, 12
  lea ecx, [rax + CODE_FRAMES + P_P]
  mov [LONG_PT + 8], rcx
  cmp edx, 1
  ja .absent
  lea rcx, [rax + FRAMES + P_P]
  je .set
  or ecx, P_W
.set:
  mov [LONG_PT], rcx
  ret
.absent:
  mov qword [LONG_PT], 0
  ret

flush:                            ; the page under test; now and then everything
  push rax
  push rcx
  push rdx
  mov rax, [victim]
  test byte [target], 4
  jz .all
  invlpg [rax]
  mov eax, CODE_LINEAR
  invlpg [rax]
  jmp .said
.all:
  mov rax, cr3
  mov cr3, rax
.said:
  lock inc dword [flushed]
  APIC_PUT APIC_EOI, 0
  pop rdx
  pop rcx
  pop rax
  iretq

page_fault:                       ; R11 = where to go on
  add rsp, 8
  mov [rsp], r11
  iretq

flush_others:
  mov dword [flushed], 0
  SEND_IPI ALL_BUT_SELF | ASSERT | FLUSH
  SPIN_WHILE ne, dword [flushed], CPUS - 1
  ret

mapping:
  mov rax, cr0
  or eax, CR0_WP
  mov cr0, rax
  test r15d, r15d
  jnz use_mapping
  mov dword [victim], DATA_PAGE
.next:
  inc dword [target]
  call set_mapping
  call flush_others
  mov eax, [target]
  mov [generation], eax
  xor edx, edx
  mov ecx, 3
  div ecx
  and eax, FRAME_COUNT - 1
  shl eax, 12
  lea rsi, [rax + FRAMES + 8]
  ; nobody writes to a frame that is mapped for reading
  cmp edx, 1
  jne .writable
  mov rax, [rsi]
  add rax, [rsi + 8]
  add rax, [rsi + 16]
  mov r8d, 300
.watch:
  mov rcx, [rsi]
  add rcx, [rsi + 8]
  add rcx, [rsi + 16]
  cmp rax, rcx
  je .unchanged
  inc qword [late]
  mov rax, rcx
.unchanged:
  dec r8d
  jnz .watch
.writable:
  mov eax, [rounds]
  cmp [target], eax
  jb .next
  mov dword [over], 1
  ret

; Between the generation before an access and the one after it, or the next, one has to explain what happened.
use_mapping:
  sti
.again:
  ; a read: RAX = the frame's number, -1 for a fault
  mov esi, [generation]
  mov rax, -1
  mov r11d, .read
  mov ebx, DATA_PAGE
  mov rax, [rbx]
.read:
  mov ebp, stale_reads
  xor r10d, r10d
  call explain
  ; a write: RAX = 0, -1 for a fault
  mov esi, [generation]
  mov rax, -1
  mov r11d, .written
  mov ebx, DATA_PAGE
  inc qword [rbx + r15 * 8]
  xor eax, eax
.written:
  mov ebp, stale_writes
  mov r10d, 1
  call explain
  mov esi, [generation]
  mov ebx, CODE_LINEAR
  call rbx
  mov ebp, stale_code
  mov r10d, 2
  call explain
  cmp dword [over], 0
  je .again
  cli
  ret

; ESI = the generation before; RAX = what was found; R10 = 0 for a read, 1 for a write, 2 for code; RBP = counter
explain:
  mov rdi, rax
  mov r9d, [generation]
  inc r9d
.generation:
  mov eax, esi
  xor edx, edx
  mov ecx, 3
  div ecx
  and eax, FRAME_COUNT - 1
  cmp r10d, 1
  ja .number
  je .write
  cmp edx, 2
  jne .number
  mov rax, -1
  jmp .number
.write:
  xor eax, eax
  test edx, edx
  jz .number
  mov rax, -1
.number:
  cmp rax, rdi
  je .explained
  inc esi
  cmp esi, r9d
  jbe .generation
  lock inc qword [rbp]
.explained:
  ret

; Processor 0 clears A and D of page after page and invalidates; then two others write, and one reads.
dirty:
  test r15d, r15d
  jnz .use
  mov r14d, [rounds]
  mov r12d, 0
.round:
  lea rdi, [DIRTY_PT + r12 * 8]
  mov eax, r12d
  shl eax, 12
  lea rbx, [rax + DIRTY_FRAMES]   ; the frame, not by way of the page
  add eax, DIRTY_LINEAR
  mov [victim], rax
  lock btr qword [rdi], D_BIT
  lock btr qword [rdi], A_BIT
  call flush_others
  mov rax, [rbx + 8]
  mov rcx, [rbx + 16]
.wait:
  pause
  lock btc qword [rdi], FREE_BIT  ; nobody else changes it
  mov rdx, [rdi]
  lock btc qword [rdi], FREE_BIT
  mov rsi, [rdi]
  xor rsi, rdx
  bt rsi, FREE_BIT
  jc .kept
  inc qword [lost_bits]
.kept:
  mov rdx, [rbx + 8]
  mov rsi, [rbx + 16]
  sub rdx, rax
  sub rsi, rcx
  or rdx, rsi
  jz .wait
  bt qword [rdi], D_BIT
  jc .is_dirty
  inc qword [lost_dirty]
.is_dirty:
  ; the reader: a page that nobody writes to
  lea rdi, [DIRTY_PT + DIRTY_PAGES * 8 - 8]
  mov dword [victim], DIRTY_LINEAR + (DIRTY_PAGES - 1) * 0x1000
  lock btr qword [rdi], A_BIT
  call flush_others
  mov eax, [reads]
  add eax, 2
.wait_read:
  pause
  mov ecx, [reads]
  sub ecx, eax
  js .wait_read
  bt qword [rdi], A_BIT
  jc .accessed
  inc qword [lost_accessed]
.accessed:
  inc r12d
  cmp r12d, DIRTY_PAGES - 1
  jb .same
  xor r12d, r12d
.same:
  dec r14d
  jnz .round
  mov dword [over], 1
  ret
.use:
  sti
.use_again:
  mov ecx, DIRTY_PAGES - 1
  mov ebx, DIRTY_LINEAR
  cmp r15d, 3
  je .read
.write:
  inc qword [rbx + r15 * 8]
  add rbx, 0x1000
  loop .write
  jmp .more
.read:
  add ebx, (DIRTY_PAGES - 1) * 0x1000
  mov rax, [rbx]
  lock inc dword [reads]
.more:
  cmp dword [over], 0
  je .use_again
  cli
  ret

; All at once, again and again: A and D by accesses, three free bits by three processors
many_marks:
  mov r14d, [rounds]
.round:
  call barrier
  cmp r15d, 0
  jne .begin
  mov ecx, DIRTY_PAGES
.clear:
  and qword [DIRTY_PT - 8 + rcx * 8], ~(P_A | P_D | 0xe00)
  loop .clear
.begin:
  call barrier
  mov rax, cr3
  mov cr3, rax
  mov ecx, DIRTY_PAGES
  mov ebx, DIRTY_LINEAR
.mark:
  test r15d, r15d
  jz .store
  lea eax, [r15 + FREE_BIT - 1]
  mov edx, ebx
  sub edx, DIRTY_LINEAR
  shr edx, 12
  lock bts qword [DIRTY_PT + rdx * 8], rax
.store:
  mov qword [rbx + r15 * 8 + 64], 1
  add rbx, 0x1000
  loop .mark
  call barrier
  dec r14d
  jnz .round
  ret

section .data
align 64
target:         dd 0
align 64
generation:     dd 0
over:           dd 0
align 64
flushed:        dd 0
align 64
reads:          dd 0
align 64
victim:         dq 0
stale_reads:    dq 0
stale_writes:   dq 0
stale_code:     dq 0
late:           dq 0
lost_dirty:     dq 0
lost_accessed:  dq 0
lost_bits:      dq 0
rounds:         dd 120
section .text
