/** Every row of the instruction table against this host's CPU, and against recordings: a hundred cases a row, and more in the slow lane. */
import { defineNativeTests, defineRecordedTests } from './suite.ts';

const casesPerRow = 100;

defineNativeTests('interpret', casesPerRow);
defineRecordedTests('interpret');
defineRecordedTests('translate');
