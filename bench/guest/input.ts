/** Text to work on: words of unequal frequency, so that it compresses about as written text does. Always the same. */

const vocabulary = 4096;
const letters = 'etaoinshrdlucmfw';

/** Numerical Recipes' linear congruential generator; the high bits are good enough here. */
function next(state: number): number {
  return (Math.imul(state, 1664525) + 1013904223) >>> 0;
}

function makeWords(): string[] {
  let state = 1;
  return Array.from({ length: vocabulary }, () => {
    state = next(state);
    const length = 2 + (state >>> 29);
    let word = '';
    for (let i = 0; i < length; i++) {
      state = next(state);
      word += letters[Math.min(state >>> 28, (state >>> 20) & 15)];
    }
    return word;
  });
}

export function textInput(bytes: number): Uint8Array {
  const words = makeWords();
  const pieces: string[] = [];
  let state = 2;
  for (let length = 0, i = 1; length < bytes; i++) {
    state = next(state);
    // The square of a uniform number makes the first words the frequent ones.
    const word = `${words[Math.floor((state / 2 ** 32) ** 2 * vocabulary)]}${i % 12 === 0 ? '\n' : ' '}`;
    pieces.push(word);
    length += word.length;
  }
  return new TextEncoder().encode(pieces.join('').slice(0, bytes));
}
