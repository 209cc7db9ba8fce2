; A fault while #DF is delivered shuts the processor down. SDM Vol. 3A 6.15 #DF.
%include "guest.inc"

main:
  LINE 'no gate for #UD, #NP and #DF'
  mov byte [idt32 + 6 * 8 + 5], 0
  mov byte [idt32 + 8 * 8 + 5], 0
  mov byte [idt32 + 11 * 8 + 5], 0
  mov byte [idt32 + 13 * 8 + 5], 0
  ud2
  LINE 'survived'
  ret
