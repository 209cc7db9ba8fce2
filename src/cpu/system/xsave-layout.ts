/** The XSAVE area: legacy region and header; no extended components exist. SDM Vol. 1 13.4. */
const legacyRegionSize = 512;
const xsaveHeaderSize = 64;
export const fpuStateSize = legacyRegionSize + xsaveHeaderSize;
