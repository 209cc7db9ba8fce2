/** Rare code of a region's instructions: a function of the module, for all of its regions. */
import type { CodeBuilder } from '../../wasm/code-builder.ts';
import { callFor, conversion, simd } from '../../wasm/expression.ts';
import { convert, v128 } from '../../wasm/opcodes.ts';
import type { FunctionType, Value, ValueType } from '../../wasm/types.ts';
import { Emitter } from '../emit/emitter.ts';
import type { SlowEmitter } from '../emit/float-emitter.ts';
import { type HostCall, hostCalls } from '../emit/host-calls.ts';
import { state } from '../state/layout.ts';

/** The first parameter is the region's record. A slow path that faults leaves state.fault set, and the result is anything. */
export class RareEmitter extends Emitter implements SlowEmitter {
  readonly #hostFunction: number;
  readonly #result: ValueType;

  constructor(code: CodeBuilder, hostFunction: number, result: ValueType) {
    super(code);
    this.#hostFunction = hostFunction;
    this.#result = result;
  }

  host(name: HostCall, ...parameters: Value[]): void {
    parameters.forEach((parameter, position) => {
      this.storeState64(state.scratch + position * 8, this.extendU(parameter));
    });
    const record = this.get(this.code.parameter(0));
    const call = callFor('i32', this.#hostFunction, [record, this.i32(hostCalls.indexOf(name))]);
    this.ifUnlikely(call, () => this.code.return(this.#anything()));
  }

  #anything(): Value {
    const zero = this.i32(0);
    switch (this.#result) {
      case 'i32':
        return zero;
      case 'i64':
        return this.i64(0);
      case 'f32':
        return conversion(convert.f32FromI32Bits, 'f32', zero);
      case 'f64':
        return conversion(convert.f64FromI64Bits, 'f64', this.i64(0));
      default:
        return simd(v128.i32x4Splat, [zero]);
    }
  }
}

/** Defines a function of the module under a name, once. @returns its index. */
export type DefineFunction = (name: string, type: FunctionType, emit: (code: CodeBuilder) => void) => number;
