/** placeholder */
import type { Row } from './row.ts';
export const sseRows: readonly Row[] = [];
