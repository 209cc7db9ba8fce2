/** Random 64-bit programs with loops, joins, memory and flags, for comparing ways to run them. They end with HLT. */

/** A reproducible stream of numbers (mulberry32). */
export function randomStream(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) % below;
  };
}

export type Random = (below: number) => number;

export const program = { code: 0x10_0000, data: 0x20_0000, stack: 0x30_0000 } as const;

/** RAX RDX RSI RDI R8–R11: RBX points to data, RCX and RBP count loops, RSP is the stack. */
const registers = [0, 2, 6, 7, 8, 9, 10, 11] as const;
const binary = [0x01, 0x09, 0x11, 0x19, 0x21, 0x29, 0x31, 0x39, 0x85, 0x89] as const;

const rex = (wide: boolean, reg: number, rm: number): number =>
  0x40 | (wide ? 8 : 0) | (reg > 7 ? 4 : 0) | (rm > 7 ? 1 : 0);
export const modrm = (mod: number, reg: number, rm: number): number => (mod << 6) | ((reg & 7) << 3) | (rm & 7);

function instruction(random: Random): number[] {
  const pick = (): number => registers[random(registers.length)] as number;
  const [a, b] = [pick(), pick()];
  const wide = random(2) === 0;
  const narrow = random(6) === 0 ? [0x66] : [];
  const cc = random(16);
  const displacement = random(15) * 8;
  switch (random(14)) {
    case 0:
    case 1:
    case 2:
      return [...narrow, rex(wide, b, a), binary[random(binary.length)] as number, modrm(3, b, a)];
    case 3: // byte operation, all four low and high registers
      return [(binary[random(8)] as number) - 1, modrm(3, random(8) & 0xb, random(4))];
    case 4: // op [rbx + disp8], reg
      return [rex(wide, b, 3), binary[random(9)] as number, modrm(1, b, 3), displacement];
    case 5: // op reg, [rbx + disp8]
      return [rex(wide, b, 3), (binary[random(8)] as number) + 2, modrm(1, b, 3), displacement];
    case 6: // shifts and rotates by an immediate
      return [rex(wide, 0, a), 0xc1, modrm(3, random(8), a), random(70)];
    case 7: // INC, DEC, NEG, NOT
      return random(2) === 0
        ? [rex(wide, 0, a), 0xff, modrm(3, random(2), a)]
        : [rex(wide, 0, a), 0xf7, modrm(3, 2 + random(2), a)];
    case 8: // SETcc, on any byte register
      return [rex(false, 0, a), 0x0f, 0x90 | cc, modrm(3, 0, a)];
    case 9: // CMOVcc
      return [rex(wide, b, a), 0x0f, 0x40 | cc, modrm(3, b, a)];
    case 10: // IMUL
      return [rex(wide, b, a), 0x0f, 0xaf, modrm(3, b, a)];
    case 11: // PUSH a; POP b
      return [rex(false, 0, a), 0x50 | (a & 7), rex(false, 0, b), 0x58 | (b & 7)];
    case 12: // shift by CL
      return [rex(wide, 0, a), 0xd3, modrm(3, 4 + random(4), a)];
    default: // MOVZX, MOVSX
      return [rex(wide, b, a), 0x0f, [0xb6, 0xb7, 0xbe, 0xbf][random(4)] as number, modrm(3, b, a)];
  }
}

/** A stretch of instructions, some of them jumped over. */
function stretch(random: Random, length: number, make = instruction): number[] {
  const code: number[] = [];
  for (let n = 0; n < length; n++) {
    const body = make(random);
    if (random(5) === 0) code.push(0x70 | random(16), body.length);
    code.push(...body);
  }
  return code;
}

/** A loop whose counter lies on the stack, so that the body may use every register. */
function loop(random: Random, body: readonly number[]): number[] {
  const rounds = 2 + random(30);
  // push rounds; body; dec qword [rsp]; jnz body; pop rbp
  const head = [0x6a, rounds];
  const tail = [0x48, 0xff, 0x0c, 0x24];
  const distance = -(body.length + tail.length + 6);
  const jump = [0x0f, 0x85, distance & 0xff, (distance >> 8) & 0xff, (distance >> 16) & 0xff, (distance >> 24) & 0xff];
  return [...head, ...body, ...tail, ...jump, 0x5d];
}

/** @param make instructions to choose from: those on general registers, unless it is said */
export function randomProgram(random: Random, make = instruction): Uint8Array {
  const some = (length: number): number[] => stretch(random, length, make);
  const inner = loop(random, some(3 + random(6)));
  const outer = loop(random, [...some(3 + random(5)), ...inner, ...some(2 + random(4))]);
  return new Uint8Array([...some(4), ...outer, ...some(4), 0xf4]);
}
