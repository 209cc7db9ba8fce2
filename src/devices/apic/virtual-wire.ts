/** How firmware leaves the bootstrap processor's local APIC; for guests that start without firmware. */
import { apicLvt, apicRegister, apicSpurious, deliveryMode } from '../../spec/x86/apic.ts';
import type { LocalApic } from './local-apic.ts';

/** Virtual wire mode: LINT0 passes the 8259 pair through, LINT1 is NMI. MultiProcessor Specification 1.4, 3.6.2.2. */
export function enableVirtualWire(apic: LocalApic): void {
  apic.write32(apicRegister.spuriousVector, apicSpurious.resetValue | apicSpurious.softwareEnable);
  apic.write32(apicRegister.lvtLint0, deliveryMode.externalInterrupt << apicLvt.deliveryModeShift);
  apic.write32(apicRegister.lvtLint1, deliveryMode.nmi << apicLvt.deliveryModeShift);
}
