; The rates of the PIT, the RTC, the HPET and the TSC against the ACPI PM timer (3.579545 MHz = 3 PIT clocks). ACPI 6 4.8.3.3;
; Intel 8254; MC146818A; IA-PC HPET 1.0a. The host may be busy: each measurement is short, and is repeated until it is
; right, at most 100 times.
%include "guest.inc"
%include "acpi.inc"

HPET  equ 0xfed00000
TRIES equ 100

; MEASURE 'name', routine: the routine returns EBX = what was measured, ECX = what is right; within 2 % once in TRIES is right
%macro MEASURE 2
  mov dword [tries], TRIES
%%again:
  call %2
  mov eax, ebx
  sub eax, ecx
  jns %%positive
  neg eax
%%positive:
  mov edx, eax
  mov eax, ecx
  mov esi, ecx
  mov ecx, 50
  push edx
  xor edx, edx
  div ecx
  pop edx
  cmp edx, eax
  jbe %%ok
  dec dword [tries]
  jnz %%again
  LINE %1, ': ', ebx, ' for ', esi
  jmp %%end
%%ok:
  LINE %1, ': ok'
%%end:
%endmacro

main:
  call find_pm_timer
  ; the PM timer goes up, all the time
  mov ecx, 1000
  call read_pm_timer
  mov ebx, eax
.monotonic:
  call read_pm_timer
  mov edx, eax
  sub eax, ebx
  and eax, 0xffffff
  cmp eax, 0x800000
  ja .backwards
  mov ebx, edx
  loop .monotonic
  LINE 'pm timer never goes back'
  jmp .rates
.backwards:
  LINE 'pm timer went back'
.rates:
  MEASURE 'pit channel 0, mode 2', pit_mode_2
  MEASURE 'pit channel 0, mode 3', pit_mode_3
  MEASURE 'pit channel 2, one-shot', pit_channel_2
  MEASURE 'rtc, 128 Hz', rtc_periodic
  ; capabilities: period in femtoseconds, at most 100 ns; a 64-bit counter or not
  mov eax, [HPET + 4]
  mov [hpet_period], eax
  cmp eax, 100000000
  ja .bad_period
  mov eax, [HPET]
  and eax, 0xff
  jz .bad_period
  LINE 'hpet period: ok'
  jmp .hpet
.bad_period:
  LINE 'hpet period: ', eax
.hpet:
  mov dword [HPET + 0x10], 0
  mov dword [HPET + 0xf0], 0
  mov dword [HPET + 0xf4], 0
  mov eax, [HPET + 0xf0]
  LINE 'hpet halted: ', eax
  mov dword [HPET + 0x10], 1
  MEASURE 'hpet', hpet_ticks
  ret

; SAMPLE_PAIR: samples [reader] and the PM timer close together, twice, 10 to 40 ms apart.
; EBX = how far the reader's value went, ECX = PM ticks in between.
sample_pair:
  call sample
  push eax
  push ecx
  mov eax, 35795
  call wait_pm
  call sample
  pop edx
  sub ecx, edx
  and ecx, 0xffffff
  pop ebx
  sub eax, ebx
  mov ebx, eax
  cmp ecx, 143000
  ja sample_pair                  ; the host was busy: the 16 bits of the PIT may have gone round
  ret

; EAX = the reader's value, ECX = the PM timer at that time, to 100 us
sample:
  call read_pm_timer
  mov ecx, eax
  call [reader]
  push eax
  call read_pm_timer
  sub eax, ecx
  and eax, 0xffffff
  cmp eax, 358
  pop eax
  ja sample
  ret

; Channel 0, mode 2, with a count of 65536: one down per clock. Mode 3: two down
pit_mode_2:
  mov al, 0x34
  mov edi, 3
  jmp pit_ticks
pit_mode_3:
  mov al, 0x36
  mov edi, 6
pit_ticks:
  out 0x43, al
  xor eax, eax
  out 0x40, al
  out 0x40, al
  mov eax, 3580
  call wait_pm
  mov dword [reader], latch
  call sample_pair
  neg ebx
  movzx ebx, bx
  imul ebx, 3
  cmp edi, 3
  je .end
  ; mode 3: the count goes round every 27.5 ms, so the distance is known up to a multiple of 65536 / 2 clocks
  shr ebx, 1
.more:
  lea eax, [ebx + 49152]
  cmp eax, ecx
  ja .end
  add ebx, 98304
  jmp .more
.end:
  ret
latch:
  xor eax, eax
  out 0x43, al
  in al, 0x40
  mov ah, al
  in al, 0x40
  xchg al, ah
  ret

; PM ticks until channel 2 (gate in port 61) reaches the end of 59659 clocks (50 ms) in mode 0
pit_channel_2:
  in al, 0x61
  and al, 0xfc
  out 0x61, al
  mov al, 0xb0
  out 0x43, al
  mov al, 59659 & 0xff
  out 0x42, al
  mov al, 59659 >> 8
  out 0x42, al
  in al, 0x61
  or al, 1
  out 0x61, al
  call read_pm_timer
  mov ebx, eax
.wait:
  in al, 0x61
  test al, 0x20
  jz .wait
  call read_pm_timer
  sub eax, ebx
  and eax, 0xffffff
  mov ebx, eax
  mov ecx, 59659 * 3
  ret

; PM ticks from one periodic flag to the next at 128 Hz (7.8 ms)
rtc_periodic:
  mov al, 0x8a
  out 0x70, al
  mov al, 0x29
  out 0x71, al
  mov al, 0x8b                    ; the interrupt enabled, as QEMU counts only then; the PIC masks it
  out 0x70, al
  mov al, 0x42
  out 0x71, al
  call .flag
  call .flag
  call read_pm_timer
  mov ebx, eax
  call .flag
  call read_pm_timer
  sub eax, ebx
  and eax, 0xffffff
  mov ebx, eax
  mov ecx, 27965
  ret
.flag:                            ; register C: reading clears it
  mov al, 0x8c
  out 0x70, al
  in al, 0x71
  test al, 0x40
  jz .flag
  ret

; HPET time against PM time, both in microseconds
hpet_ticks:
  mov dword [reader], .counter
  call sample_pair
  mov eax, ebx
  mul dword [hpet_period]
  mov ebx, 1000000000
  div ebx
  mov ebx, eax
  mov eax, ecx
  mov edx, 1000000
  mul edx
  mov ecx, 3579545
  div ecx
  mov ecx, eax
  ret
.counter:
  mov eax, [HPET + 0xf0]
  ret

section .data
hpet_period: dd 0
reader: dd 0
tries: dd 0
section .text
