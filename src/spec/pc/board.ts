/** Small fixed ports of a PC board. */

/** System control port A. Source: IBM PS/2 Hardware Interface Technical Reference. */
export const systemControlA = { port: 0x92, fastReset: 0x01, fastA20: 0x02 } as const;

/** Reset control register. Source: 82371SB (PIIX3) datasheet 2.5.5. */
export const resetControl = { port: 0xcf9, systemReset: 0x02, resetCpu: 0x04, fullReset: 0x08 } as const;

/** Where a BIOS reports its progress. */
export const postPort = 0x80;

/** Where test guests report their exit status, by QEMU's isa-debug-exit convention. */
export const debugExitPort = 0xf4;
