/** Slow paths that semantics can call by name; `cpu/system` and `cpu/events` implement them, numbered by position. */
export const hostCalls = [
  // Processor identity, time, MSRs, entropy
  'cpuid', 'rdtsc', 'rdtscp', 'rdpmc', 'rdmsr', 'wrmsr', 'xgetbv', 'xsetbv', 'rdrand', 'rdseed',
  // Control
  'mov-to-cr', 'mov-from-cr', 'mov-to-dr', 'mov-from-dr', 'clts', 'lmsw', 'hlt', 'sti', 'popf', 'invlpg', 'invpcid',
  'stac', 'clac', 'lgdt', 'lidt', 'lldt', 'ltr', 'lar', 'lsl', 'verr', 'verw', 'rdfsbase', 'rdgsbase', 'wrfsbase',
  'wrgsbase', 'pause',
  // Segments and far transfers
  'mov-to-sreg', 'pop-sreg', 'load-far-segment', 'jmp-far', 'call-far', 'ret-far', 'iret', 'int', 'int3', 'int1', 'into', 'syscall', 'sysret',
  'sysenter', 'sysexit',
  // Port I/O
  'check-io', 'in', 'out',
  // State images
  'fxsave', 'fxrstor', 'xsave', 'xsaveopt', 'xrstor',
  // x87 and SSE slow paths
  'x87', 'sse',
] as const;

export type HostCall = (typeof hostCalls)[number];
