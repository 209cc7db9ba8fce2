/** The parts of a list; a doubled comma stands for one within a part, as QEMU has it. */
export function splitAtCommas(text: string): string[] {
  const parts: string[] = [''];
  for (const piece of text.match(/,,|,|[^,]+/g) ?? []) {
    if (piece === ',') parts.push('');
    else parts[parts.length - 1] += piece === ',,' ? ',' : piece;
  }
  return parts;
}
