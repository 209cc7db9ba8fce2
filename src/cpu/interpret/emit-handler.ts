/** Emits one handler: the checks that a row's columns ask for, then its semantics. */
import { vector } from '../../spec/x86/exceptions.ts';
import type { Form } from '../emit/form.ts';
import type { Ops, Semantics } from '../emit/ops.ts';
import { state } from '../state/layout.ts';

const isMmx = (form: Form): boolean => form.operands.some(({ kind }) => kind === 'mmx');
const isSse = (form: Form): boolean =>
  form.operands.some(({ kind }) => kind === 'xmm') || form.row.operands.includes('W');

/** Row-level preconditions in the order in which a processor checks them: #UD, #NM, then #GP. */
function emitChecks(ops: Ops, form: Form): void {
  if (isSse(form)) ops.requireUnit(state.sseFault);
  if (isMmx(form)) ops.requireMmx();
  if (form.row.privileged === true) ops.requireSupervisor();
}

export function emitHandler(ops: Ops, form: Form, semantics: Readonly<Record<string, Semantics>>): void {
  ops.form = form;
  emitChecks(ops, form);
  const run = semantics[form.row.semantics];
  if (run === undefined) ops.raise(vector.ud);
  else run(ops, form);
  if (isMmx(form)) ops.enterMmx();
}
