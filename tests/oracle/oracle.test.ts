/** Every row of the instruction table against this host's CPU, and against recordings: a few hundred cases a row. */
import { defineNativeTests, defineRecordedTests } from './suite.ts';

const casesPerRow = 300;

defineNativeTests('interpret', casesPerRow);
defineRecordedTests('interpret');
defineRecordedTests('translate');
