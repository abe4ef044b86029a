/* properties.c -- prints the first GPU as cuDNN sees it, in the form that
 * tests/cuda/profiles.h makes up for GPUs that are not there. Leaves with 77
 * (skipped) without a GPU. */
#include <cudnn_graph.h>
#include <stdio.h>
#include <stdlib.h>

enum { SKIPPED = 77 };

static int say(cudnnStatus_t s) {
  char why[256] = "";
  cudnnGetLastErrorString(why, sizeof why);
  printf("cuDNN %zu does not tell: %s %s\n", cudnnGetVersion(),
         cudnnGetErrorString(s), why);
  return SKIPPED;
}

int main(void) {
  const int32_t first = 0;
  cudnnBackendDescriptor_t d = NULL;
  int64_t n = 0;
  cudnnStatus_t s =
      cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &d);
  if (!s)
    s = cudnnBackendSetAttribute(d, CUDNN_ATTR_DEVICEPROP_DEVICE_ID,
                                 CUDNN_TYPE_INT32, 1, &first);
  if (!s) s = cudnnBackendFinalize(d);
  if (!s)
    s = cudnnBackendGetAttribute(d, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                 CUDNN_TYPE_CHAR, 0, &n, NULL);
  if (s) return say(s);
  char *text = calloc((size_t)n + 1, 1);
  if (!text) return 1;
  s = cudnnBackendGetAttribute(d, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                               CUDNN_TYPE_CHAR, n, &n, text);
  if (!s) printf("%s\n", text);
  free(text);
  cudnnBackendDestroyDescriptor(d);
  return s ? say(s) : 0;
}
