/** Interprocessor interrupts: the interrupt command register and SELF IPI. SDM Vol. 3A 12.6.1. */
import { apicCommand, apicError, apicShorthand, deliveryMode, firstLegalVector } from '../../spec/x86/apic.ts';
import type { ApicAgent, ApicBus } from './apic-bus.ts';
import type { InterruptMessage } from './interrupt-message.ts';

/** The local APIC that sends. */
export interface CommandSender extends ApicAgent {
  readonly bus: ApicBus;
  readonly x2apic: boolean;
  reportError(error: number): void;
}

/** Sends what the two halves of the ICR say. @returns the value that the low half reads back as. */
export function sendCommand(sender: CommandSender, low: number, high: number): number {
  const command = low & apicCommand.writable;
  const message = messageOf(sender, command, high);
  const carriesVector =
    message.deliveryMode === deliveryMode.fixed || message.deliveryMode === deliveryMode.lowestPriority;
  if (carriesVector && message.vector < firstLegalVector) {
    sender.reportError(apicError.sendIllegalVector);
    return command;
  }
  switch ((command >>> apicCommand.shorthandShift) & 3) {
    case apicShorthand.self:
      // A shorthand that includes the sender is valid with fixed interrupts only. SDM Vol. 3A table 12-3.
      if (carriesVector) sender.accept(message);
      break;
    case apicShorthand.allIncludingSelf:
      if (carriesVector) sender.bus.sendToAll(message);
      break;
    case apicShorthand.allExcludingSelf:
      sender.bus.sendToAll(message, sender);
      break;
    default:
      sender.bus.send(message);
  }
  return command;
}

/** SELF IPI of x2APIC mode: a fixed, edge-triggered interrupt. SDM Vol. 3A 12.12.11. */
export function sendSelf(sender: CommandSender, vector: number): void {
  sendCommand(sender, vector | (apicShorthand.self << apicCommand.shorthandShift), 0);
}

function messageOf(sender: CommandSender, command: number, high: number): InterruptMessage {
  const logical = (command & apicCommand.logical) !== 0;
  const destination = sender.x2apic ? high : high >>> 24;
  const mode = (command >>> apicCommand.deliveryModeShift) & 7;
  return {
    deliveryMode: mode,
    vector: command & apicCommand.vectorMask,
    logical,
    destination,
    broadcast: !logical && destination === (sender.x2apic ? 0xffff_ffff : 0xff),
    // Only INIT has a level form; interprocessor interrupts are edges whatever bit 15 says.
    levelTriggered: false,
    assert: (command & apicCommand.levelTriggered) === 0 || (command & apicCommand.levelAssert) !== 0,
    lowestPriority: mode === deliveryMode.lowestPriority,
  };
}
