/** Firmware configuration device. Source: QEMU documentation, "QEMU Firmware Configuration (fw_cfg) Device". */
export const fwCfgPort = { selector: 0x510, data: 0x511, dmaHigh: 0x514, dmaLow: 0x518 } as const;

export const fwCfgKey = { signature: 0x0000, id: 0x0001, fileDirectory: 0x0019, firstFile: 0x0020 } as const;

/** Selector bits that are not part of the item's number. */
export const fwCfgSelector = { write: 0x4000, architecture: 0x8000 } as const;

export const fwCfgSignature = 'QEMU';

/** What the DMA address register reads as: "QEMU CFG", big-endian. */
export const fwCfgDmaSignature = { high: 0x51454d55, low: 0x20434647 } as const;

/** Bits of the id item: the traditional interface, and DMA. */
export const fwCfgId = { traditional: 0x01, dma: 0x02 } as const;

/** Control word of a DMA descriptor { be32 control, be32 length, be64 address }; its upper half is the selector. */
export const fwCfgDma = {
  descriptorSize: 16,
  error: 0x01,
  read: 0x02,
  skip: 0x04,
  select: 0x08,
  write: 0x10,
} as const;

/** A directory entry: be32 size, be16 selector, be16 reserved, name padded with zeros. */
export const fwCfgFile = { entrySize: 64, nameOffset: 8, nameSize: 56 } as const;
