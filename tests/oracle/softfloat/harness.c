/*
 * Runs x87 and SSE instructions on the real CPU for the software floating-point tests.
 *
 * `harness --list` prints the operation names, one a line; a request names one by its place in that list. Otherwise requests
 * come in on stdin and replies go out on stdout, both fixed-size little-endian records, until the end of the input.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

struct request {
  uint32_t operation;
  uint32_t control; /* FCW or MXCSR */
  uint8_t a[16];
  uint8_t b[16];
  uint64_t reserved;
};

struct reply {
  uint8_t r0[16];  /* x87: ST(0); SSE: xmm0 */
  uint8_t r1[16];  /* x87: ST(1) */
  uint8_t mem[16]; /* memory or general register destination */
  uint32_t status; /* FSW or MXCSR */
  uint32_t trapped;
  uint64_t reserved;
};

_Static_assert(sizeof(struct request) == 48 && sizeof(struct reply) == 64, "record sizes");

struct fnsave {
  uint16_t words[14];
  uint8_t registers[80];
} __attribute__((packed));

#define ST_CLOBBERS "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"

/* ST(0) = a, ST(1) = b; `code` may use b as memory (%[b]) and store to %[mem]. FNSAVE does not wait: unmasked is fine. */
#define X87(name, load_b, code)                                                                                  \
  static void x87_##name(const struct request *q, struct reply *r) {                                             \
    struct fnsave image;                                                                                         \
    uint16_t fcw = (uint16_t)q->control;                                                                         \
    asm volatile("fninit\n" load_b "fldt %[a]\nfldcw %[fcw]\n" code "\nfnsave %[image]\n"                        \
                 : [image] "=m"(image), [mem] "+m"(r->mem)                                                       \
                 : [a] "m"(q->a), [b] "m"(q->b), [fcw] "m"(fcw)                                                  \
                 : "rax", "cc", "memory", ST_CLOBBERS);                                                          \
    memcpy(r->r0, image.registers, 10);                                                                          \
    memcpy(r->r1, image.registers + 10, 10);                                                                     \
    r->status = image.words[2];                                                                                  \
  }

/* `a` is the memory operand of a load into an empty stack. */
#define X87_LOAD(name, code)                                                                                     \
  static void x87_##name(const struct request *q, struct reply *r) {                                             \
    struct fnsave image;                                                                                         \
    uint16_t fcw = (uint16_t)q->control;                                                                         \
    asm volatile("fninit\nfldcw %[fcw]\n" code "\nfnsave %[image]\n"                                             \
                 : [image] "=m"(image)                                                                           \
                 : [a] "m"(q->a), [fcw] "m"(fcw)                                                                 \
                 : "memory", ST_CLOBBERS);                                                                       \
    memcpy(r->r0, image.registers, 10);                                                                          \
    r->status = image.words[2];                                                                                  \
  }

#define LOAD_B "fldt %[b]\n"
#define STORE_FLAGS "\nlahf\nmovb %%ah, %[mem]"

#define X87_BINARY(_)                                                                                            \
  _(fadd, LOAD_B, "fadd %%st(1), %%st")                                                                          \
  _(fsub, LOAD_B, "fsub %%st(1), %%st")                                                                          \
  _(fsubr, LOAD_B, "fsubr %%st(1), %%st")                                                                        \
  _(fmul, LOAD_B, "fmul %%st(1), %%st")                                                                          \
  _(fdiv, LOAD_B, "fdiv %%st(1), %%st")                                                                          \
  _(fdivr, LOAD_B, "fdivr %%st(1), %%st")                                                                        \
  _(fadd_m32, "", "fadds %[b]")                                                                                  \
  _(fadd_m64, "", "faddl %[b]")                                                                                  \
  _(fmul_m32, "", "fmuls %[b]")                                                                                  \
  _(fmul_m64, "", "fmull %[b]")                                                                                  \
  _(fdiv_m64, "", "fdivl %[b]")                                                                                  \
  _(fisub_m16, "", "fisubs %[b]")                                                                                \
  _(fidiv_m32, "", "fidivl %[b]")                                                                                \
  _(fcom, LOAD_B, "fcom %%st(1)")                                                                                \
  _(fucom, LOAD_B, "fucom %%st(1)")                                                                              \
  _(fcomi, LOAD_B, "fcomi %%st(1), %%st" STORE_FLAGS)                                                            \
  _(fucomi, LOAD_B, "fucomi %%st(1), %%st" STORE_FLAGS)                                                          \
  _(fcom_m32, "", "fcoms %[b]")                                                                                  \
  _(fcom_m64, "", "fcoml %[b]")                                                                                  \
  _(ficom_m32, "", "ficoml %[b]")                                                                                \
  _(fprem, LOAD_B, "fprem")                                                                                      \
  _(fprem1, LOAD_B, "fprem1")                                                                                    \
  _(fscale, LOAD_B, "fscale")                                                                                    \
  _(fyl2x, LOAD_B, "fyl2x")                                                                                      \
  _(fyl2xp1, LOAD_B, "fyl2xp1")                                                                                  \
  _(fpatan, LOAD_B, "fpatan")                                                                                    \
  _(fsqrt, "", "fsqrt")                                                                                          \
  _(ftst, "", "ftst")                                                                                            \
  _(fxam, "", "fxam")                                                                                            \
  _(fabs, "", "fabs")                                                                                            \
  _(fchs, "", "fchs")                                                                                            \
  _(fxtract, "", "fxtract")                                                                                      \
  _(frndint, "", "frndint")                                                                                      \
  _(f2xm1, "", "f2xm1")                                                                                          \
  _(fsin, "", "fsin")                                                                                            \
  _(fcos, "", "fcos")                                                                                            \
  _(fsincos, "", "fsincos")                                                                                      \
  _(fptan, "", "fptan")                                                                                          \
  _(fst_m32, "", "fsts %[mem]")                                                                                  \
  _(fst_m64, "", "fstl %[mem]")                                                                                  \
  _(fist_m16, "", "fists %[mem]")                                                                                \
  _(fist_m32, "", "fistl %[mem]")                                                                                \
  _(fistp_m64, "", "fistpll %[mem]")                                                                             \
  _(fisttp_m16, "", "fisttps %[mem]")                                                                            \
  _(fisttp_m32, "", "fisttpl %[mem]")                                                                            \
  _(fisttp_m64, "", "fisttpll %[mem]")                                                                           \
  _(fbstp, "", "fbstp %[mem]")

#define X87_LOADS(_)                                                                                             \
  _(fld_m32, "flds %[a]")                                                                                        \
  _(fld_m64, "fldl %[a]")                                                                                        \
  _(fild_m16, "filds %[a]")                                                                                      \
  _(fild_m32, "fildl %[a]")                                                                                      \
  _(fild_m64, "fildll %[a]")                                                                                     \
  _(fbld, "fbld %[a]")                                                                                           \
  _(fldz, "fldz")                                                                                                \
  _(fld1, "fld1")                                                                                                \
  _(fldl2t, "fldl2t")                                                                                            \
  _(fldl2e, "fldl2e")                                                                                            \
  _(fldpi, "fldpi")                                                                                              \
  _(fldlg2, "fldlg2")                                                                                            \
  _(fldln2, "fldln2")

X87_BINARY(X87)
X87_LOADS(X87_LOAD)

static volatile uint64_t resume_rip;
static volatile uint32_t trapped_mxcsr;
static volatile uint32_t trapped;

/* #XM: notes the flags and goes on behind the instruction with everything masked. */
static void on_fault(int number, siginfo_t *info, void *opaque) {
  ucontext_t *context = opaque;
  (void)number;
  (void)info;
  trapped = 1;
  trapped_mxcsr = context->uc_mcontext.fpregs->mxcsr;
  context->uc_mcontext.fpregs->mxcsr = 0x1f80;
  context->uc_mcontext.gregs[REG_RIP] = (greg_t)resume_rip;
}

/* xmm0 = a, xmm1 = b, rcx = the low half of a. */
#define SSE(name, code)                                                                                          \
  static void sse_##name(const struct request *q, struct reply *r) {                                             \
    uint32_t mxcsr = q->control, after, normal = 0x1f80;                                                         \
    uint64_t integer;                                                                                            \
    memcpy(&integer, q->a, 8);                                                                                   \
    trapped = 0;                                                                                                 \
    asm volatile("leaq 1f(%%rip), %%rax\nmovq %%rax, %[resume]\n"                                                \
                 "movups %[a], %%xmm0\nmovups %[b], %%xmm1\nldmxcsr %[mxcsr]\n" code "\n1:\n"                    \
                 "stmxcsr %[after]\nldmxcsr %[normal]\nmovups %%xmm0, %[r0]\n"                                   \
                 : [after] "=m"(after), [r0] "=m"(r->r0), [mem] "+m"(r->mem), [resume] "=m"(resume_rip)          \
                 : [a] "m"(q->a), [b] "m"(q->b), [mxcsr] "m"(mxcsr), [normal] "m"(normal), "c"(integer)          \
                 : "rax", "cc", "memory", "xmm0", "xmm1");                                                       \
    r->trapped = trapped;                                                                                        \
    r->status = trapped ? trapped_mxcsr : after;                                                                 \
  }

#define TO_MEM32 "\nmovl %%eax, %[mem]"
#define TO_MEM64 "\nmovq %%rax, %[mem]"

#define SSE_PAIR(_, op) _(op##ss, #op "ss %%xmm1, %%xmm0") _(op##sd, #op "sd %%xmm1, %%xmm0")
#define SSE_IMMEDIATE(_, op, i) _(op##ss##i, #op "ss $" #i ", %%xmm1, %%xmm0") _(op##sd##i, #op "sd $" #i ", %%xmm1, %%xmm0")
#define SSE_ROUND(_, i) _(roundss##i, "roundss $" #i ", %%xmm0, %%xmm0") _(roundsd##i, "roundsd $" #i ", %%xmm0, %%xmm0")

#define SSE_OPS(_)                                                                                               \
  SSE_PAIR(_, add) SSE_PAIR(_, sub) SSE_PAIR(_, mul) SSE_PAIR(_, div) SSE_PAIR(_, min) SSE_PAIR(_, max)          \
  _(sqrtss, "sqrtss %%xmm0, %%xmm0") _(sqrtsd, "sqrtsd %%xmm0, %%xmm0")                                          \
  _(comiss, "comiss %%xmm1, %%xmm0" STORE_FLAGS) _(comisd, "comisd %%xmm1, %%xmm0" STORE_FLAGS)                  \
  _(ucomiss, "ucomiss %%xmm1, %%xmm0" STORE_FLAGS) _(ucomisd, "ucomisd %%xmm1, %%xmm0" STORE_FLAGS)              \
  SSE_IMMEDIATE(_, cmp, 0) SSE_IMMEDIATE(_, cmp, 1) SSE_IMMEDIATE(_, cmp, 2) SSE_IMMEDIATE(_, cmp, 3)            \
  SSE_IMMEDIATE(_, cmp, 4) SSE_IMMEDIATE(_, cmp, 5) SSE_IMMEDIATE(_, cmp, 6) SSE_IMMEDIATE(_, cmp, 7)            \
  SSE_ROUND(_, 0) SSE_ROUND(_, 1) SSE_ROUND(_, 2) SSE_ROUND(_, 3) SSE_ROUND(_, 4) SSE_ROUND(_, 7)                \
  SSE_ROUND(_, 8) SSE_ROUND(_, 9) SSE_ROUND(_, 10) SSE_ROUND(_, 11) SSE_ROUND(_, 12)                             \
  _(cvtss2sd, "cvtss2sd %%xmm0, %%xmm0") _(cvtsd2ss, "cvtsd2ss %%xmm0, %%xmm0")                                  \
  _(cvtsi2ss32, "cvtsi2ssl %%ecx, %%xmm0") _(cvtsi2ss64, "cvtsi2ssq %%rcx, %%xmm0")                              \
  _(cvtsi2sd32, "cvtsi2sdl %%ecx, %%xmm0") _(cvtsi2sd64, "cvtsi2sdq %%rcx, %%xmm0")                              \
  _(cvtss2si32, "cvtss2si %%xmm0, %%eax" TO_MEM32) _(cvtss2si64, "cvtss2si %%xmm0, %%rax" TO_MEM64)              \
  _(cvtsd2si32, "cvtsd2si %%xmm0, %%eax" TO_MEM32) _(cvtsd2si64, "cvtsd2si %%xmm0, %%rax" TO_MEM64)              \
  _(cvttss2si32, "cvttss2si %%xmm0, %%eax" TO_MEM32) _(cvttss2si64, "cvttss2si %%xmm0, %%rax" TO_MEM64)          \
  _(cvttsd2si32, "cvttsd2si %%xmm0, %%eax" TO_MEM32) _(cvttsd2si64, "cvttsd2si %%xmm0, %%rax" TO_MEM64)

SSE_OPS(SSE)

struct operation {
  const char *name;
  void (*run)(const struct request *, struct reply *);
};

#define X87_ROW(name, ...) {#name, x87_##name},
#define SSE_ROW(name, ...) {#name, sse_##name},
static const struct operation operations[] = {X87_BINARY(X87_ROW) X87_LOADS(X87_ROW) SSE_OPS(SSE_ROW)};
static const size_t operation_count = sizeof operations / sizeof operations[0];

int main(int argc, char **argv) {
  static struct request requests[4096];
  static struct reply replies[4096];
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
  size_t count;
  if (argc > 1 && strcmp(argv[1], "--list") == 0) {
    for (size_t i = 0; i < operation_count; i++) puts(operations[i].name);
    return 0;
  }
  sigaction(SIGFPE, &action, NULL);
  while ((count = fread(requests, sizeof requests[0], 4096, stdin)) > 0) {
    memset(replies, 0, count * sizeof replies[0]);
    for (size_t i = 0; i < count; i++) {
      if (requests[i].operation >= operation_count) {
        fprintf(stderr, "no operation %u\n", requests[i].operation);
        return 1;
      }
      operations[requests[i].operation].run(&requests[i], &replies[i]);
    }
    fwrite(replies, sizeof replies[0], count, stdout);
  }
  return fflush(stdout) == 0 ? 0 : 1;
}
