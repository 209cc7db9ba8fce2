; Accessed and dirty flags: which accesses set them, at which level. SDM Vol. 3A 4.8.
%include "guest.inc"

; Prints A and D of the test page's entries: `name: pml4e=A pdpte=A pde=A pte=AD`, `-` for none.
; (Only the PTE, or an entry that maps a page, has D.)
TPDPT equ TABLES + 0x9000
TPD   equ TABLES + 0xa000
TPT   equ TABLES + 0xb000
E4    equ LONG_PML4 + 8
PAGE  equ 0x8000000000
ALL   equ P_P | P_W | P_U

%macro CLEAN 0
  mov qword [E4], TPDPT | ALL
  mov qword [TPDPT], TPD | ALL
  mov qword [TPD], TPT | ALL
  mov qword [TPT], TESTPAGES | ALL
  mov qword [TPT + 8], (TESTPAGES + 0x1000) | ALL
  mov rax, cr3
  mov cr3, rax
  mov rbx, PAGE
%endmacro

; FLAGS 'name', instruction: the flags after it
%macro FLAGS 2+
  CLEAN
  %2
  SAY %1, ':'
  call print_flags
%endmacro

main:
  mov edi, TABLES + 0x9000
  xor eax, eax
  mov ecx, 0x3000 / 4
  rep stosd
  mov dword [TESTPAGES], 0xc3
  LONG_MODE
  bits 64
  mov rbp, PAGE
  xor eax, eax
  FLAGS 'nothing', nop
  FLAGS 'read', mov al, [rbx]
  FLAGS 'write', mov [rbx + 8], al
  FLAGS 'fetch', call rbx
  FLAGS 'add', add byte [rbx + 8], 0
  FLAGS 'cmp', cmp byte [rbx], 0
  FLAGS 'test', test byte [rbx], 1
  FLAGS 'bt', bt dword [rbx], 0
  FLAGS 'xchg', xchg [rbx + 8], al
  CLEAN
  mov al, 1                       ; the destination holds 0: unequal, but CMPXCHG writes it back
  lock cmpxchg [rbx + 16], cl
  SAY 'cmpxchg unequal:'
  call print_flags
  FLAGS 'crossing read', mov eax, [rbx + 0xffe]
  FLAGS 'crossing write', mov [rbx + 0xffe], ax
  FLAGS 'crossing write 4', mov dword [rbx + 0xffe], 0
  FLAGS 'push pop', call push_pop
  FLAGS 'lea', lea rax, [rbx]
  FLAGS 'invlpg', invlpg [rbx]
  FLAGS 'read then write', call read_write
  FLAGS 'rep stosb of none', call stos_none
  FLAGS 'cleared with invlpg', call cleared

  ; a write that the rights forbid does not make the page dirty
  CLEAN
  mov qword [TPT], TESTPAGES | P_P | P_U
  mov rax, cr0
  bts eax, 16
  mov cr0, rax
  mov rbx, PAGE
  BASE PAGE
  CASE 'forbidden write'
  AT mov byte [rbx + 8], 1
  ENDCASE
  mov rax, [TPT]
  and eax, P_D
  LINE 'forbidden write made it dirty: ', rax
  ; the walk does not touch entries below one that is not present
  CLEAN
  mov qword [TPD], TPT | P_W
  mov rbx, PAGE
  CASE 'absent pde'
  AT mov al, [rbx]
  ENDCASE
  mov rax, [TPT]
  and eax, P_A | P_D
  LINE 'pte below an absent pde ', rax

  ; large pages: D is in the entry that maps the page
  CLEAN
  mov qword [TPD], BIGPAGE | P_PS | ALL
  mov al, [rbx]
  call print_large
  mov [rbx], al
  call print_large
  CLEAN
  mov qword [TPDPT], 0 | P_PS | ALL
  mov rcx, PAGE + SCRATCH
  mov [rcx], al
  call print_large
  ; the processor's own accesses, too: a segment load sets the descriptor's accessed bit
  CLEAN
  mov rsi, gdt
  mov edi, TESTPAGES + 0x100
  mov ecx, GDT_SIZE
  rep movsb
  and byte [TESTPAGES + 0x100 + K_DATA + 5], 0xfe
  mov word [SCRATCH], GDT_SIZE - 1
  mov rax, PAGE + 0x100
  mov [SCRATCH + 2], rax
  lgdt [SCRATCH]
  SAY 'lgdt:'
  call print_flags
  mov eax, U_DATA
  mov ds, eax
  SAY 'accessed descriptor:'
  call print_flags
  mov eax, K_DATA
  mov ds, eax
  SAY 'unaccessed descriptor:'
  call print_flags
  movzx eax, byte [TESTPAGES + 0x100 + K_DATA + 5]
  LINE 'descriptor access byte ', rax
  lgdt [gdtr]
  PROT_MODE
  bits 32
  ret

bits 64
push_pop:
  mov rcx, rsp
  lea rsp, [rbx + 0x800]
  push rax
  pop rax
  mov rsp, rcx
  ret
read_write:
  mov al, [rbx]
  mov al, [rbx + 1]
  mov [rbx + 8], al
  ret
stos_none:
  xor ecx, ecx
  mov rdi, rbx
  rep stosb
  ret
; D is set by a write; both are cleared; a read after INVLPG sets A again
cleared:
  mov [rbx + 8], al
  and qword [TPT], ~(P_A | P_D)
  invlpg [rbx]
  mov al, [rbx]
  ret

print_flags:
  SAY ' pml4e='
  mov rdx, [E4]
  call .entry
  SAY ' pdpte='
  mov rdx, [TPDPT]
  call .entry
  SAY ' pde='
  mov rdx, [TPD]
  call .entry
  SAY ' pte='
  mov rdx, [TPT]
  call .entry
  SAY ' next='
  mov rdx, [TPT + 8]
  call .entry
  SAY `\n`
  ret
.entry:
  test dl, P_A | P_D
  jnz .some
  SAY '-'
  ret
.some:
  test dl, P_A
  jz .no_a
  SAY 'A'
.no_a:
  test dl, P_D
  jz .no_d
  SAY 'D'
.no_d:
  ret

print_large:
  SAY 'large pdpte='
  mov rdx, [TPDPT]
  call print_flags.entry
  SAY ' pde='
  mov rdx, [TPD]
  call print_flags.entry
  SAY `\n`
  ret
bits 32
