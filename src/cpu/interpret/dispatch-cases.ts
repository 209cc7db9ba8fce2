/** The cases of the dispatch loops: what each of them runs, and which handler's number is whose. */
import type { Semantics } from '../emit/ops.ts';
import { handlerKey, pseudoHandlers } from './handler-keys.ts';
import { HandlerModule } from './handler-module.ts';
import { type HotForm, hotForms } from './hot.ts';
import { hotPairs } from './hot-pairs.ts';

export interface DispatchCases {
  /** The cases of 64-bit code, of which the first has number `pseudoHandlers`: of forms that come out the same only one. */
  readonly long: readonly HotForm[];
  /** Behind those: two cases of 64-bit code in turn, by their numbers. */
  readonly pairs: readonly (readonly [number, number])[];
  /** Behind those: the cases of 16- and 32-bit code. */
  readonly legacy: readonly HotForm[];
  readonly numbers: CaseNumbers;
}

/** As handlers are numbered, in a form that can be kept. */
export interface CaseNumbers {
  /** `handlerKey` of a form and number of its case, in turn. */
  readonly forms: ArrayLike<number>;
  /** Two numbers of cases and that of the case that runs both, in turn. */
  readonly pairs: ArrayLike<number>;
}

/** What `hotPairs` calls a form: mnemonic, operands (R or M for what may be register or memory), operand size. */
function nameOf({ row, key }: HotForm): string {
  const operands = row.operands.replaceAll('E', key.registerForm ? 'R' : 'M');
  return `${row.mnemonic} ${operands} ${key.operandSize}`.replace(/ +/, ' ');
}

interface Numbered {
  readonly cases: readonly HotForm[];
  readonly keys: readonly number[];
  readonly byName: ReadonlyMap<string, number>;
}

function number(forms: readonly HotForm[], first: number, semantics: Readonly<Record<string, Semantics>>): Numbered {
  const module = new HandlerModule(semantics, first, false);
  const cases: HotForm[] = [];
  const keys: number[] = [];
  const byName = new Map<string, number>();
  for (const form of forms) {
    const own = module.add(form.row, form.key);
    if (own === first + cases.length) cases.push(form);
    keys.push(handlerKey(form.row, form.key), own);
    byName.set(nameOf(form), own);
  }
  return { cases, keys, byName };
}

export function dispatchCases(semantics: Readonly<Record<string, Semantics>>): DispatchCases {
  const long = number(hotForms(true), pseudoHandlers, semantics);
  const firstPair = pseudoHandlers + long.cases.length;
  const pairs = hotPairs.flatMap(([first, seconds]) =>
    seconds.map((second) => {
      const [a, b] = [long.byName.get(first), long.byName.get(second)];
      if (a === undefined || b === undefined) throw new Error(`no such forms: ${first}, ${second}`);
      return [a, b] as const;
    }),
  );
  const legacy = number(hotForms(false), firstPair + pairs.length, semantics);
  return {
    long: long.cases,
    pairs,
    legacy: legacy.cases,
    numbers: { forms: [...long.keys, ...legacy.keys], pairs: pairs.flatMap(([a, b], n) => [a, b, firstPair + n]) },
  };
}

/** The first number that no case has. */
export const afterCases = ({ long, pairs, legacy }: DispatchCases): number =>
  pseudoHandlers + long.length + pairs.length + legacy.length;
