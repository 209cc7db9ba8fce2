/** 8237A DMA controllers with their page registers. Source: Intel 8237A datasheet; 82371SB (PIIX3) datasheet 2.5.1. */
export const dmaPort = {
  first: 0x00,
  second: 0xc0,
  firstLast: 0x0f,
  secondLast: 0xdf,
  pageFirst: 0x81,
  pageLast: 0x8f,
} as const;

/** Register numbers of one controller from 8 up; 0…7 are address and count of channels 0…3. */
export const dmaRegister = {
  statusCommand: 8,
  request: 9,
  singleMask: 10,
  mode: 11,
  clearFlipFlop: 12,
  temporaryMasterClear: 13,
  clearMask: 14,
  allMask: 15,
} as const;
