/* C = A * B of 256 by 256 doubles, sixteen times; prints a sum of the result. */
#include <stdio.h>

enum { N = 256, ROUNDS = 16 };
static double a[N][N], b[N][N], c[N][N];

int main(void) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      a[i][j] = (i * 7 + j * 3) % 11 - 5;
      b[i][j] = (i * 5 + j * 2) % 13 - 6;
    }
  for (int round = 0; round < ROUNDS; round++) {
    for (int i = 0; i < N; i++)
      for (int k = 0; k < N; k++)
        for (int j = 0; j < N; j++) c[i][j] += a[i][k] * b[k][j];
    a[round][round] += c[round + 1][round] * 0.5;
  }
  double sum = 0;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) sum += c[i][j] * ((i ^ j) & 7);
  printf("%.17g\n", sum);
  return 0;
}
