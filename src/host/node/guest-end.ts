/** How the run of a guest can end. */
import type { Outcome } from '../../machine/config.ts';
import type { Failure } from '../../support/result.ts';

export type GuestEnd =
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  /** The guest took itself down for a reboot that somebody asked for. */
  | { readonly kind: 'reboot' }
  | { readonly kind: 'command'; readonly status: number }
  /** The guest powered off of its own accord before it had told the command's status. */
  | { readonly kind: 'cut-short' }
  /** The command could not be run, or its end is not known. */
  | { readonly kind: 'no-command'; readonly failure: Failure }
  | { readonly kind: 'left' }
  /** Somebody outside ended it by force. */
  | { readonly kind: 'stopped' }
  | { readonly kind: 'timed-out' }
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'output-closed'; readonly message: string; readonly brokenPipe: boolean }
  | { readonly kind: 'malformed'; readonly line: string }
  | { readonly kind: 'refused'; readonly failure: Failure }
  | { readonly kind: 'crashed'; readonly error: string };
