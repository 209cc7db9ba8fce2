/** The XSAVE area: legacy region and header; no extended components exist. SDM Vol. 1 13.4. */
export const legacyRegionSize = 512;
export const xsaveHeaderSize = 64;
export const fpuStateSize = legacyRegionSize + xsaveHeaderSize;
