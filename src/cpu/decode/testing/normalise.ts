/** Brings objdump's text and ours to one form: what differs in spelling alone disappears, what differs in meaning stays. */

const prefixWords =
  /^((data16|data32|addr16|addr32|[c-gs]s|rex(\.W?R?X?B?)?|bnd|notrack|xacquire|xrelease|lock|rep|repz|repnz)( |$))+/;

/** String instructions: objdump names the size in the operands alone, we in the mnemonic too. */
const stringNames = /^(movs|cmps|stos|lods|scas|ins|outs)[bwdq]? (?!xmm)(?=.*\[)/;

/** Overrides that change nothing: DS, or SS with a stack base. */
const redundantSegment = /\bds:(?=\[(?![er]?[bs]p[\]+-]))|\bss:(?=\[[er]?[bs]p[\]+-])/;

/** One of the two writes the operand size as a suffix. */
const suffixed =
  /^(pushf?a?|popf?a?|iret|retf?|sysret|sysexit|leave|enter|call|jmp|fldenv|fnstenv|fnsave|frstor|xbegin|[sl][gil]dt|loopn?e?|xlat|pcmpestr[im])[wdq]( |$)/;

/** Instructions that take an address, or a whole block of memory: whether a size is shown is taste. */
const unsized = /^((clflush|prefetch|invlpg|invpcid|lddqu|bound|xlat|nop|cmpxchg16b)\S* .*?)\b[A-Z]+ PTR /;

/** objdump's name → ours. */
const synonyms: Readonly<Record<string, string>> = {
  movabs: 'mov',
  'xchg rax,rax': 'nop',
  'xchg eax,eax': 'nop',
  'xchg ax,ax': 'nop',
};

const compares = ['eq', 'lt', 'le', 'unord', 'neq', 'nlt', 'nle', 'ord'];

/** CMPEQPS xmm0,xmm1 and its like are CMPPS with an immediate. */
function expandCompare(text: string): string {
  const match = /^cmp(eq|lt|le|unord|neq|nlt|nle|ord)(ps|pd|ss|sd) (.*)$/.exec(text);
  return match === null ? text : `cmp${match[2]} ${match[3]},0x${compares.indexOf(match[1] ?? '')}`;
}

/** objdump shows a negative RIP displacement as an unsigned number. */
function ripForm(operand: string): string {
  const match = /\[([er]ip)([+-])0x([0-9a-f]+)\]/.exec(operand);
  if (match === null) return operand;
  const value = BigInt(`0x${match[3]}`) * (match[2] === '-' ? -1n : 1n);
  return `[${match[1]}+0x${BigInt.asUintN(32, value).toString(16)}]`;
}

/** Prefix words come off: LOCK, REP and ineffective ones are printed differently. */
export function normalise(text: string): string {
  let line = text
    .replace(/\s+/g, ' ')
    .replace(/ *#.*$/, '')
    .trim();
  line = line.replace(prefixWords, '').replace(stringNames, '$1 ').replace(suffixed, '$1$2').replace(unsized, '$1');
  line = line
    .replace('only)', '')
    .replace(/\((287|8087) /, '')
    .replace(/^xlat .*/, 'xlat');
  line = line
    .replace(/\+[er]iz\*[1248]/, '')
    .replace(redundantSegment, '')
    .replace(/\+0x0\]/, ']');
  line = line.replace(/\[[er]ip[+-]0x[0-9a-f]*\]/, ripForm);
  line = synonyms[line] ?? line;
  const [name = '', ...rest] = line.split(' ');
  return expandCompare([synonyms[name] ?? name, ...rest].join(' ').trim());
}
