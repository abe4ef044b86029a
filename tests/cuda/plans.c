/* plans.c -- asks the real cuDNN for a plan of every convolution of the shipped
 * models, forward and both gradients, on a GPU that is not here.
 *
 *   plans PROFILE SHAPES.txt     PROFILE: see profiles.h; one a process, since
 *                                cuDNN's heuristics remember the device
 *
 * Leaves with 77 (skipped) when cuDNN refuses the profile: its form is not
 * documented. The batch is 64. */
#include <stdio.h>
#include <string.h>

#include "conv_graph.h"
#include "profiles.h"

enum { SKIPPED = 77, BATCH = 64 };

static cudnnBackendDescriptor_t make_device(const profile *p) {
  char json[2048];
  cudnnBackendDescriptor_t d = NULL;
  const int n = profile_json(p, json, sizeof json);
  if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &d))
    return NULL;
  if (cudnnBackendSetAttribute(d, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                               CUDNN_TYPE_CHAR, n, json) == 0 &&
      cudnnBackendFinalize(d) == CUDNN_STATUS_SUCCESS)
    return d;
  cudnnBackendDestroyDescriptor(d);
  return NULL;
}

typedef struct totals {
  int plans, failed, tensor_core, nondeterministic;
  int64_t workspace;
} totals;

static void try_one(totals *t, conv_kind k, const conv_sizes *s,
                    cudnnDataType_t type, cudnnBackendDescriptor_t device) {
  static const char *const kinds[] = {"forward", "dgrad", "wgrad"};
  conv_plan p;
  conv_plan_make(&p, k, s, type, device);
  t->plans++;
  t->tensor_core += p.tensor_core;
  t->nondeterministic += p.nondeterministic;
  if (p.workspace > t->workspace) t->workspace = p.workspace;
  if (p.error[0]) {
    t->failed++;
    printf("%s %s %lldx%lld, %lld -> %lld channels, filter %lldx%lld / %lld, "
           "%lld groups: %s\n",
           kinds[k], type == CUDNN_DATA_FLOAT ? "f32" : "bf16", (long long)s->h,
           (long long)s->w, (long long)s->c, (long long)s->o, (long long)s->kh,
           (long long)s->kw, (long long)s->stride, (long long)s->groups,
           p.error);
  }
  conv_plan_free(&p);
}

static int read_sizes(FILE *f, conv_sizes *s) {
  char line[200];
  long long v[9];
  while (fgets(line, sizeof line, f)) {
    if (line[0] == '#') continue;
    if (sscanf(line, "%lld %lld %lld %lld %lld %lld %lld %lld %lld", &v[0],
               &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7], &v[8]) != 9)
      return 0;
    *s = (conv_sizes){BATCH, v[0], v[1], v[2], v[3],
                      v[4],  v[5], v[6], v[7], v[8]};
    return 1;
  }
  return 0;
}

static totals try_all(FILE *f, cudnnDataType_t type,
                      cudnnBackendDescriptor_t device) {
  totals t = {0};
  conv_sizes s;
  rewind(f);
  while (read_sizes(f, &s))
    for (int k = CONV_FORWARD; k <= CONV_WGRAD; k++)
      if (k != CONV_DGRAD || s.c > 3) /* images need no gradient */
        try_one(&t, (conv_kind)k, &s, type, device);
  return t;
}

static void report(const char *name, const char *type, const totals *t) {
  printf("%s %s: %d plans, %d refused, %d with tensor cores, %d not "
         "deterministic, workspace up to %.1f MiB\n",
         name, type, t->plans, t->failed, t->tensor_core, t->nondeterministic,
         (double)t->workspace / (1 << 20));
}

int main(int argc, char **argv) {
  if (argc != 3 || !profile_find(argv[1])) {
    fprintf(stderr, "usage: plans a100|4090|h100|5090 SHAPES.txt\n");
    return 2;
  }
  FILE *f = fopen(argv[2], "r");
  if (!f) return 2;
  cudnnBackendDescriptor_t device = make_device(profile_find(argv[1]));
  if (!device) {
    printf("skipped: cuDNN %zu refuses this form of a device\n",
           cudnnGetVersion());
    return SKIPPED;
  }
  const totals bf16 = try_all(f, CUDNN_DATA_BFLOAT16, device);
  const totals f32 = try_all(f, CUDNN_DATA_FLOAT, device);
  report(argv[1], "bf16", &bf16);
  report(argv[1], "f32", &f32);
  cudnnBackendDestroyDescriptor(device);
  fclose(f);
  return bf16.plans == 0 || bf16.failed + f32.failed > 0;
}
