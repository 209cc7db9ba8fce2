/** What can go wrong with a disk, for programs (`kind`) and people (`message`, one sentence). */
import type { Failure } from '../support/result.ts';

export type DiskFailureKind =
  /** Offset or length outside the disk. */
  | 'range'
  | 'read-only'
  /** The host's file system is full: the request can succeed once there is room again. */
  | 'no-space'
  /** The host could not do it: the medium, the network. */
  | 'io'
  /** The image contradicts itself or its format. */
  | 'corrupt'
  /** A format, a version, a feature or an operation that is not supported. */
  | 'unsupported'
  /** Another process has it open. */
  | 'in-use'
  | 'not-found';

export type DiskFailure = Failure<DiskFailureKind>;
