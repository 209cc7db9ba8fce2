/** Computes the status flags that translated code left as the operands they follow from. */
import { CodeBuilder, type Label } from '../../wasm/code-builder.ts';
import type { ModuleBuilder } from '../../wasm/module-builder.ts';
import type { Value } from '../../wasm/types.ts';
import { deferredKinds, FlagEmitter } from '../emit/flags.ts';
import { state } from '../state/layout.ts';
import { sharedTypes } from './shared-types.ts';

/** Defines `settle` of `sharedTypes`. */
export function defineSettle(module: ModuleBuilder): number {
  const index = module.declare(sharedTypes.settle);
  const code = new CodeBuilder(sharedTypes.settle.parameters);
  const e = new FlagEmitter(code);
  const kind = e.let(e.loadState32(state.flagKind));
  e.storeState32(state.flagKind, e.i32(0));
  const [a, b] = [e.let(e.loadState64(state.flagA)), e.let(e.loadState64(state.flagB))];
  const labels: Label[] = [];
  const nest = (remaining: number): void => {
    if (remaining === 0) {
      // Kinds count from 1.
      code.branchTable(e.sub(kind, 1), labels.slice(1).reverse(), labels[0] as Label);
      return;
    }
    code.block((label) => {
      labels.push(label);
      nest(remaining - 1);
    });
    const deferred = deferredKinds[remaining - 1];
    if (deferred === undefined) return;
    const part = (value: Value): Value => e.let(deferred.bits === 64 ? value : e.wrap(value));
    code.scope(() => e.setDeferred(deferred, part(a), part(b)));
    code.return();
  };
  nest(deferredKinds.length + 1);
  module.define(index, code);
  return index;
}
