/*
 * Runs instruction cases on the real CPU of this host: `native BATCH RESULTS`, both in the format of layout.ts.
 *
 * Every case gets the whole user-visible state loaded (FXRSTOR, segment registers, IRETQ with all registers in place),
 * executes one instruction in 64-, 32- or 16-bit code, and leaves either through a jump that was put behind it
 * (stub, ~100 ns) or through an INT3 or a fault, whose signal frame holds the state (~2 us).
 *
 * `native --probe` says on stderr why this host cannot do it, if so.
 *
 * Built by native.ts with -static -no-pie (the assembly uses absolute addresses below 2 GB; the fixed mappings lie
 * above 1 GB, where the kernel's random placement of the heap ends) and -fno-stack-protector (FS.base is the case's).
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

/* Addresses and selectors: keep equal to layout.ts. */
#define CODE 0x60000000u
#define CODE_SIZE 0x10000u
#define DATA 0x61000000u
#define DATA_SIZE 0x2000u
#define READ_ONLY 0x61100000u
#define PAGE 0x1000u
/* Bits 16-31 of ESP survive an IRET to a 16-bit stack segment: those of this page's address. */
#define ENTRY_STACK 0x62000000u
#define MAGIC 0x31524f43u

#define NO_FAULT 0xff
#define HANG 0xfe
#define FLAG_STUB 1

struct state {
  uint64_t gpr[16];
  uint64_t rip, rflags, fs_base, gs_base;
  uint16_t selector[6]; /* ES CS SS DS FS GS */
  uint8_t vector, pad[3];
  uint32_t error, pad2;
  uint64_t cr2;
  uint8_t fx[512];
};

struct case_header {
  struct state state;
  uint8_t length, code[15];
  uint32_t flags, patches, size, pad;
};

struct result_header {
  struct state state;
  uint32_t changes, size;
};

struct patch {
  uint32_t address, length; /* then the bytes, padded to 8 */
};

_Static_assert(offsetof(struct state, rip) == 128, "layout");
_Static_assert(offsetof(struct state, selector) == 160, "layout");
_Static_assert(offsetof(struct state, fx) == 192, "layout");
_Static_assert(sizeof(struct state) == 704, "layout");
_Static_assert(sizeof(struct case_header) == 736 && sizeof(struct result_header) == 712, "layout");

/* What the assembly below works on; static and below 2 GB, so that absolute addresses reach it. */
struct state case_in __attribute__((aligned(64))), case_out __attribute__((aligned(64)));
uint64_t own_rsp, own_fs_base;
uint32_t in_case, set_bases;
static uint32_t current, attempts;

void run_case(void);
void leave_case(void);
void exit_stub(void);
void handler_entry(int, siginfo_t *, void *);

#define STR2(x) #x
#define STR(x) STR2(x)
asm(
    ".text\n"
    ".globl run_case, leave_case, exit_stub, handler_entry\n"
    "run_case:\n"
    "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "  mov %rsp, own_rsp\n"
    "  rdfsbase %rax; mov %rax, own_fs_base\n"
    "  movl $1, in_case\n"
    "  mov case_in+160, %es; mov case_in+166, %ds; mov case_in+168, %fs; mov case_in+170, %gs\n"
    "  testl $1, set_bases; jz 1f\n"
    "  mov case_in+144, %rax; wrfsbase %rax\n"
    "1: testl $2, set_bases; jz 1f\n"
    "  mov case_in+152, %rax; wrgsbase %rax\n"
    "1: fxrstor64 case_in+192\n"
    "  mov $" STR(ENTRY_STACK) "+0x800, %esp\n"
    "  xor %eax, %eax\n"
    "  movzwl case_in+164, %eax; push %rax\n"
    "  push case_in+32\n"
    "  push case_in+136\n"
    "  movzwl case_in+162, %eax; push %rax\n"
    "  push case_in+128\n"
    "  mov case_in+0, %rax; mov case_in+8, %rcx; mov case_in+16, %rdx; mov case_in+24, %rbx\n"
    "  mov case_in+40, %rbp; mov case_in+48, %rsi; mov case_in+56, %rdi; mov case_in+64, %r8\n"
    "  mov case_in+72, %r9; mov case_in+80, %r10; mov case_in+88, %r11; mov case_in+96, %r12\n"
    "  mov case_in+104, %r13; mov case_in+112, %r14; mov case_in+120, %r15\n"
    "  iretq\n"

    /* The jump behind the instruction comes here, by a far jump from 32- and 16-bit code. */
    "exit_stub:\n"
    "  mov %rax, case_out+0; mov %rcx, case_out+8; mov %rdx, case_out+16; mov %rbx, case_out+24\n"
    "  mov %rsp, case_out+32; mov %rbp, case_out+40; mov %rsi, case_out+48; mov %rdi, case_out+56\n"
    "  mov %r8, case_out+64; mov %r9, case_out+72; mov %r10, case_out+80; mov %r11, case_out+88\n"
    "  mov %r12, case_out+96; mov %r13, case_out+104; mov %r14, case_out+112; mov %r15, case_out+120\n"
    "  mov own_rsp, %rsp\n"
    "  pushfq; pop case_out+136\n"
    "  pushq $0x202; popfq\n"
    "  mov %es, case_out+160; mov %ss, case_out+164; mov %ds, case_out+166\n"
    "  mov %fs, case_out+168; mov %gs, case_out+170\n"
    "  rdfsbase %rax; mov %rax, case_out+144; rdgsbase %rax; mov %rax, case_out+152\n"
    "  fxsave64 case_out+192\n"
    "leave_case:\n"
    "  mov own_rsp, %rsp\n"
    "  pushq $0x202; popfq\n"
    "  mov $0x2b, %eax; mov %eax, %ss\n"
    "  xor %eax, %eax; mov %eax, %ds; mov %eax, %es; mov %eax, %fs; mov %eax, %gs\n"
    "  mov own_fs_base, %rax; wrfsbase %rax\n"
    "  movl $0, in_case\n"
    "  fninit; ldmxcsr own_mxcsr\n"
    "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "  ret\n"

    /* Signal handler: first what C needs (flags, FS for thread-local storage), keeping what the case left. */
    "handler_entry:\n"
    "  pushq $0x202; popfq\n"
    "  cmpl $0, in_case; je handle_signal\n"
    "  mov %es, case_out+160; mov %ds, case_out+166; mov %fs, case_out+168; mov %gs, case_out+170\n"
    "  rdfsbase %rax; mov %rax, case_out+144; rdgsbase %rax; mov %rax, case_out+152\n"
    "  xor %eax, %eax; mov %eax, %fs\n"
    "  mov own_fs_base, %rax; wrfsbase %rax\n"
    "  jmp handle_signal\n"
    ".data\n"
    ".align 8\n"
    "own_mxcsr: .long 0x1f80\n"
    ".text\n");

/* Greg indices in the order ModRM numbers registers. */
static const int greg[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                             REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

static int inside_instruction(uint64_t rip, unsigned length) {
  return rip - case_in.rip < length;
}

static unsigned case_length;

/* Reads the state that the case left from the signal frame, and goes back to the loop without sigreturn. */
__attribute__((used)) void handle_signal(int sig, siginfo_t *info, void *context) {
  const greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
  (void)info;
  if (!in_case) {
    if (sig == SIGALRM) return;
    dprintf(2, "native: signal %d outside a case, at %#llx, case %u\n", sig, (long long)g[REG_RIP], current);
    _exit(3);
  }
  for (int i = 0; i < 16; i++) case_out.gpr[i] = g[greg[i]];
  case_out.rip = g[REG_RIP];
  case_out.rflags = g[REG_EFL];
  case_out.selector[1] = g[REG_CSGSFS];
  case_out.selector[2] = (uint64_t)g[REG_CSGSFS] >> 48;
  case_out.vector = g[REG_TRAPNO];
  case_out.error = g[REG_ERR];
  case_out.cr2 = g[REG_TRAPNO] == 14 ? g[REG_CR2] : 0;
  if (case_out.cr2 >= 0x7ffffffff000) case_out.error &= ~1u; /* beyond user space the kernel pretends that all is mapped */
  memcpy(case_out.fx, ((ucontext_t *)context)->uc_mcontext.fpregs, 416);
  if (sig == SIGALRM) {
    case_out.vector = HANG;
  } else if (case_out.vector == 3 && !inside_instruction(case_out.rip - 1, case_length)) {
    case_out.vector = NO_FAULT; /* landed on one of the INT3s around: the instruction has completed */
    case_out.rip--;
  } else if (case_out.vector == 14 && (case_out.error & 16) && !inside_instruction(case_out.rip, 1)) {
    case_out.vector = NO_FAULT; /* jumped to where nothing is mapped: completed as well */
    case_out.error = 0;
    case_out.cr2 = 0;
  }
  asm volatile("jmp leave_case");
  __builtin_unreachable();
}

static void map(uint32_t address, uint32_t size, int protection) {
  void *at = mmap((void *)(uintptr_t)address, size, protection,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE, -1, 0);
  if (at != (void *)(uintptr_t)address) {
    perror("mapping the fixed addresses");
    exit(2);
  }
}

static void ldt(unsigned entry, uint32_t base, uint32_t limit, unsigned contents, unsigned bits32, unsigned restricted,
                unsigned pages, unsigned absent) {
  struct user_desc d = {.entry_number = entry, .base_addr = base, .limit = limit, .seg_32bit = bits32,
                        .contents = contents, .read_exec_only = restricted, .limit_in_pages = pages,
                        .seg_not_present = absent};
  if (syscall(SYS_modify_ldt, 0x11, &d, sizeof d) != 0) {
    perror("modify_ldt");
    exit(2);
  }
}

/* The same descriptors as `descriptors` in layout.ts. */
static void set_up_segments(void) {
  ldt(0, CODE, 0xffff, 2, 0, 0, 0, 0);
  ldt(1, DATA - 0x4000, 0xffff, 0, 0, 0, 0, 0);
  ldt(2, DATA - 0xe000, 0xffff, 0, 0, 0, 0, 0);
  ldt(3, DATA, 0x1fff, 0, 1, 0, 0, 0);
  ldt(4, 0, 0xfffff, 0, 1, 1, 1, 0);
  ldt(5, 0, 0xfffff, 2, 1, 1, 1, 0);
  ldt(6, DATA, 0xfff, 1, 1, 0, 0, 0);
  ldt(7, 0, 0xfffff, 0, 1, 0, 1, 1);
  ldt(8, CODE, 0xffff, 2, 1, 0, 0, 0);
}

static uint8_t base_pattern[DATA_SIZE], before[DATA_SIZE];

static void set_up_memory(void) {
  map(CODE, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC);
  map(DATA, DATA_SIZE, PROT_READ | PROT_WRITE);
  map(READ_ONLY, PAGE, PROT_READ | PROT_WRITE);
  map(ENTRY_STACK, PAGE, PROT_READ | PROT_WRITE);
  memset((void *)(uintptr_t)CODE, 0xcc, CODE_SIZE);
  uint32_t x = 0x12345678;
  for (unsigned i = 0; i < DATA_SIZE; i++) {
    x = x * 1664525 + 1013904223;
    base_pattern[i] = x >> 24;
  }
  memcpy((void *)(uintptr_t)READ_ONLY, base_pattern, PAGE);
  mprotect((void *)(uintptr_t)READ_ONLY, PAGE, PROT_READ);
}

static void set_up_signals(void) {
  static uint8_t stack[1 << 17] __attribute__((aligned(64)));
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&alternate, NULL);
  struct sigaction action = {.sa_sigaction = handler_entry, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGALRM};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
  struct itimerval every = {.it_interval = {1, 0}, .it_value = {1, 0}};
  setitimer(ITIMER_REAL, &every, NULL);
}

/* Linear address of an instruction pointer in the case's code segment. */
static uint32_t code_base(uint16_t selector) {
  return selector == 0x07 || selector == 0x47 ? CODE : 0;
}

/* Writes the instruction and, if asked and if there is room, the jump to the stub behind it. Returns the bytes used. */
static unsigned place_code(const struct case_header *c) {
  const uint32_t start = code_base(c->state.selector[1]) + (uint32_t)c->state.rip;
  uint8_t bytes[32];
  unsigned n = c->length;
  memcpy(bytes, c->code, n);
  if ((c->flags & FLAG_STUB) && start + n + 8 <= CODE + CODE_SIZE) {
    const uint32_t target = (uint32_t)(uintptr_t)exit_stub;
    if (c->state.selector[1] == 0x33) {
      const uint32_t distance = target - (start + n + 5);
      bytes[n++] = 0xe9;
      memcpy(bytes + n, &distance, 4);
      n += 4;
    } else {
      if (c->state.selector[1] == 0x07) bytes[n++] = 0x66;
      bytes[n++] = 0xea;
      memcpy(bytes + n, &target, 4);
      bytes[n + 4] = 0x33;
      bytes[n + 5] = 0;
      n += 6;
    }
  }
  if (start + n > CODE + CODE_SIZE) n = CODE + CODE_SIZE - start;
  memcpy((void *)(uintptr_t)start, bytes, n);
  return n;
}

static size_t patch_size(const struct patch *p) {
  return sizeof *p + ((p->length + 7) & ~7u);
}

static void place_data(const struct case_header *c) {
  memcpy(before, base_pattern, DATA_SIZE);
  const uint8_t *at = (const uint8_t *)(c + 1);
  for (uint32_t i = 0; i < c->patches; i++) {
    const struct patch *p = (const struct patch *)at;
    memcpy(before + (p->address - DATA), p + 1, p->length);
    at += patch_size(p);
  }
  memcpy((void *)(uintptr_t)DATA, before, DATA_SIZE);
}

static void run(const struct case_header *c) {
  case_length = c->length;
  for (attempts = 0; attempts < 3; attempts++) {
    place_data(c);
    const uint32_t start = code_base(c->state.selector[1]) + (uint32_t)c->state.rip;
    const unsigned used = place_code(c);
    memcpy(&case_in, &c->state, sizeof case_in);
    memset(&case_out, 0, sizeof case_out);
    case_out.vector = NO_FAULT;
    case_out.selector[1] = case_in.selector[1];
    case_out.rip = case_in.rip + c->length;
    set_bases = (case_in.selector[4] < 4 ? 1 : 0) | (case_in.selector[5] < 4 ? 2 : 0);
    run_case();
    memset((void *)(uintptr_t)start, 0xcc, used);
    /* An alarm may hit any case by chance; one that is hit every time does not end. */
    if (case_out.vector != HANG) break;
  }
  memset(case_out.fx + 416, 0, 96);
  case_out.rflags &= ~0x10000ull; /* RF is in the image of a fault, never in the register */
}

/* Appends the result: the state and each aligned run of quadwords of the window that differ from before. */
static size_t emit(uint8_t *to) {
  struct result_header *r = (struct result_header *)to;
  memcpy(&r->state, &case_out, sizeof case_out);
  uint8_t *at = (uint8_t *)(r + 1);
  r->changes = 0;
  const uint64_t *now = (const uint64_t *)(uintptr_t)DATA;
  const uint64_t *old = (const uint64_t *)before;
  if (memcmp(now, old, DATA_SIZE) != 0) {
    for (unsigned i = 0; i < DATA_SIZE / 8; i++) {
      if (now[i] == old[i]) continue;
      unsigned n = 0;
      while (i + n < DATA_SIZE / 8 && now[i + n] != old[i + n]) n++;
      struct patch *p = (struct patch *)at;
      p->address = DATA + i * 8;
      p->length = n * 8;
      memcpy(p + 1, now + i, n * 8);
      at += patch_size(p);
      r->changes++;
      i += n;
    }
  }
  r->size = at - to;
  return r->size;
}

static uint8_t *read_file(const char *path, size_t *size) {
  int fd = open(path, O_RDONLY);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) != 0) {
    perror(path);
    exit(2);
  }
  uint8_t *bytes = mmap(NULL, st.st_size + 1, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  *size = st.st_size;
  return bytes;
}

int main(int argc, char **argv) {
  const int probe = argc == 2 && strcmp(argv[1], "--probe") == 0;
  if (argc != 3 && !probe) {
    fprintf(stderr, "usage: native BATCH RESULTS | native --probe\n");
    return 2;
  }
  if ((getauxval(AT_HWCAP2) & 2) == 0) {
    fprintf(stderr, "this kernel does not let user code write FS.base (FSGSBASE)\n");
    return 2;
  }
  set_up_memory();
  set_up_segments();
  if (probe) return 0;
  size_t size;
  const uint8_t *in = read_file(argv[1], &size);
  FILE *out = fopen(argv[2], "wb");
  if (out == NULL || size < 64 || *(const uint32_t *)in != MAGIC) {
    fprintf(stderr, "cannot write %s, or %s is not a batch\n", argv[2], argv[1]);
    return 2;
  }
  set_up_signals();
  const uint32_t count = ((const uint32_t *)in)[1];
  static uint8_t buffer[1 << 16] __attribute__((aligned(64)));
  fwrite(in, 1, 64, out);
  const uint8_t *at = in + 64;
  for (current = 0; current < count; current++) {
    const struct case_header *c = (const struct case_header *)at;
    run(c);
    fwrite(buffer, 1, emit(buffer), out);
    at += c->size;
  }
  return fclose(out) == 0 ? 0 : 2;
}
