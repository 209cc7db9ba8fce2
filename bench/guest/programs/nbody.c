/* Five bodies that attract each other, a million steps of explicit Euler; prints their positions. */
#include <math.h>
#include <stdio.h>

enum { BODIES = 5, STEPS = 1000000 };

struct body {
  double position[3], velocity[3], mass;
};

static void step(struct body *bodies, double dt) {
  for (int i = 0; i < BODIES; i++) {
    for (int j = i + 1; j < BODIES; j++) {
      double d[3], square = 1e-3;
      for (int k = 0; k < 3; k++) {
        d[k] = bodies[j].position[k] - bodies[i].position[k];
        square += d[k] * d[k];
      }
      double force = dt / (square * sqrt(square));
      for (int k = 0; k < 3; k++) {
        bodies[i].velocity[k] += d[k] * force * bodies[j].mass;
        bodies[j].velocity[k] -= d[k] * force * bodies[i].mass;
      }
    }
  }
  for (int i = 0; i < BODIES; i++)
    for (int k = 0; k < 3; k++) bodies[i].position[k] += dt * bodies[i].velocity[k];
}

int main(void) {
  struct body bodies[BODIES];
  for (int i = 0; i < BODIES; i++) {
    for (int k = 0; k < 3; k++) {
      bodies[i].position[k] = (i + 1) * (k - 1) + 0.25 * i * k;
      bodies[i].velocity[k] = 0.1 * ((i + k) % 3 - 1);
    }
    bodies[i].mass = i == 0 ? 10 : 0.1 * i;
  }
  for (int i = 0; i < STEPS; i++) step(bodies, 1e-4);
  for (int i = 0; i < BODIES; i++)
    printf("%.17g %.17g %.17g\n", bodies[i].position[0], bodies[i].position[1], bodies[i].position[2]);
  return 0;
}
