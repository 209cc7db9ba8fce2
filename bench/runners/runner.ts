import type { Result } from '../../src/support/result.ts';
import type { Image } from '../guest/image.ts';

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/** A way to run the bench's userland: a process whose standard streams are the guest's console. */
export interface Runner {
  readonly name: string;
  /** Whether there is a machine: only then are boot, idle load and memory measured. */
  readonly machine: boolean;
  /** Makes ready what outlives a guest. @returns what the report says about it, or why it cannot run here */
  prepare(): Promise<Result<string>>;
  command(image: Image): Command;
  /** Facts that the process printed on standard error, known once it has ended. */
  statistics?(stderr: string): Readonly<Record<string, number>> | undefined;
}

/** A kernel that panics resets at once, which ends the process. */
export const kernelCommandLine = 'console=ttyS0,115200 panic=-1';
