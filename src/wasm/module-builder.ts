/** Builds a WebAssembly module in the binary format. WebAssembly Core Specification, section 5.5. */
import { ByteWriter } from './byte-writer.ts';
import type { CodeBuilder } from './code-builder.ts';
import { type FunctionType, valueTypeCode } from './types.ts';

const sectionId = { custom: 0, type: 1, import: 2, function: 3, export: 7, element: 9, code: 10 } as const;
const externalKind = { function: 0, table: 1, memory: 2 } as const;

interface Import {
  readonly name: string;
  readonly kind: number;
  readonly describe: (out: ByteWriter) => void;
}

/** All imports come from the module name `env`. Functions are numbered imports first, in order of definition. */
export class ModuleBuilder {
  readonly #types: string[] = [];
  readonly #imports: Import[] = [];
  readonly #functions: { type: number; code: CodeBuilder | undefined }[] = [];
  readonly #exports: { name: string; index: number }[] = [];
  readonly #names = new Map<number, string>();
  readonly #sections: { name: string; bytes: Uint8Array }[] = [];
  #elements: { offset: number; functions: readonly number[] } | undefined;
  #importedFunctions = 0;

  typeIndex(type: FunctionType): number {
    const text = [
      0x60,
      type.parameters.length,
      ...type.parameters.map((t) => valueTypeCode[t]),
      type.results.length,
      ...type.results.map((t) => valueTypeCode[t]),
    ].join();
    const known = this.#types.indexOf(text);
    return known >= 0 ? known : this.#types.push(text) - 1;
  }

  importMemory(name: string, pages: { readonly initial: number; readonly maximum: number }): void {
    this.#imports.push({
      name,
      kind: externalKind.memory,
      describe: (out) => {
        out.byte(3);
        out.unsigned(pages.initial);
        out.unsigned(pages.maximum);
      },
    });
  }

  importTable(name: string, initial: number): void {
    this.#imports.push({
      name,
      kind: externalKind.table,
      describe: (out) => {
        out.byte(0x70);
        out.byte(0);
        out.unsigned(initial);
      },
    });
  }

  /** Must precede every `declare`. @returns the function's index. */
  importFunction(name: string, type: FunctionType): number {
    if (this.#functions.length > 0) throw new Error('imports come before functions');
    const index = this.typeIndex(type);
    this.#imports.push({ name, kind: externalKind.function, describe: (out) => out.unsigned(index) });
    return this.#importedFunctions++;
  }

  /** Reserves a function index, so that code can call it before its body exists. */
  declare(type: FunctionType): number {
    this.#functions.push({ type: this.typeIndex(type), code: undefined });
    return this.#importedFunctions + this.#functions.length - 1;
  }

  define(index: number, code: CodeBuilder): void {
    const entry = this.#functions[index - this.#importedFunctions];
    if (entry === undefined) throw new Error(`function ${index} was not declared`);
    entry.code = code;
  }

  /** Names a defined function for profilers and stack traces. */
  name(index: number, text: string): void {
    this.#names.set(index, text);
  }

  export(name: string, index: number): void {
    this.#exports.push({ name, index });
  }

  /** Fills the imported table from `offset` with `functions` when the module is instantiated. */
  fillTable(offset: number, functions: readonly number[]): void {
    this.#elements = { offset, functions };
  }

  /** A custom section. */
  section(name: string, bytes: Uint8Array): void {
    this.#sections.push({ name, bytes });
  }

  /** The module's bytes. */
  finish(): Uint8Array<ArrayBuffer> {
    const out = new ByteWriter();
    out.append([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
    const section = (id: number, write: (body: ByteWriter) => void): void => {
      const body = new ByteWriter();
      write(body);
      out.byte(id);
      out.unsigned(body.length);
      out.append(body.bytes());
    };
    section(sectionId.type, (body) => {
      body.unsigned(this.#types.length);
      for (const text of this.#types) body.append(text.split(',').map(Number));
    });
    section(sectionId.import, (body) => {
      body.unsigned(this.#imports.length);
      for (const item of this.#imports) {
        body.name('env');
        body.name(item.name);
        body.byte(item.kind);
        item.describe(body);
      }
    });
    section(sectionId.function, (body) => {
      body.unsigned(this.#functions.length);
      for (const { type } of this.#functions) body.unsigned(type);
    });
    section(sectionId.export, (body) => {
      body.unsigned(this.#exports.length);
      for (const { name, index } of this.#exports) {
        body.name(name);
        body.byte(externalKind.function);
        body.unsigned(index);
      }
    });
    if (this.#elements !== undefined) this.#elementSection(section, this.#elements);
    this.#codeSections(section);
    if (this.#names.size > 0) section(sectionId.custom, (body) => this.#nameSection(body));
    for (const { name, bytes } of this.#sections) {
      section(sectionId.custom, (body) => {
        body.name(name);
        body.append(bytes);
      });
    }
    return out.bytes();
  }

  /** Subsection 1: function names. WebAssembly Core Specification, appendix 7.4. */
  #nameSection(body: ByteWriter): void {
    body.name('name');
    const map = new ByteWriter();
    map.unsigned(this.#names.size);
    for (const [index, text] of [...this.#names].sort(([a], [b]) => a - b)) {
      map.unsigned(index);
      map.name(text);
    }
    body.byte(1);
    body.unsigned(map.length);
    body.append(map.bytes());
  }

  #elementSection(
    section: (id: number, write: (body: ByteWriter) => void) => void,
    elements: { offset: number; functions: readonly number[] },
  ): void {
    section(sectionId.element, (body) => {
      body.unsigned(1);
      body.unsigned(0);
      body.byte(0x41);
      body.signed(elements.offset);
      body.byte(0x0b);
      body.unsigned(elements.functions.length);
      for (const index of elements.functions) body.unsigned(index);
    });
  }

  /** Branch hints stand in a custom section before the code section (branch-hinting proposal). */
  #codeSections(section: (id: number, write: (body: ByteWriter) => void) => void): void {
    const finished = this.#functions.map(({ code }, position) => {
      if (code === undefined) throw new Error(`function ${position} has no body`);
      return { index: this.#importedFunctions + position, ...code.finish() };
    });
    const hinted = finished.filter(({ hints }) => hints.length > 0);
    if (hinted.length > 0) {
      section(sectionId.custom, (body) => {
        body.name('metadata.code.branch_hint');
        body.unsigned(hinted.length);
        for (const { index, hints } of hinted) {
          body.unsigned(index);
          body.unsigned(hints.length);
          for (const { offset, likely } of hints) {
            body.unsigned(offset);
            body.unsigned(1);
            body.byte(likely ? 1 : 0);
          }
        }
      });
    }
    section(sectionId.code, (body) => {
      body.unsigned(finished.length);
      for (const { body: code } of finished) {
        body.unsigned(code.length);
        body.append(code);
      }
    });
  }
}
