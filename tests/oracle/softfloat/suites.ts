/** Every operation the harness and the library share, each with its way to make requests and to judge replies. */

import type { Comparison } from './comparison.ts';
import type { Random } from './operands.ts';
import type { OracleReply, OracleRequest } from './records.ts';
import { sseOperations } from './sse-operations.ts';
import { compareSse, makeSseRequests } from './sse-runner.ts';
import { transcendentalOperations } from './transcendental-operations.ts';
import { type X87Operation, x87Operations } from './x87-operations.ts';
import { compareX87, makeX87Requests } from './x87-runner.ts';

export interface Suite {
  readonly name: string;
  /** Within one unit in the last place counts as equal; otherwise every bit must agree. */
  readonly isApproximate: boolean;
  makeRequests(random: Random, count: number): OracleRequest[];
  compare(request: OracleRequest, reply: OracleReply): Comparison;
}

const x87Suite = (operation: X87Operation): Suite => ({
  name: operation.name,
  isApproximate: operation.tolerance !== undefined,
  makeRequests: (random, count) => makeX87Requests(operation, random, count),
  compare: (request, reply) => compareX87(operation, request, reply),
});

export const suites: readonly Suite[] = [
  ...x87Operations.map(x87Suite),
  ...transcendentalOperations.map(x87Suite),
  ...sseOperations.map((operation) => ({
    name: operation.name,
    isApproximate: false,
    makeRequests: (random: Random, count: number) => makeSseRequests(operation, random, count),
    compare: (request: OracleRequest, reply: OracleReply) => compareSse(operation, request, reply),
  })),
];
