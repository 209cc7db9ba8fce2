; 32-bit code runs hot while all its segments are flat, and then with others: the same code has to find that out at once.
; SDM Vol. 3A 3.2.1, 3.4.5, 5.3.
%include "guest.inc"

T equ FREE_SEL
BASED equ SCRATCH + 0x1000        ; where segments that are not flat begin
HOT equ 60000                     ; rounds after which code has been translated, wherever that is done

; SEGMENT base, limit, access, flags
%macro SEGMENT 4
  DESC T, %1, %2, %3, %4
%endmacro

main:
  mov dword [SCRATCH + 0x20], 0x11
  mov dword [BASED + SCRATCH + 0x20], 0x22
  SEGMENT BASED, 0xfffff, DATA_RW, GRAN | BIG
  mov ebx, SCRATCH
  call warm

  ; each register in its turn, by each of the instructions that load one
  mov edx, T
  mov ds, edx
  call look
  call flat
  LINE 'mov ds: ', eax
  push edx
  pop ds
  call look
  call flat
  LINE 'pop ds: ', eax
  mov dword [SCRATCH + 0x40], 0x1234
  mov dword [SCRATCH + 0x44], T
  lds ecx, [SCRATCH + 0x40]
  call look
  call flat
  LINE 'lds: ', eax, ' ', ecx
  mov es, edx
  call look
  call flat
  LINE 'mov es: ', eax
  push edx
  pop es
  call look
  call flat
  LINE 'pop es: ', eax
  mov ebp, esp
  lea esp, [ebp - BASED]
  mov ss, edx
  call look
  mov edx, K_DATA
  mov ss, edx
  mov esp, ebp
  LINE 'mov ss: ', eax
  mov edx, T
  mov dword [SCRATCH + 0x40], BASED
  neg dword [SCRATCH + 0x40]
  add [SCRATCH + 0x40], ebp
  lss esp, [SCRATCH + 0x40]
  call look
  mov edx, K_DATA
  mov ss, edx
  mov esp, ebp
  LINE 'lss: ', eax
  call look
  LINE 'all flat: ', eax

  ; back and forth: a sum of 0x11 + 0x22 a round
  xor esi, esi
  mov ecx, HOT
.alternate:
  mov edx, T
  mov ds, edx
  call look
  add esi, eax
  call flat
  call look
  add esi, eax
  dec ecx
  jnz .alternate
  LINE 'back and forth: ', esi

  ; a limit, and a segment that may not be written, in code that knew none
  SEGMENT 0, SCRATCH >> 12, DATA_RW, GRAN | BIG
  mov edx, T
  CASE 'limit'
  FAULTS_AT look
  mov ds, edx
  add ebx, 0x1000
  call look
  ENDCASE
  mov ebx, SCRATCH
  SEGMENT 0, 0xfffff, DATA_RO, GRAN | BIG
  CASE 'read-only: read'
  mov ds, edx
  call look
  ENDCASE
  CASE 'read-only: write'
  FAULTS_AT look.write
  mov ds, edx
  mov ebx, SCRATCH
  call look
  call look.write
  ENDCASE
  call flat

  ; accesses beyond the last byte that there is: hot code does not look for them
  CASE 'across 4 GiB'
  FAULTS_AT look
  mov ebx, -0x22
  call look
  ENDCASE
  CASE 'across 4 GiB, on the stack'
  FAULTS_AT look_ebp
  mov ebp, -0x22
  call look_ebp
  ENDCASE
  CASE 'through cs, written'
  FAULTS_AT look_cs.write
  mov ebx, SCRATCH
  xor eax, eax
  call look_cs
  ENDCASE
  mov ebx, SCRATCH

  ; FS and GS have a base; offsets wrap
  SEGMENT BASED, 0xfffff, DATA_RW, GRAN | BIG
  mov edx, T
  mov fs, edx
  mov dword [BASED - 8], 0x33
  call look_fs
  LINE 'fs: ', eax
  SEGMENT BASED, 0xff, DATA_RW, BIG
  mov fs, edx
  CASE 'fs: limit'
  FAULTS_AT look_fs
  call look_fs
  ENDCASE

  ; many bytes at once: 1000 and 3 of them
  call flat
  mov ecx, 1000
  call fill
  LINE 'fill: ', eax
  mov ecx, 3
  call fill
  LINE 'fill: ', eax
  std
  mov edi, SCRATCH + 0x2ffc
  mov ecx, 1000
  mov eax, 0x01010101
  rep stosd
  mov eax, edi
  cld
  LINE 'down: ', eax, ' ', ecx, ' ', [SCRATCH + 0x2000], ' ', [SCRATCH + 0x2ffc]
  SEGMENT SCRATCH + 0x2000, 0xf, DATA_RW, BIG
  mov edx, T
  mov fs, edx
  CASE 'copy from a short segment'
  FAULTS_AT copy_fs
  xor esi, esi
  mov edi, SCRATCH + 0x3000
  mov ecx, 64
  call copy_fs
  ENDCASE ' ecx=', [fault_ecx], ' esi=', [fault_esi]
  SEGMENT BASED, 0xfff, DATA_RW, BIG
  CASE 'fill to a limit'
  mov edx, T
  mov es, edx
  mov edi, 0xff0
  mov ecx, 8
  AT rep stosd
  ENDCASE ' ecx=', [fault_ecx], ' edi=', [fault_edi]
  ret

; All segments but FS and GS are flat.
flat:
  push edx
  mov edx, K_DATA
  mov ds, edx
  mov es, edx
  pop edx
  ret

; EAX: what DS:EBX + 0x20 holds, times 0x10000, plus what ES:EBX + 0x20 holds, by way of the stack.
align 16
look:
  mov eax, [ebx + 0x20]
  shl eax, 16
  push eax
  mov eax, [es:ebx + 0x20]
  or eax, [esp]
  lea esp, [esp + 4]
  ret
.write:
  mov [ebx + 0x24], eax
  ret

align 16
look_ebp:
  mov eax, [ebp + 0x20]
  ret

; Writes through CS where EAX is 0.
align 16
look_cs:
  test eax, eax
  jz .write
  mov eax, [cs:ebx + 0x20]
  ret
.write:
  mov [cs:ebx + 0x20], al
  ret

align 16
look_fs:
  mov eax, [fs:-8]
  ret

align 16
copy_fs:
  fs rep movsb
  ret

; Fills ECX doublewords from SCRATCH + 0x2000 on with their number and copies them. EAX: sum of the copy and the registers.
align 16
fill:
  mov eax, ecx
  mov edx, ecx
  mov edi, SCRATCH + 0x2000
  rep stosd
  mov esi, SCRATCH + 0x2000
  mov ecx, edx
  rep movsd
  lea eax, [edi + esi]
.sum:
  add eax, [edi - 4]
  sub edi, 4
  dec edx
  jnz .sum
  add eax, ecx
  ret

; Runs everything that is to be hot.
warm:
  SEGMENT BASED, 0xfffff, DATA_RW, GRAN | BIG
  mov edx, T
  mov fs, edx
  mov esi, HOT
.again:
  call look
  lea eax, [ebx + 0x24]
  call look.write
  mov ebp, ebx
  call look_ebp
  mov eax, 1
  call look_cs
  call look_fs
  mov ecx, 1
  push esi
  call fill
  mov esi, 0
  mov edi, SCRATCH + 0x3000
  mov ecx, 2
  call copy_fs
  pop esi
  dec esi
  jnz .again
  ret
