/** Every row of the instruction table against this host's CPU, at length. */
import { defineNativeTests, defineRecordedTests } from './suite.ts';

const casesPerRow = 2000;

defineNativeTests('interpret', casesPerRow);
defineNativeTests('translate', casesPerRow);
defineNativeTests('staying', casesPerRow);
defineRecordedTests('staying');
