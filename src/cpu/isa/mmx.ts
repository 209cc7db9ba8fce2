/** placeholder */
import type { Row } from './row.ts';
export const mmxRows: readonly Row[] = [];
