/** placeholder until x87 lands */
import { undefinedOpcode } from '../guest-fault.ts';
const ud = (): number => {
  throw undefinedOpcode();
};
export const fpuCalls = { fxsave: ud, fxrstor: ud, xsave: ud, xsaveopt: ud, xrstor: ud, x87: ud, sse: ud, ldmxcsr: ud };
