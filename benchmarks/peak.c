/* The most multiply-adds one core does: independent chains of them, all in registers. Prints GFLOP/s, float32.

   Vectors are the compiler's own (GCC, Clang), as wide as the processor's registers. Two units that each take
   four to five cycles a multiply-add want ten chains; more would not fit the sixteen registers of AVX2. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__AVX512F__)
#define WIDTH 64
#elif defined(__AVX__)
#define WIDTH 32
#else
#define WIDTH 16
#endif
#define CHAINS 10
#define ROUNDS 20000000L

typedef float vector __attribute__((vector_size(WIDTH)));

static double seconds(void) /* CPU seconds: whoever else runs takes none of them */
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

int main(int argc, char **argv)
{
    int repeats = argc > 1 ? atoi(argv[1]) : 1;
    double best = 0;
    float sum = 0;
    for (int repeat = 0; repeat < repeats; repeat++) {
        /* The factors come from the arguments, so that nothing is computed while compiling. */
        float odd = (float)(argc & 1);
        vector chain[CHAINS], factor = (vector){0} + 0.999f + odd * 1e-4f, term = (vector){0} + 1e-3f;
        for (int each = 0; each < CHAINS; each++)
            chain[each] = (vector){0} + (float)each;
        double started = seconds();
        for (long round = 0; round < ROUNDS; round++)
#pragma GCC unroll 10
            for (int each = 0; each < CHAINS; each++)
                chain[each] = chain[each] * factor + term;
        double taken = seconds() - started;
        for (int each = 0; each < CHAINS; each++)
            sum += chain[each][0];
        double gflops = 2.0 * CHAINS * (WIDTH / 4) * ROUNDS / taken / 1e9;
        best = gflops > best ? gflops : best;
    }
    printf("%.3f\n", best);
    fprintf(stderr, "%g\n", sum); /* read, so that it is computed */
    return 0;
}
