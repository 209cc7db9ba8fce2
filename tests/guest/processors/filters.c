// Has the kernel compile packet filters, run them on all processors and throw them away until the file /tmp/enough is
// there, and tells how many gave another answer than the same arithmetic here.
#define _GNU_SOURCE
#include <linux/filter.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { most = 200, packet = 256 };
static _Atomic unsigned long right, wrong;

// What a filter returns is how many bytes of the packet are kept.
static int make(struct sock_filter *code, unsigned *seed, uint32_t *kept) {
  static const uint16_t kinds[] = {BPF_ADD, BPF_SUB, BPF_XOR, BPF_OR, BPF_AND, BPF_MUL};
  uint32_t a = rand_r(seed);
  int n = 0, steps = 1 + rand_r(seed) % (most - 4);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, a);
  while (n <= steps) {
    uint16_t kind = kinds[rand_r(seed) % 6];
    uint32_t k = rand_r(seed);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | kind | BPF_K, k);
    a = kind == BPF_ADD ? a + k : kind == BPF_SUB ? a - k : kind == BPF_XOR ? a ^ k : kind == BPF_OR ? a | k : kind == BPF_AND ? a & k : a * k;
  }
  code[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x7f);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
  *kept = (a & 0x7f) + 1;
  return n;
}

static void *work(void *processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET((uintptr_t)processor, &set);
  sched_setaffinity(0, sizeof set, &set);
  unsigned seed = (uintptr_t)processor + 1;
  struct sock_filter code[most];
  char bytes[packet] = {0};
  int ends[2];
  socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
  while (access("/tmp/enough", F_OK) != 0) {
    uint32_t kept;
    struct sock_fprog program = {make(code, &seed, &kept), code};
    int set = setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
    for (int i = 0; i < 4; i++) {
      int sent = write(ends[0], bytes, packet), came = read(ends[1], bytes, packet);
      atomic_fetch_add(set == 0 && sent == packet && came == (int)kept ? &right : &wrong, 1);
    }
  }
  return 0;
}

int main(void) {
  int processors = sysconf(_SC_NPROCESSORS_ONLN);
  pthread_t threads[64];
  for (int n = 0; n < processors; n++) pthread_create(&threads[n], 0, work, (void *)(uintptr_t)n);
  for (int n = 0; n < processors; n++) pthread_join(threads[n], 0);
  printf("filters right %lu wrong %lu\n", right, wrong);
}
