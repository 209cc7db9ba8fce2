; Devices from every processor: ports and memory-mapped registers, interrupts of the I/O APIC to other processors than the first,
; ends of level-triggered interrupts there, the timers of their local APICs; locked accesses to devices.
%define CPUS 4
%include "guest.inc"
%include "smp.inc"
%include "acpi.inc"

IOAPIC   equ 0xfec00000
SERIAL   equ 4                    ; I/O APIC pins
PIT      equ 2
LEVEL    equ 1 << 15
IRQ      equ 0x50
TICK     equ 0x51
LOCAL    equ 0x52
CMOS     equ 0x50                 ; free bytes of CMOS RAM from here on

main:
  call find_pm_timer
  SMP
  GATE64 IRQ, serial_irq, SYS_INT32
  GATE64 TICK, tick, SYS_INT32
  GATE64 LOCAL, local_tick, SYS_INT32
  ON_ALL say                      ; each in its turn
  ON_ALL use_cmos
  LINE 'cmos: wrong ', [wrong]
  ON_ALL use_pci
  LINE 'pci: wrong ', [wrong]
  ON_ALL use_io_apic
  LINE 'io apic registers: wrong ', [wrong]
  ON_ALL lock_io_apic
  LINE 'locked: wrong ', [wrong]
  ON_ALL strings
  LINE 'strings: wrong ', [wrong]
  ON_ALL pit_channel_2
  LINE 'pit: wrong ', [wrong]
  ON_ALL local_timer
  LINE 'local timers: wrong ', [wrong]

  mov ebx, IRQ
  mov edx, 1
  mov eax, SERIAL
  call route
  ON_ALL serial_interrupts
  LINE 'edge to 1: ', [counts], ' ', [counts + 8], ' ', [counts + 16], ' ', [counts + 24]
  call clear_counts
  mov ebx, IRQ | LEVEL
  mov edx, 1
  mov eax, SERIAL
  call route
  ON_ALL serial_interrupts
  LINE 'level to 1: ', [counts], ' ', [counts + 8], ' ', [counts + 16], ' ', [counts + 24]
  call clear_counts
  ON_ALL logical
  mov ebx, IRQ | LEVEL | LOGICAL | LOWEST
  mov edx, 0xe
  mov eax, SERIAL
  call route
  ON_ALL serial_interrupts
  mov rax, [counts + 8]
  add rax, [counts + 16]
  add rax, [counts + 24]
  LINE 'lowest priority among 1 to 3: ', [counts], ' and ', rax
  call clear_counts
  mov ebx, MASKED
  xor edx, edx
  mov eax, SERIAL
  call route

  mov ebx, TICK
  mov edx, 2
  mov eax, PIT
  call route
  ON_ALL ticks
  LINE 'ticks to 2: ', [counts], ' ', [counts + 8], ' ', [counts + 16], ' ', [counts + 24]
  FINISH

bits 64
; One after the other. IN_TURN … END_TURN
%macro IN_TURN 0
  SPIN_WHILE ne, [turn], r15d
%endmacro
%macro END_TURN 0
  inc dword [turn]
  call barrier
  mov dword [turn], 0
  call barrier
%endmacro

take_lock:
  push rax
.again:
  mov eax, 1
  xchg [lock_word], eax
  test eax, eax
  jz .got
  pause
  jmp .again
.got:
  pop rax
  ret

clear_counts:
  xor eax, eax
  mov [counts], rax
  mov [counts + 8], rax
  mov [counts + 16], rax
  mov [counts + 24], rax
  ret

say:
  IN_TURN
  LINE 'processor ', r15
  END_TURN
  ret

; Index and data port under a lock: each has its byte.
use_cmos:
  mov r14d, 100
.next:
  call take_lock
  lea eax, [r15 + CMOS]
  out 0x70, al
  mov eax, r14d
  out 0x71, al
  mov dword [lock_word], 0
  call take_lock
  lea eax, [r15 + CMOS]
  out 0x70, al
  in al, 0x71
  mov dword [lock_word], 0
  cmp al, r14b
  je .right
  lock inc qword [wrong]
.right:
  dec r14d
  jnz .next
  ret

; The host bridge by all widths of ports
use_pci:
  mov r14d, 30
.next:
  call take_lock
  mov edx, 0xcf8
  mov eax, 0x80000000
  out dx, eax
  mov edx, 0xcfc
  in eax, dx
  mov ebx, eax
  in ax, dx
  mov ecx, eax
  mov edx, 0xcfe
  in al, dx
  mov dword [lock_word], 0
  xor cx, bx
  shr ebx, 16
  xor al, bl
  or al, cl
  or al, ch
  jz .right
  lock inc qword [wrong]
.right:
  dec r14d
  jnz .next
  ret

; EAX = pin, EBX = low half, EDX = destination
route:
  push rcx
  push rsi
  mov ecx, IOAPIC
  lea esi, [rax * 2 + 0x10]
  mov [rcx], esi
  mov dword [rcx + 0x10], MASKED
  inc esi
  mov [rcx], esi
  shl edx, 24
  mov [rcx + 0x10], edx
  dec esi
  mov [rcx], esi
  mov [rcx + 0x10], ebx
  pop rsi
  pop rcx
  ret

; Redirection entries of unused pins
use_io_apic:
  mov r14d, 100
  mov ebx, IOAPIC
.next:
  call take_lock
  lea eax, [r15 * 2 + 0x10 + 20 * 2 + 1]
  mov [rbx], eax
  mov ecx, r14d
  shl ecx, 24
  mov [rbx + 0x10], ecx
  mov dword [lock_word], 0
  call take_lock
  lea eax, [r15 * 2 + 0x10 + 20 * 2 + 1]
  mov [rbx], eax
  mov eax, [rbx + 0x10]
  mov dword [lock_word], 0
  cmp eax, ecx
  je .right
  lock inc qword [wrong]
.right:
  dec r14d
  jnz .next
  ret

; Locked instructions on registers of devices: a read and a write, in which nobody else interferes. The index register takes
; what XCHG gives it and returns what was there.
lock_io_apic:
  mov ebx, IOAPIC
  call barrier
  test r15d, r15d
  jnz .begin
  mov dword [rbx], 4
.begin:
  call barrier
  lea ecx, [r15]
  mov r14d, 50
.next:
  xchg [rbx], ecx
  lock or dword [SMP_SHARED + 0x3e], 1 ; the bus is locked for memory as well
  dec r14d
  jnz .next
  mov [tokens + r15 * 4], ecx
  call barrier
  test r15d, r15d
  jnz .end
  mov eax, [rbx]
  mov ecx, 1
  xor edx, edx
  call .token
  mov eax, [tokens]
  call .token
  mov eax, [tokens + 4]
  call .token
  mov eax, [tokens + 8]
  call .token
  mov eax, [tokens + 12]
  call .token
  cmp edx, 0x1f
  je .end
  inc qword [wrong]
.end:
  ; the processor's own APIC
  cmp dword [x2apic_mode], 0
  jne .own
  mov ebx, APIC
  mov eax, 0x30
  xchg [rbx + APIC_TPR], eax
  test eax, eax
  jz .zero
  lock inc qword [wrong]
.zero:
  xor eax, eax
  xchg [rbx + APIC_TPR], eax
  cmp eax, 0x30
  je .own
  lock inc qword [wrong]
.own:
  ret
.token:
  xchg ecx, eax
  mov eax, 1
  shl eax, cl
  or edx, eax
  ret

; REP INSB, OUTSB: 16 bytes of CMOS data at a time
strings:
  call take_lock
  lea eax, [r15 + CMOS + 8]
  out 0x70, al
  mov esi, .text
  mov edx, 0x71
  mov ecx, 16
  rep outsb
  lea edi, [r15 * 2]
  shl edi, 3
  add edi, SMP_SHARED + 0x1000
  mov rbx, rdi
  mov ecx, 16
  rep insb
  mov dword [lock_word], 0
  mov al, [.text + 15]
  mov ecx, 16
.look:
  cmp al, [rbx + rcx - 1]
  jne .wrong
  loop .look
  ret
.wrong:
  lock inc qword [wrong]
  ret
.text: db 'abcdefghijklmnop'

; Each in its turn measures 10 ms by the PIT with the PM timer: at least as long
pit_channel_2:
  IN_TURN
  mov edx, [pm_timer_port]
  in eax, dx
  mov ebx, eax
  mov eax, 10
  call sleep_ms
  mov edx, [pm_timer_port]
  in eax, dx
  sub eax, ebx
  and eax, 0xffffff
  cmp eax, 35700
  jae .right
  inc qword [wrong]
.right:
  END_TURN
  ret

; One shot, then ten periods, on all processors at once
local_timer:
  mov qword [counts + r15 * 8], 0
  APIC_PUT APIC_TIMER_DIVIDE, 0xb
  APIC_PUT APIC_LVT_TIMER, LOCAL
  APIC_PUT APIC_TIMER_INITIAL, 100000
.wait:
  sti
  hlt
  cli
  cmp qword [counts + r15 * 8], 1
  jb .wait
  APIC_PUT APIC_LVT_TIMER, LOCAL | PERIODIC
  APIC_PUT APIC_TIMER_INITIAL, 100000
.more:
  sti
  hlt
  cli
  cmp qword [counts + r15 * 8], 11
  jb .more
  APIC_PUT APIC_LVT_TIMER, LOCAL | MASKED
  APIC_PUT APIC_TIMER_INITIAL, 0
  sti                             ; one more may have come
  nop
  cli
  mov qword [counts + r15 * 8], 0
  ret
local_tick:
  inc qword [counts + r15 * 8]
  EOI64
  iretq

logical:
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

; The serial port's interrupt (its transmitter is empty) comes to those whom the I/O APIC names; each of them in turn switches
; it off in its handler, and processor 3 on again, 20 times.
serial_interrupts:
  sti
  cmp r15d, 3
  je .on
  call barrier
  cli
  ret
.on:
  mov r14d, 1
.next:
  mov edx, 0x3fd
.empty:
  in al, dx
  test al, 0x40
  jz .empty
  mov edx, 0x3fc
  mov al, 8
  out dx, al
  mov edx, 0x3f9
  mov al, 2
  out dx, al
.wait:
  pause
  mov rax, [counts]
  add rax, [counts + 8]
  add rax, [counts + 16]
  add rax, [counts + 24]
  cmp rax, r14
  jb .wait
  inc r14d
  cmp r14d, 20
  jbe .next
  mov eax, 5                      ; one too many would come now
  call sleep_ms
  call barrier
  cli
  ret
serial_irq:
  push rax
  push rdx
  mov edx, 0x3f9
  mov al, 0
  out dx, al
  lock inc qword [counts + r15 * 8]
  pop rdx
  pop rax
  EOI64
  iretq

; The PIT at 1 kHz for processor 2, which sleeps in between
ticks:
  cmp r15d, 2
  je .take
  ret
.take:
  mov al, 0x34
  out 0x43, al
  mov al, 1193 & 0xff
  out 0x40, al
  mov al, 1193 >> 8
  out 0x40, al
.wait:
  sti
  hlt
  cli
  cmp qword [counts + 16], 20
  jb .wait
  mov al, 0x30                    ; no more: a mode that waits for its count
  out 0x43, al
  mov qword [counts + 16], 20
  ret
tick:
  inc qword [counts + r15 * 8]
  EOI64
  iretq

section .data
align 64
lock_word: dd 0
align 64
turn:      dd 0
align 64
counts:    times CPUS dq 0
wrong:     dq 0
tokens:    times CPUS dd 0
section .text
