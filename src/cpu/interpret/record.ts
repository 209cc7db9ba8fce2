/**
 * A decoded record: what the interpreter runs, 32 bytes, in the vCPU's memory. Records of a block follow each other; a
 * block ends with an instruction that never falls through or with a `continue` record.
 */
export const record = {
  /** u16. Index of the handler. */
  handler: 0,
  /** u8. Instruction length in bytes. */
  length: 2,
  /** u8. How often the record was entered; see `recordHeat`. */
  heat: 3,
  /** u16. Offset of the instruction in its page. */
  pageOffset: 4,
  /** u16. Address in the vCPU's memory of the register that modrm.reg names (or its number for CR, DR, Sreg). */
  reg: 6,
  /** u16. The same for modrm.rm in its register form, and for opcode-encoded registers. */
  rm: 8,
  /** u16. Address of base and index registers; `state.zero` for none, `state.codeBase` for RIP-relative. */
  base: 10,
  index: 12,
  /** u8. log2 of the index scale. */
  scale: 14,
  /** u8. Segment number of the memory operand. */
  segment: 15,
  /** i64. Displacement; RIP-relative ones include the offset of the next instruction in its page. */
  displacement: 16,
  /** Relative branches and `continue`: i32, the record of a target in another page (0: not known), and that page's RAM offset. */
  farLink: 16,
  farPage: 20,
  /** Records with a region behind them: i32, the address of a copy that the interpreter runs (0: there is none). */
  original: 16,
  /** i64. Immediate; only i32 where one of the next two fields is in use. */
  immediate: 24,
  /** Branches: i32, the record of a target in the same page; 0: not known. */
  link: 28,
  /** i32. Second immediate. */
  immediate2: 28,
  /** u16. Address of the register that VEX.vvvv names (such rows have no immediate). */
  vvvv: 24,
  size: 32,
} as const;

/**
 * The counter runs up to `hot`, and from `warm` on again; after `overflows` rounds, some 12,000 entries, or as many as
 * `TranslationPace` says, the interpreter reports the record: translating its code and having it compiled twice takes
 * milliseconds, which the interpreter's nanoseconds an entry make up for late. `settled` records are not counted (any more).
 * From `reached` on a record is a jump's target that matters, from `warm` on a function that does.
 */
export const recordHeat = { reached: 2, warm: 64, hot: 254, settled: 255, overflows: 64 } as const;
