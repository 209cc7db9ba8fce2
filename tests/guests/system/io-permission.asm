; I/O at CPL > IOPL in protected mode: the permission bitmap of the TSS. SDM Vol. 1 19.5.2.
%include "guest.inc"

; MAP port, 0 or 1: clears or sets the port's bit
%macro MAP 2
  %if %2
    or byte [tss_io_map + (%1) / 8], 1 << ((%1) % 8)
  %else
    and byte [tss_io_map + (%1) / 8], ~(1 << ((%1) % 8))
  %endif
%endmacro

; TSS_LIMIT limit: TR is loaded anew
%macro TSS_LIMIT 1
  DESC TSS_SEL, tss, %1, SYS_TSS32, 0
  mov eax, TSS_SEL
  ltr ax
%endmacro

; TRY 'name', instruction: in ring 3
%macro TRY 2+
  CASE %1
  mov edx, 0x80
  mov ecx, 1
  mov edi, SCRATCH
  mov esi, SCRATCH
  USER
  AT %2
  ENDCASE
%endmacro

main:
  LINE 'base beyond the limit'
  TRY 'in', in al, 0x80
  mov word [tss + 102], tss_io_map - tss
  LINE 'limit at the base'
  TSS_LIMIT 103
  MAP 0, 0
  TRY 'port 0', in al, 0
  LINE 'whole bitmap'
  TSS_LIMIT 103 + 0x2001
  MAP 0x80, 0
  MAP 0x82, 0
  MAP 0x83, 0
  TRY 'in 80', in al, 0x80
  TRY 'out 80', out 0x80, al
  TRY 'in 81', in al, 0x81
  TRY 'in dx', in al, dx
  TRY 'word 80', in ax, 0x80
  TRY 'word 82', in ax, 0x82
  TRY 'dword 80', in eax, 0x80
  MAP 0x81, 0
  TRY 'dword 80, all four', in eax, 0x80
  TRY 'insb', insb
  TRY 'rep outsb', rep outsb
  ; bits of two bytes: 0x87 and 0x88
  MAP 0x87, 0
  TRY 'word 87, 88 denied', in ax, 0x87
  MAP 0x88, 0
  TRY 'word 87, both', in ax, 0x87
  ; two bytes are read for every access: both must be within the limit
  LINE 'limit'
  TSS_LIMIT 104 + 0x10
  TRY 'last byte of the limit', in al, 0x80
  TSS_LIMIT 104 + 0x11
  TRY 'one more', in al, 0x80
  TRY 'port beyond', in al, 0x88
  TSS_LIMIT 103 + 0x2001
  ; the last ports
  MAP 0xffff, 0
  mov byte [tss_io_map + 0x2000], 0xff
  CASE 'port ffff'
  mov edx, 0xffff
  USER
  AT in al, dx
  ENDCASE
  CASE 'word ffff'
  mov edx, 0xffff
  USER
  AT in ax, dx
  ENDCASE
  ; IOPL 3 and ring 0 do not look at it
  CASE 'iopl 3'
  USER IOPL3 | 2
  AT in al, 0x90
  ENDCASE
  CASE 'ring 0'
  AT in al, 0x90
  ENDCASE
  ; a 16-bit TSS has no bitmap
  DESC TSS_SEL, tss, 0xffff, SYS_TSS16, 0
  mov eax, TSS_SEL
  ltr ax
  mov dword [tss + 2], 0
  mov word [tss + 2], 0x8000      ; SP0
  mov word [tss + 4], K_DATA      ; SS0
  CASE '16-bit tss'
  USER
  AT in al, 0x80
  ENDCASE
  ret
