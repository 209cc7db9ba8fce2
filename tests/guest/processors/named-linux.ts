/** A linux guest with a name, which is told what to do through its control socket. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { Ended } from '../../../src/cli/testing/corbel-process.ts';
import { askControl } from '../../../src/host/node/control/control-client.ts';
import type { ControlRequest } from '../../../src/host/node/control/protocol.ts';
import { findVm, vmSockets } from '../../../src/host/node/vms/registry.ts';
import { startLinux } from '../linux-process.ts';
import { processorSeconds } from '../processor-time.ts';

const longSeconds = 800;
const patienceMs = 20_000;

export interface NamedLinux {
  /** Resolves when the output holds `text` after what was waited for before. */
  shows(text: string): Promise<void>;
  /** Lines of input. */
  say(lines: string): void;
  ask(request: ControlRequest): Promise<void>;
  /** Its last input. */
  end(input: string): Promise<Ended>;
  /** User and system time of its process so far. */
  processorSeconds(): number;
  readonly ended: Promise<Ended>;
}

/** For tests that call `useVmHome`. */
export function startNamedLinux(name: string, args: readonly string[]): NamedLinux {
  const { child, ended } = startLinux(['--timeout', String(longSeconds), '--name', name, ...args], 'open');
  let output = '';
  let seen = 0;
  let over = false;
  child.stdout?.on('data', (bytes: Buffer) => {
    output += bytes.toString();
  });
  void ended.then(() => {
    over = true;
  });
  return {
    ended,
    shows: async (text) => {
      for (let at = -1; at < 0; ) {
        at = output.indexOf(text, seen);
        if (at >= 0) seen = at + text.length;
        else {
          assert.equal(over, false, `it ended before it showed "${text}": ${output.slice(-1000)}`);
          await delay(50);
        }
      }
    },
    say: (lines) => void child.stdin?.write(`${lines}\n`),
    ask: async (request) => {
      const vm = findVm(name);
      const sockets = vm.ok ? vmSockets(vm.value) : undefined;
      assert.ok(sockets !== undefined, `${name} does not run`);
      const answer = await askControl(sockets.control, request, patienceMs);
      assert.ok(answer.ok, answer.ok ? '' : answer.error.message);
    },
    end: (input) => {
      child.stdin?.end(input);
      return ended;
    },
    processorSeconds: () => processorSeconds(child.pid as number),
  };
}
