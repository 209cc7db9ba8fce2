/** One 8259A: requests, priorities and command words. The pair is in `pic.ts`. Source: Intel 8259A datasheet. */
import { icw1, icw4, ocw2, ocw3, picCascadeInput } from '../../spec/pc/pic.ts';

export interface PicChipState {
  /** Levels of the inputs. */
  lines: number;
  /** Rising edges that are not acknowledged yet; a falling line withdraws its own. */
  edges: number;
  inService: number;
  mask: number;
  /** ELCR: inputs that request by level. */
  levelTriggered: number;
  vectorBase: number;
  /** The next initialization word (2…4), 0 when none is due. */
  expectedIcw: number;
  icw1: number;
  icw4: number;
  initialized: boolean;
  lowestPriority: number;
  rotateOnAutoEoi: boolean;
  specialMask: boolean;
  readInService: boolean;
  poll: boolean;
}

const powerOn = (): PicChipState => ({
  lines: 0,
  edges: 0,
  inService: 0,
  mask: 0,
  levelTriggered: 0,
  vectorBase: 0,
  expectedIcw: 0,
  icw1: 0,
  icw4: 0,
  initialized: false,
  lowestPriority: 7,
  rotateOnAutoEoi: false,
  specialMask: false,
  readInService: false,
  poll: false,
});

export class PicChip {
  readonly #isMaster: boolean;
  #s: PicChipState = powerOn();

  constructor(isMaster: boolean) {
    this.#isMaster = isMaster;
  }

  /** Power-on; the levels on the inputs are the devices' and stay. */
  reset(): void {
    this.#s = { ...powerOn(), lines: this.#s.lines };
  }

  save(): PicChipState {
    return { ...this.#s };
  }

  restore(state: PicChipState): void {
    this.#s = { ...state };
  }

  setInput(input: number, level: boolean): void {
    const bit = 1 << input;
    if (!level) {
      // "The IR inputs must remain high until after the falling edge of the first INTA": else the request is gone.
      this.#s.lines &= ~bit;
      this.#s.edges &= ~bit;
    } else if ((this.#s.lines & bit) === 0) {
      this.#s.lines |= bit;
      this.#s.edges |= bit;
    }
  }

  get levelTriggered(): number {
    return this.#s.levelTriggered;
  }

  set levelTriggered(inputs: number) {
    this.#s.levelTriggered = inputs;
  }

  #requests(): number {
    const s = this.#s;
    return (s.lines & s.levelTriggered) | (s.edges & ~s.levelTriggered);
  }

  /** The input that asks for service now, or -1. It decides INT. */
  pending(): number {
    const s = this.#s;
    if (!s.initialized || s.expectedIcw !== 0) return -1;
    const requests = this.#requests() & ~s.mask;
    if (requests === 0) return -1;
    const blocking = s.specialMask ? s.inService & ~s.mask : s.inService;
    const nestedSlave = this.#isMaster && (s.icw4 & icw4.specialFullyNested) !== 0;
    for (let rank = 1; rank <= 8; rank++) {
      const input = (s.lowestPriority + rank) & 7;
      const bit = 1 << input;
      if ((blocking & bit) !== 0) {
        // Special fully nested mode: the slave may interrupt its own service with a higher request of its own.
        return nestedSlave && input === picCascadeInput && (requests & bit) !== 0 ? input : -1;
      }
      if ((requests & bit) !== 0) return input;
    }
    return -1;
  }

  /** INTA: takes `pending()` into service. @returns that input, or -1 for a spurious cycle, which sets no ISR bit. */
  take(): number {
    const input = this.pending();
    if (input < 0) return -1;
    const s = this.#s;
    s.edges &= ~(1 << input);
    if ((s.icw4 & icw4.autoEoi) === 0) s.inService |= 1 << input;
    else if (s.rotateOnAutoEoi) s.lowestPriority = input;
    return input;
  }

  /** A spurious cycle answers as input 7. */
  vector(input: number): number {
    return this.#s.vectorBase | (input < 0 ? 7 : input);
  }

  readCommand(): number {
    return this.#s.readInService ? this.#s.inService : this.#requests();
  }

  readData(): number {
    return this.#s.mask;
  }

  /** Whether a poll command waits: the next read, at either port, is `readPoll`. */
  get polled(): boolean {
    return this.#s.poll;
  }

  /** Answers a poll command; the read is the acknowledge. */
  readPoll(): number {
    this.#s.poll = false;
    const input = this.take();
    return input < 0 ? 0 : 0x80 | input;
  }

  writeCommand(value: number): void {
    if ((value & icw1.init) !== 0) this.#initialize(value);
    else if ((value & ocw3.select) !== 0) this.#operate(value);
    else this.#endOfInterrupt(value & ocw2.commandMask, value & 7);
  }

  writeData(value: number): void {
    const s = this.#s;
    if (s.expectedIcw === 0) {
      s.mask = value;
      return;
    }
    if (s.expectedIcw === 2) {
      s.vectorBase = value & 0xf8;
      s.expectedIcw = (s.icw1 & icw1.single) === 0 ? 3 : this.#afterIcw3();
    } else if (s.expectedIcw === 3) {
      // The board wires the cascade to IR2; what ICW3 claims changes nothing.
      s.expectedIcw = this.#afterIcw3();
    } else {
      s.icw4 = value;
      s.expectedIcw = 0;
    }
    if (s.expectedIcw === 0) s.initialized = true;
  }

  #afterIcw3(): number {
    return (this.#s.icw1 & icw1.needIcw4) !== 0 ? 4 : 0;
  }

  /** ICW1 restarts the chip. LTIM (bit 3) is dead on a PC: ELCR took its place. */
  #initialize(value: number): void {
    const { lines, levelTriggered, vectorBase } = this.#s;
    this.#s = { ...powerOn(), lines, levelTriggered, vectorBase, icw1: value, expectedIcw: 2 };
  }

  #operate(value: number): void {
    const s = this.#s;
    if ((value & ocw3.enableSpecialMask) !== 0) s.specialMask = (value & ocw3.specialMask) !== 0;
    if ((value & ocw3.poll) !== 0) s.poll = true;
    else if ((value & ocw3.readRegister) !== 0) s.readInService = (value & ocw3.readIsr) !== 0;
  }

  #endOfInterrupt(command: number, level: number): void {
    const s = this.#s;
    switch (command) {
      case ocw2.nonSpecificEoi:
      case ocw2.rotateNonSpecificEoi: {
        const ended = this.#highestInService();
        if (ended < 0) return;
        s.inService &= ~(1 << ended);
        if (command === ocw2.rotateNonSpecificEoi) s.lowestPriority = ended;
        return;
      }
      case ocw2.specificEoi:
        s.inService &= ~(1 << level);
        return;
      case ocw2.rotateSpecificEoi:
        s.inService &= ~(1 << level);
        s.lowestPriority = level;
        return;
      case ocw2.setPriority:
        s.lowestPriority = level;
        return;
      case ocw2.rotateAutoEoiSet:
        s.rotateOnAutoEoi = true;
        return;
      case ocw2.rotateAutoEoiClear:
        s.rotateOnAutoEoi = false;
        return;
      default:
        return;
    }
  }

  /** What a non-specific EOI ends; in special mask mode it leaves masked levels in service. */
  #highestInService(): number {
    const s = this.#s;
    const candidates = s.specialMask ? s.inService & ~s.mask : s.inService;
    for (let rank = 1; rank <= 8; rank++) {
      const input = (s.lowestPriority + rank) & 7;
      if ((candidates & (1 << input)) !== 0) return input;
    }
    return -1;
  }
}
