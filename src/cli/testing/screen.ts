import type { ChildProcess } from 'node:child_process';

/** @returns what waits until the program, which script(1) gives a terminal, has shown a text after those before it. */
export function screenOf({ stdout }: ChildProcess): (text: string) => Promise<void> {
  let screen = '';
  let seen = 0;
  let check = (): void => {};
  stdout?.on('data', (bytes: Buffer) => {
    screen += bytes.toString('latin1');
    check();
  });
  return (text) =>
    new Promise((resolve) => {
      check = () => {
        const at = screen.indexOf(text, seen);
        if (at < 0) return;
        seen = at + text.length;
        check = () => {};
        resolve();
      };
      check();
    });
}
