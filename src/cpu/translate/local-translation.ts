/** Translates at once, on the vCPU's own thread. */
import type { TranslationJob, TranslationResult, TranslationService } from './job.ts';
import type { RegionCompiler } from './region-compiler.ts';

export class LocalTranslation implements TranslationService {
  readonly #compiler: RegionCompiler;
  readonly #finished: TranslationResult[] = [];

  constructor(compiler: RegionCompiler) {
    this.#compiler = compiler;
  }

  post(job: TranslationJob): void {
    this.#finished.push(this.#compiler.compile(job));
  }

  poll(): TranslationResult | undefined {
    return this.#finished.shift();
  }
}
