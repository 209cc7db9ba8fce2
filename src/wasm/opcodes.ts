/**
 * WebAssembly opcodes, as numbers: plain ones as they are; 0xFC (misc), 0xFD (SIMD) and 0xFE (threads) ones as
 * prefix << 16 | sub-opcode. Source: WebAssembly Core Specification 3.0, section 5.4; threads proposal.
 */
const simd = (n: number): number => 0xfd0000 | n;
const threads = (n: number): number => 0xfe0000 | n;

// biome-ignore format: a table in the order of the opcodes
export const control = {
  unreachable: 0x00, block: 0x02, loop: 0x03, if: 0x04, else: 0x05, end: 0x0b, br: 0x0c, brIf: 0x0d, brTable: 0x0e,
  return: 0x0f, call: 0x10, callIndirect: 0x11, returnCall: 0x12, returnCallIndirect: 0x13, drop: 0x1a, select: 0x1b,
  localGet: 0x20, localSet: 0x21, localTee: 0x22,
} as const;

export const constant = { i32: 0x41, i64: 0x42, f32: 0x43, f64: 0x44, v128: simd(0x0c) } as const;

// biome-ignore format: a table in the order of the opcodes
export const load = {
  i32: 0x28, i64: 0x29, f32: 0x2a, f64: 0x2b, i32_8s: 0x2c, i32_8u: 0x2d, i32_16s: 0x2e, i32_16u: 0x2f,
  i64_8s: 0x30, i64_8u: 0x31, i64_16s: 0x32, i64_16u: 0x33, i64_32s: 0x34, i64_32u: 0x35, v128: simd(0x00),
  v128_32zero: simd(0x5c), v128_64zero: simd(0x5d), i32atomic: threads(0x10), i64atomic: threads(0x11),
} as const;

// biome-ignore format: a table in the order of the opcodes
export const store = {
  i32: 0x36, i64: 0x37, f32: 0x38, f64: 0x39, i32_8: 0x3a, i32_16: 0x3b, i64_8: 0x3c, i64_16: 0x3d, i64_32: 0x3e,
  v128: simd(0x0b),
} as const;

// biome-ignore format: a table in the order of the opcodes
/** Compare and exchange: narrow ones compare and give zero-extended values. */
export const atomic = {
  notify: threads(0x00), fence: threads(0x03), i32Store: threads(0x17), i32CompareExchange: threads(0x48), i64CompareExchange: threads(0x49),
  i32_8CompareExchange: threads(0x4a), i32_16CompareExchange: threads(0x4b),
} as const;

export const bulk = { copy: 0xfc000a, fill: 0xfc000b } as const;

// biome-ignore format: a table in the order of the opcodes
/** i32 operations; `i64` has the same names. Comparisons and `eqz` yield i32. */
export const i32 = {
  eqz: 0x45, eq: 0x46, ne: 0x47, ltS: 0x48, ltU: 0x49, gtS: 0x4a, gtU: 0x4b, leS: 0x4c, leU: 0x4d, geS: 0x4e, geU: 0x4f,
  clz: 0x67, ctz: 0x68, popcnt: 0x69, add: 0x6a, sub: 0x6b, mul: 0x6c, divS: 0x6d, divU: 0x6e, remS: 0x6f, remU: 0x70,
  and: 0x71, or: 0x72, xor: 0x73, shl: 0x74, shrS: 0x75, shrU: 0x76, rotl: 0x77, rotr: 0x78,
  extend8S: 0xc0, extend16S: 0xc1,
} as const;

// biome-ignore format: a table in the order of the opcodes
export const i64 = {
  eqz: 0x50, eq: 0x51, ne: 0x52, ltS: 0x53, ltU: 0x54, gtS: 0x55, gtU: 0x56, leS: 0x57, leU: 0x58, geS: 0x59, geU: 0x5a,
  clz: 0x79, ctz: 0x7a, popcnt: 0x7b, add: 0x7c, sub: 0x7d, mul: 0x7e, divS: 0x7f, divU: 0x80, remS: 0x81, remU: 0x82,
  and: 0x83, or: 0x84, xor: 0x85, shl: 0x86, shrS: 0x87, shrU: 0x88, rotl: 0x89, rotr: 0x8a,
  extend8S: 0xc2, extend16S: 0xc3,
} as const;

// biome-ignore format: a table in the order of the opcodes
export const f32 = {
  eq: 0x5b, ne: 0x5c, lt: 0x5d, gt: 0x5e, le: 0x5f, ge: 0x60, abs: 0x8b, neg: 0x8c, ceil: 0x8d, floor: 0x8e,
  trunc: 0x8f, nearest: 0x90, sqrt: 0x91, add: 0x92, sub: 0x93, mul: 0x94, div: 0x95,
} as const;

// biome-ignore format: a table in the order of the opcodes
export const f64 = {
  eq: 0x61, ne: 0x62, lt: 0x63, gt: 0x64, le: 0x65, ge: 0x66, abs: 0x99, neg: 0x9a, ceil: 0x9b, floor: 0x9c,
  trunc: 0x9d, nearest: 0x9e, sqrt: 0x9f, add: 0xa0, sub: 0xa1, mul: 0xa2, div: 0xa3,
} as const;

// biome-ignore format: a table in the order of the opcodes
export const convert = {
  wrap: 0xa7, i64ExtendI32S: 0xac, i64ExtendI32U: 0xad, i64Extend32S: 0xc4, f32FromI32S: 0xb2, f32FromI64S: 0xb4,
  f32Demote: 0xb6, f64FromI32S: 0xb7, f64FromI64S: 0xb9, f64Promote: 0xbb, i32FromF32Bits: 0xbc, i64FromF64Bits: 0xbd,
  f32FromI32Bits: 0xbe, f64FromI64Bits: 0xbf, i32TruncSatF32S: 0xfc0000, i32TruncSatF64S: 0xfc0002,
  i64TruncSatF32S: 0xfc0004, i64TruncSatF64S: 0xfc0006,
} as const;

// biome-ignore format: a table in the order of the opcodes
export const v128 = {
  shuffle: simd(0x0d), swizzle: simd(0x0e), i8x16Splat: simd(0x0f), i16x8Splat: simd(0x10), i32x4Splat: simd(0x11),
  i64x2Splat: simd(0x12), f32x4Splat: simd(0x13), f64x2Splat: simd(0x14),
  i8x16ExtractLaneS: simd(0x15), i8x16ExtractLaneU: simd(0x16), i8x16ReplaceLane: simd(0x17),
  i16x8ExtractLaneS: simd(0x18), i16x8ExtractLaneU: simd(0x19), i16x8ReplaceLane: simd(0x1a),
  i32x4ExtractLane: simd(0x1b), i32x4ReplaceLane: simd(0x1c), i64x2ExtractLane: simd(0x1d), i64x2ReplaceLane: simd(0x1e),
  f32x4ExtractLane: simd(0x1f), f32x4ReplaceLane: simd(0x20), f64x2ExtractLane: simd(0x21), f64x2ReplaceLane: simd(0x22),
  i8x16Eq: simd(0x23), i8x16GtS: simd(0x27), i16x8Eq: simd(0x2d), i16x8GtS: simd(0x31), i32x4Eq: simd(0x37),
  i32x4GtS: simd(0x3b), i32x4GtU: simd(0x3c), f32x4Eq: simd(0x41), f32x4Ne: simd(0x42), f32x4Lt: simd(0x43),
  f32x4Le: simd(0x45), f64x2Eq: simd(0x47), f64x2Ne: simd(0x48), f64x2Lt: simd(0x49), f64x2Le: simd(0x4b),
  not: simd(0x4d), and: simd(0x4e), andnot: simd(0x4f), or: simd(0x50), xor: simd(0x51), bitselect: simd(0x52),
  anyTrue: simd(0x53), f32x4DemoteF64x2Zero: simd(0x5e), f64x2PromoteLowF32x4: simd(0x5f),
  i8x16Abs: simd(0x60), i8x16AllTrue: simd(0x63), i8x16Bitmask: simd(0x64),
  i8x16NarrowI16x8S: simd(0x65), i8x16NarrowI16x8U: simd(0x66), i8x16Shl: simd(0x6b),
  i8x16ShrS: simd(0x6c), f32x4Ceil: simd(0x67), f32x4Floor: simd(0x68), f32x4Trunc: simd(0x69), f32x4Nearest: simd(0x6a),
  f64x2Ceil: simd(0x74), f64x2Floor: simd(0x75), f64x2Trunc: simd(0x7a), f64x2Nearest: simd(0x94),
  i8x16Add: simd(0x6e), i8x16AddSatS: simd(0x6f), i8x16AddSatU: simd(0x70), i8x16Sub: simd(0x71),
  i8x16SubSatS: simd(0x72), i8x16SubSatU: simd(0x73), i8x16MinS: simd(0x76), i8x16MinU: simd(0x77),
  i8x16MaxS: simd(0x78), i8x16MaxU: simd(0x79), i8x16AvgrU: simd(0x7b),
  i16x8ExtaddI8x16U: simd(0x7d), i32x4ExtaddI16x8U: simd(0x7f),
  i16x8Abs: simd(0x80), i16x8Q15mulrSatS: simd(0x82), i16x8AllTrue: simd(0x83), i16x8Bitmask: simd(0x84),
  i16x8NarrowI32x4S: simd(0x85), i16x8NarrowI32x4U: simd(0x86), i16x8ExtendLowI8x16S: simd(0x87),
  i16x8ExtendHighI8x16S: simd(0x88), i16x8ExtendLowI8x16U: simd(0x89), i16x8ExtendHighI8x16U: simd(0x8a),
  i16x8Shl: simd(0x8b), i16x8ShrS: simd(0x8c), i16x8ShrU: simd(0x8d), i16x8Add: simd(0x8e), i16x8AddSatS: simd(0x8f),
  i16x8AddSatU: simd(0x90), i16x8Sub: simd(0x91), i16x8SubSatS: simd(0x92), i16x8SubSatU: simd(0x93),
  i16x8Mul: simd(0x95), i16x8MinS: simd(0x96), i16x8MinU: simd(0x97), i16x8MaxS: simd(0x98), i16x8MaxU: simd(0x99),
  i16x8AvgrU: simd(0x9b), i32x4Abs: simd(0xa0), i32x4AllTrue: simd(0xa3), i32x4Bitmask: simd(0xa4),
  i32x4ExtendLowI16x8S: simd(0xa7), i32x4ExtendHighI16x8S: simd(0xa8), i32x4ExtendLowI16x8U: simd(0xa9),
  i32x4ExtendHighI16x8U: simd(0xaa), i32x4Shl: simd(0xab), i32x4ShrS: simd(0xac), i32x4ShrU: simd(0xad),
  i32x4Add: simd(0xae), i32x4Sub: simd(0xb1), i32x4Mul: simd(0xb5), i32x4MinS: simd(0xb6), i32x4MinU: simd(0xb7),
  i32x4MaxS: simd(0xb8), i32x4MaxU: simd(0xb9), i32x4DotI16x8S: simd(0xba),
  i32x4ExtmulLowI16x8S: simd(0xbc), i32x4ExtmulHighI16x8S: simd(0xbd), i32x4ExtmulLowI16x8U: simd(0xbe),
  i32x4ExtmulHighI16x8U: simd(0xbf),
  i64x2AllTrue: simd(0xc3), i64x2Bitmask: simd(0xc4), i64x2ExtendLowI32x4S: simd(0xc7), i64x2ExtendLowI32x4U: simd(0xc9),
  i64x2Shl: simd(0xcb), i64x2ShrS: simd(0xcc), i64x2ShrU: simd(0xcd), i64x2Add: simd(0xce), i64x2Sub: simd(0xd1),
  i64x2Mul: simd(0xd5), i64x2Eq: simd(0xd6), i64x2GtS: simd(0xd9), i64x2ExtmulLowI32x4S: simd(0xdc),
  i64x2ExtmulLowI32x4U: simd(0xde), f32x4Abs: simd(0xe0), f32x4Neg: simd(0xe1), f32x4Sqrt: simd(0xe3),
  f32x4Add: simd(0xe4), f32x4Sub: simd(0xe5), f32x4Mul: simd(0xe6), f32x4Div: simd(0xe7), f32x4Pmin: simd(0xea),
  f32x4Pmax: simd(0xeb), f64x2Abs: simd(0xec), f64x2Neg: simd(0xed), f64x2Sqrt: simd(0xef), f64x2Add: simd(0xf0),
  f64x2Sub: simd(0xf1), f64x2Mul: simd(0xf2), f64x2Div: simd(0xf3), f64x2Pmin: simd(0xf6), f64x2Pmax: simd(0xf7),
  i32x4TruncSatF32x4S: simd(0xf8), f32x4ConvertI32x4S: simd(0xfa), i32x4TruncSatF64x2SZero: simd(0xfc),
  f64x2ConvertLowI32x4S: simd(0xfe),
} as const;

/** Shifts and lane operations whose second operand or result is a scalar need their result types told apart. */
export const scalarResults: ReadonlyMap<number, 'i32' | 'i64' | 'f32' | 'f64'> = new Map([
  [v128.i8x16ExtractLaneS, 'i32'],
  [v128.i8x16ExtractLaneU, 'i32'],
  [v128.i16x8ExtractLaneS, 'i32'],
  [v128.i16x8ExtractLaneU, 'i32'],
  [v128.i32x4ExtractLane, 'i32'],
  [v128.i64x2ExtractLane, 'i64'],
  [v128.f32x4ExtractLane, 'f32'],
  [v128.f64x2ExtractLane, 'f64'],
  [v128.anyTrue, 'i32'],
  [v128.i8x16AllTrue, 'i32'],
  [v128.i16x8AllTrue, 'i32'],
  [v128.i32x4AllTrue, 'i32'],
  [v128.i64x2AllTrue, 'i32'],
  [v128.i8x16Bitmask, 'i32'],
  [v128.i16x8Bitmask, 'i32'],
  [v128.i32x4Bitmask, 'i32'],
  [v128.i64x2Bitmask, 'i32'],
]);
