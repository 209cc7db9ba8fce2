/** What the build of an image is doing, from the lines that its scripts, dpkg and apt report. */

export type BuildPhase = 'unpack' | 'essential' | 'install' | 'finish' | 'file-system';

const phases: readonly string[] = ['unpack', 'essential', 'install', 'finish', 'file-system'] satisfies BuildPhase[];

export class BuildProgress {
  readonly #tell: (phase: BuildPhase, share: number) => void;
  #phase: BuildPhase = 'unpack';
  #total = 1;
  /** Steps of dpkg: each package is unpacked, then installed. */
  #steps = 0;

  /** @param tell is told the phase, and how much of it is done, from 0 to 1 */
  constructor(tell: (phase: BuildPhase, share: number) => void) {
    this.#tell = tell;
  }

  report(line: string): void {
    const own = /^([a-z-]+) ([0-9]+) ([0-9]+)$/.exec(line);
    if (own !== null && phases.includes(own[1] as string)) {
      this.#phase = own[1] as BuildPhase;
      this.#total = Math.max(1, Number(own[3]));
      this.#steps = 0;
      this.#tell(this.#phase, Math.min(1, Number(own[2]) / this.#total));
      return;
    }
    // dpkg(1) --status-fd
    if (this.#phase === 'essential' && /^status: [^ ]+: (unpacked|installed)$/.test(line)) {
      this.#steps++;
      this.#tell(this.#phase, Math.min(1, this.#steps / (2 * this.#total)));
    }
    // APT::Status-Fd, apt's README.progress-reporting: pmstatus:PACKAGE:PERCENT:DESCRIPTION
    const percent = /^pmstatus:[^:]*(?::[a-z0-9]+)?:([0-9.]+):/.exec(line)?.[1];
    if (this.#phase === 'install' && percent !== undefined) this.#tell(this.#phase, Math.min(1, Number(percent) / 100));
  }
}
