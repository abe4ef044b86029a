/* describe.c -- the processor and oneDNN in words, for --doctor. */
#include <stdio.h>
#include <string.h>

#include "base/threads.h"
#include "cpu/cpu.h"
#include "cpu/dnnl.h"

enum { LINE = 8192 }; /* the line of flags is long */

/* What makes training fast, as /proc/cpuinfo calls it (x86, then ARM). */
static const char *const features[] = {
    "avx2",     "fma",   "avx512f", "avx512_bf16", "amx_tile",
    "amx_bf16", "asimd", "sve",     "bf16",        NULL};

/* Whether the words of line have this one. */
static int has_word(const char *line, const char *word) {
  const size_t n = strlen(word);
  for (const char *p = line; (p = strstr(p, word)); p += n)
    if (p > line && p[-1] == ' ' && (p[n] == ' ' || p[n] == '\n')) return 1;
  return 0;
}

/* The value of line's field, if it has that name: "name\t: value\n". */
static const char *value_of(const char *line, const char *name) {
  const char *colon = strchr(line, ':');
  return colon && strncmp(line, name, strlen(name)) == 0 ? colon + 1 : NULL;
}

/* Appends to the text in out; what does not fit is left away. */
static void append(char *out, size_t n, const char *before, const char *text) {
  const size_t at = strlen(out);
  snprintf(out + at, n - at, "%s%.*s", before, (int)strcspn(text, "\n"), text);
}

static void read_cpuinfo(char *model, char *found, size_t n) {
  char line[LINE];
  FILE *f = fopen("/proc/cpuinfo", "r");
  while (f && fgets(line, sizeof line, f)) {
    const char *name = value_of(line, "model name");
    if (name && !*model) append(model, n, "", name + strspn(name, " "));
    const char *flags = value_of(line, "flags");
    if (!flags) flags = value_of(line, "Features");
    if (!flags || *found) continue; /* every core says the same */
    for (int i = 0; features[i]; i++)
      if (has_word(flags, features[i])) append(found, n, " ", features[i]);
  }
  if (f) fclose(f);
}

void sl_cpu_describe(char *out, size_t n) {
  char model[128] = "", found[128] = "";
  int v[3];
  read_cpuinfo(model, found, sizeof model);
  sl_dnnl_version(v);
  snprintf(out, n, "%s; %d cores;%s; oneDNN %d.%d.%d",
           *model ? model : "unknown processor", sl_cores(),
           *found ? found : " none of the features that help", v[0], v[1],
           v[2]);
}

/* oneDNN has bf16 convolutions for AVX-512; without instructions for it they
 * are emulated by f32 ones. */
sl_bf16_support sl_cpu_bf16(void) {
#ifdef __x86_64__
  if (!__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vl"))
    return SL_BF16_NONE;
  return __builtin_cpu_supports("avx512bf16") ? SL_BF16_FAST : SL_BF16_WORKS;
#else
  return SL_BF16_NONE;
#endif
}
