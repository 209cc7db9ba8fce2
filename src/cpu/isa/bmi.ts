/** placeholder */
import type { Row } from './row.ts';
export const bmiRows: readonly Row[] = [];
