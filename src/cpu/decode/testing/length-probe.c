/*
 * Asks the processor it runs on for the length of encodings, in 64-bit mode: length-probe CASES OUT.
 *
 * CASES holds 16 bytes per case. Each is placed so that only its first k bytes lie on an executable page, for k = 1, 2 …,
 * and single-stepped with all registers zero: while the processor wants more bytes, fetching faults on the next page.
 * OUT gets a line per case: k and how it ended (ok, ud, gp, pf, fpe, bus).
 * Leave out what would leave the process: system calls, far transfers, loads of FS.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum { case_bytes = 16, page_bytes = 4096, stack_bytes = 65536, fp_bytes = 512, flags_if_tf = 0x302 };

static unsigned char *forbidden, *stack, *cases;
static long count, current = -1;
static int shown;
static FILE *out;
static sigjmp_buf finished;
static unsigned char fp_state[fp_bytes];
static int have_fp_state;

static void start_case(ucontext_t *context) {
  greg_t *registers = context->uc_mcontext.gregs;
  memcpy(forbidden - shown, cases + current * case_bytes, shown);
  for (int i = 0; i <= REG_RCX; i++) registers[i] = 0;
  registers[REG_RSP] = (greg_t)(stack + stack_bytes / 2);
  registers[REG_RIP] = (greg_t)(forbidden - shown);
  registers[REG_EFL] = flags_if_tf;
  if (!have_fp_state) memcpy(fp_state, context->uc_mcontext.fpregs, fp_bytes);
  have_fp_state = 1;
  memcpy(context->uc_mcontext.fpregs, fp_state, fp_bytes);
}

static const char *outcome(int number, const siginfo_t *info) {
  switch (number) {
    case SIGTRAP: return "ok";
    case SIGILL: return "ud";
    case SIGFPE: return "fpe";
    case SIGBUS: return "bus";
    default: return info->si_code == SI_KERNEL ? "gp" : "pf";
  }
}

static void on_signal(int number, siginfo_t *info, void *argument) {
  ucontext_t *context = argument;
  if (current >= 0) {
    int at_start = (unsigned char *)context->uc_mcontext.gregs[REG_RIP] == forbidden - shown;
    if (number == SIGSEGV && info->si_addr == forbidden && at_start && shown < case_bytes) {
      shown++;
      start_case(context);
      return;
    }
    fprintf(out, "%d %s\n", shown, outcome(number, info));
  }
  current++;
  shown = 1;
  if (current >= count) siglongjmp(finished, 1);
  start_case(context);
}

static unsigned char *map_at(unsigned long address, size_t bytes, int protection) {
  void *mapped = mmap((void *)address, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (mapped == MAP_FAILED) exit(1);
  return mapped;
}

int main(int argc, char **argv) {
  FILE *in = argc == 3 ? fopen(argv[1], "rb") : NULL;
  out = argc == 3 ? fopen(argv[2], "w") : NULL;
  if (in == NULL || out == NULL) return 2;
  fseek(in, 0, SEEK_END);
  count = ftell(in) / case_bytes;
  rewind(in);
  cases = malloc(count * case_bytes);
  if (fread(cases, case_bytes, count, in) != (size_t)count) return 2;
  /* Far from everything else, so that RIP-relative operands hit nothing. */
  forbidden = map_at(0x200000000000, 2 * page_bytes, PROT_READ | PROT_WRITE | PROT_EXEC) + page_bytes;
  mprotect(forbidden, page_bytes, PROT_NONE);
  stack = map_at(0x210000000000, stack_bytes, PROT_READ | PROT_WRITE);
  stack_t alternate = {.ss_sp = malloc(1 << 18), .ss_size = 1 << 18};
  sigaltstack(&alternate, NULL);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigfillset(&action.sa_mask);
  const int signals[] = {SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGTRAP};
  for (int i = 0; i < 5; i++) sigaction(signals[i], &action, NULL);
  if (sigsetjmp(finished, 1) == 0) __asm__ volatile("ud2");
  fclose(out);
  /* The tested code may have upset the C library: no exit handlers. */
  _exit(0);
}
