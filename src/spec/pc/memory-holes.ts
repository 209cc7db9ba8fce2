/** Address space below 4 GiB that is not RAM. 82441FX datasheet 4.1, with the window as firmware programs it. */
export const pciMemoryWindow = { start: 0xc000_0000, length: 0x3ec0_0000 } as const;
