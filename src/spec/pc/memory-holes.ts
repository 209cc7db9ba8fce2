/**
 * Address space below 4 GiB that PCI functions may take. It begins where firmware for this board has it begin: at 2 GiB if
 * RAM ends there or before, at 3 GiB otherwise. Sources: 82441FX datasheet 4.1; SeaBIOS, i440fx_mem_addr_setup.
 */
export const pciMemoryHole = { smallStart: 0x8000_0000, largeStart: 0xc000_0000, end: 0xfec0_0000 } as const;
