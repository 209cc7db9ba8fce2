/** placeholder */
import type { Row } from './row.ts';
export const sse4Rows: readonly Row[] = [];
