// Reads the clocks on all processors at once until the file /tmp/enough is there, and tells how often one showed an
// earlier time than another reader had seen before, how often a sleep was too short, and whether sums came out right.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

enum { clocks = 4, tsc = clocks, sources };
static const clockid_t ids[clocks] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME};
static const char *const names[sources] = {"realtime", "monotonic", "raw", "boottime", "tsc"};
static _Atomic uint64_t last[sources], backward[sources];
static _Atomic uint64_t reads, short_sleeps, wrong_sums;
static uint64_t right_sum;

static uint64_t now(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static uint64_t read_source(int n) {
  if (n != tsc) return now(ids[n]);
  _mm_lfence();
  uint64_t ticks = __rdtsc();
  _mm_lfence();
  return ticks;
}

static void look(int n) {
  uint64_t seen = atomic_load(&last[n]);
  uint64_t time = read_source(n);
  if (time < seen) atomic_fetch_add(&backward[n], 1);
  while (time > seen && !atomic_compare_exchange_weak(&last[n], &seen, time)) {
  }
}

static uint64_t sum(void) {
  uint64_t x = 88172645463325252ull, total = 0;
  double f = 1;
  for (int i = 0; i < 20000; i++) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    total += x % 1000003;
    f = f * 1.000001 + (double)(x & 0xffff);
  }
  return total ^ (uint64_t)f;
}

static void sleep_a_little(void) {
  const struct timespec length = {0, 3000000};
  uint64_t before = now(CLOCK_MONOTONIC);
  if (nanosleep(&length, 0) == 0 && now(CLOCK_MONOTONIC) - before < 3000000) atomic_fetch_add(&short_sleeps, 1);
}

static void *watch(void *processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET((uintptr_t)processor, &set);
  sched_setaffinity(0, sizeof set, &set);
  while (access("/tmp/enough", F_OK) != 0) {
    for (int i = 0; i < 500; i++) {
      for (int n = 0; n < sources; n++) look(n);
    }
    atomic_fetch_add(&reads, 500);
    if (sum() != right_sum) atomic_fetch_add(&wrong_sums, 1);
    sleep_a_little();
  }
  return 0;
}

int main(void) {
  int processors = sysconf(_SC_NPROCESSORS_ONLN);
  pthread_t threads[64];
  right_sum = sum();
  uint64_t start = now(CLOCK_MONOTONIC);
  for (int n = 0; n < processors; n++) pthread_create(&threads[n], 0, watch, (void *)(uintptr_t)n);
  for (int n = 0; n < processors; n++) pthread_join(threads[n], 0);
  printf("watched %.1f s on %d processors, %llu rounds\n", (now(CLOCK_MONOTONIC) - start) / 1e9, processors,
         (unsigned long long)reads);
  for (int n = 0; n < sources; n++) printf("%s backward %llu\n", names[n], (unsigned long long)backward[n]);
  printf("short sleeps %llu\nwrong sums %llu\n", (unsigned long long)short_sleeps, (unsigned long long)wrong_sums);
}
