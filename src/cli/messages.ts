/** Says one thing to the user, on standard error. */
export function say(text: string): void {
  process.stderr.write(`corbel: ${text}\n`);
}
