; HPET: registers, one-shot and periodic comparators through the I/O APIC, level status. IA-PC HPET 1.0a 2.3.
%include "guest.inc"
%include "apic.inc"
%include "acpi.inc"

HPET     equ 0xfed00000
CONFIG   equ HPET + 0x10
STATUS   equ HPET + 0x20
COUNTER  equ HPET + 0xf0
T0       equ HPET + 0x100         ; configuration and capabilities, then comparator
T0_COMPARE equ HPET + 0x108
IOAPIC   equ 0xfec00000
ENABLE   equ 1 << 2
PERIODIC_T equ 1 << 3
SET_VALUE equ 1 << 6
LEVEL_T  equ 1 << 1

main:
  call enable_apic
  call find_pm_timer
  mov al, 0x30                    ; firmware leaves the PIT running, perhaps on the same I/O APIC input: let it count to its end
  out 0x43, al                    ; once and stay there
  mov al, 1
  out 0x40, al
  mov al, 0
  out 0x40, al
  mov eax, 3580
  call wait_pm
  mov eax, 'HPET'
  call acpi_table
  test eax, eax
  jnz .table
  LINE 'no HPET table'
  jmp .hardware
.table:
  mov eax, [eax + 44]
  LINE 'address ', eax
.hardware:
  mov dword [CONFIG], 0
  mov dword [COUNTER], 0x12345678
  mov dword [COUNTER + 4], 0
  mov eax, [COUNTER]
  LINE 'halted counter is writable ', eax
  mov dword [COUNTER], 0
  mov dword [CONFIG], 1
  mov eax, [COUNTER]
  mov ebx, eax
.goes:
  mov eax, [COUNTER]
  cmp eax, ebx
  je .goes
  LINE 'counts'
  mov dword [CONFIG], 0
  mov ebx, [COUNTER]
  mov eax, 3580
  call wait_pm
  mov eax, [COUNTER]
  sub eax, ebx
  LINE 'halted: ', eax
  ; femtoseconds per tick → ticks per millisecond
  mov edx, 0xe8                   ; 10^12 = e8d4a51000
  mov eax, 0xd4a51000
  div dword [HPET + 4]
  mov [per_ms], eax

  ; the first I/O APIC input that timer 0 may use
  bsf ecx, [T0 + 4]
  mov [route], ecx
  lea eax, [ecx * 2 + 0x10]
  mov [pin], eax
  mov dword [IOAPIC], eax
  mov dword [IOAPIC + 0x10], 0x40
  inc eax
  mov dword [IOAPIC], eax
  mov dword [IOAPIC + 0x10], 0
  GATE32 0x40, tick, SYS_INT32
  call drain                      ; the PIT's last
  mov dword [ticks], 0
  shl ecx, 9
  mov [route_bits], ecx

  ; one-shot, edge
  mov eax, ecx
  or eax, ENABLE
  mov [T0], eax
  mov eax, [T0]
  and eax, 0x3e00 | ENABLE | PERIODIC_T | LEVEL_T
  sub eax, [route_bits]
  LINE 'configuration ', eax
  call arm
  call wait_one
  mov eax, [fired_at]
  cmp eax, [T0_COMPARE]
  setb al
  movzx eax, al
  LINE 'one-shot: too early ', eax
  mov eax, 35795
  call wait_with_interrupts
  LINE 'once ', [ticks]
  ; not enabled: nothing
  mov eax, [route_bits]
  mov [T0], eax
  mov dword [ticks], 0
  call arm
  mov eax, 35795
  call wait_with_interrupts
  LINE 'not enabled ', [ticks]
  mov dword [CONFIG], 0

  ; periodic: the comparator moves on by the period
  mov dword [ticks], 0
  mov dword [COUNTER], 0
  mov eax, [T0]
  test eax, 1 << 4
  jz .no_periodic
  mov eax, [route_bits]
  or eax, ENABLE | PERIODIC_T | SET_VALUE
  mov [T0], eax
  mov eax, [per_ms]
  mov dword [T0_COMPARE], eax     ; the first time: comparator
  mov dword [T0_COMPARE], eax     ; then: period
  mov dword [CONFIG], 1
  sti
.three:
  cmp dword [ticks], 3
  jb .three
  cli
  mov dword [CONFIG], 0
  mov eax, [T0_COMPARE]
  xor edx, edx
  div dword [per_ms]
  mov ebx, eax
  LINE 'periodic: comparator is a multiple of the period, rest ', edx
  mov eax, [COUNTER]
  cmp eax, [T0_COMPARE]
  setbe al
  movzx eax, al
  LINE 'and ahead of the counter ', eax
  jmp .level
.no_periodic:
  LINE 'timer 0 is not periodic'
.level:
  ; level: the status bit stays until it is written with 1
  call drain
  mov dword [ticks], 0
  mov eax, [pin]
  mov dword [IOAPIC], eax
  mov dword [IOAPIC + 0x10], MASKED | (1 << 15) | 0x40
  mov eax, [route_bits]
  or eax, ENABLE | LEVEL_T
  mov [T0], eax
  call arm
.status:
  test dword [STATUS], 1
  jz .status
  mov eax, [STATUS]
  LINE 'level: status ', eax
  mov dword [STATUS], 0
  mov eax, [STATUS]
  LINE 'written with 0 ', eax
  mov dword [STATUS], 1
  mov eax, [STATUS]
  LINE 'written with 1 ', eax
  mov dword [CONFIG], 0
  ret

; The comparator 1 ms after the counter, which starts from 0
arm:
  mov dword [CONFIG], 0
  mov dword [COUNTER], 0
  mov dword [COUNTER + 4], 0
  mov eax, [per_ms]
  mov dword [T0_COMPARE], eax
  mov dword [T0_COMPARE + 4], 0
  mov dword [CONFIG], 1
  ret
wait_one:
  sti
.wait:
  cmp dword [ticks], 0
  je .wait
  cli
  ret
wait_with_interrupts:
  sti
  call wait_pm
  cli
  ret
drain:
  sti
  nop
  nop
  cli
  ret
tick:
  push eax
  mov eax, [COUNTER]
  mov [fired_at], eax
  inc dword [ticks]
  EOI
  pop eax
  iretd

section .data
ticks: dd 0
fired_at: dd 0
per_ms: dd 0
route: dd 0
pin: dd 0
route_bits: dd 0
section .text
