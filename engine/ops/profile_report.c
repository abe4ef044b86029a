/* profile_report.c -- what was recorded, as text and as a trace. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/profile_internal.h"

const char *const sl_phase_names[SL_PHASE_COUNT] = {
    "other", "wait for data", "augment",       "forward",
    "loss",  "backward",      "optimiser step"};

const char *sl_profile_name(int what) {
  if (what == SL_PROFILE_MATERIALISE) return "(materialise)";
  if (what == SL_PROFILE_UPDATE) return "(update)";
  return sl_op_get((sl_op_id)what)->name;
}

int sl_profile_get(int i, int backward, sl_profile_calls *out) {
  if (i >= sl_profile_record.n_rows) return 0;
  const profile_row *r = &sl_profile_record.rows[i];
  const profile_sum *s = &r->way[backward];
  *out = (sl_profile_calls){
      .op = sl_profile_name(r->what),
      .layer = r->layer,
      .dtype = r->dtype,
      .calls = s->calls,
      .seconds = s->seconds,
      .cost = s->cost,
  };
  return 1;
}

/* --- phases --------------------------------------------------------------- */

static double share(double seconds) {
  const double all = sl_profile_record.seconds;
  return all > 0 ? 100 * seconds / all : 0;
}

static void phase_line(FILE *out, const char *indent, const char *name,
                       const profile_phase *v) {
  fprintf(out, "%s%-*s %8" PRId64 " %10.1f %6.1f %% %10.1f\n", indent,
          20 - (int)strlen(indent), name, v->calls, 1e3 * v->seconds,
          share(v->seconds), 1e3 * v->in_ops);
}

/* Phases that did not happen are left out. */
static void phase_lines(FILE *out, const char *indent, int validating) {
  const profile_phase *v = sl_profile_record.phases[validating];
  for (int i = SL_PHASE_WAIT; i < SL_PHASE_COUNT; i++)
    if (v[i].calls) phase_line(out, indent, sl_phase_names[i], &v[i]);
}

static void phase_table(FILE *out) {
  const profile *p = &sl_profile_record;
  profile_phase all = {.calls = p->phases[1][SL_PHASE_OTHER].calls};
  for (int i = 0; i < SL_PHASE_COUNT; i++) {
    all.seconds += p->phases[1][i].seconds;
    all.in_ops += p->phases[1][i].in_ops;
  }
  fprintf(out, "%-20s %8s %10s %8s %10s\n", "phase", "calls", "ms", "share",
          "in ops");
  phase_lines(out, "", 0);
  if (all.calls) phase_line(out, "", "validation", &all);
  phase_lines(out, "  ", 1);
  phase_line(out, "", "other", &p->phases[0][SL_PHASE_OTHER]);
}

/* --- operations and layers ------------------------------------------------ */

/* A line of a table: rows of the record, added up. */
typedef struct line {
  const char *name, *way;
  int64_t calls;
  double seconds[2]; /* forward, backward */
  sl_cost cost;
  double limit; /* least seconds, by the peaks */
} line;

static double seconds_of(const line *l) {
  return l->seconds[0] + l->seconds[1];
}

static int longest_first(const void *a, const void *b) {
  const double x = seconds_of(a), y = seconds_of(b);
  return x < y ? 1 : x > y ? -1 : 0;
}

static void add(line *l, const profile_row *r, int way, const sl_peak *peak) {
  const profile_sum *s = &r->way[way];
  l->calls += s->calls;
  l->seconds[way] += s->seconds;
  l->cost.flops += s->cost.flops;
  l->cost.bytes += s->cost.bytes;
  l->limit += sl_peak_limit(peak, r->dtype, s->cost.flops, s->cost.bytes);
}

/* The line with that name and way, made if need be. */
static line *find(line *lines, int *n, const char *name, const char *way) {
  for (int i = 0; i < *n; i++)
    if (!strcmp(lines[i].name, name) && !strcmp(lines[i].way, way))
      return &lines[i];
  lines[*n] = (line){.name = name, .way = way};
  return &lines[(*n)++];
}

/* A rate in units of 1e9 per second, or "-". */
static void rate(FILE *out, double amount, double seconds) {
  if (amount > 0 && seconds > 0)
    fprintf(out, " %9.1f", amount / seconds * 1e-9);
  else
    fprintf(out, " %9s", "-");
}

static void rates(FILE *out, const line *l) {
  const double seconds = seconds_of(l);
  fprintf(out, " %6.1f %%", share(seconds));
  rate(out, l->cost.flops, seconds);
  rate(out, l->cost.bytes, seconds);
  if (l->limit > 0 && seconds > 0)
    fprintf(out, " %6.0f %%\n", 100 * l->limit / seconds);
  else
    fprintf(out, " %8s\n", "-");
}

static void rest_of(FILE *out, const line *lines, int n, int rows) {
  double seconds = 0;
  for (int i = rows; i < n; i++)
    seconds += seconds_of(&lines[i]);
  if (n > rows)
    fprintf(out, "and %d more, together %.1f ms\n", n - rows, 1e3 * seconds);
}

static void op_table(FILE *out, line *lines, const sl_peak *peak, int rows) {
  static const char *const ways[] = {"", " backward"};
  int n = 0;
  for (int i = 0; i < sl_profile_record.n_rows; i++)
    for (int way = 0; way < 2; way++) {
      const profile_row *r = &sl_profile_record.rows[i];
      if (!r->way[way].calls) continue;
      add(find(lines, &n, sl_profile_name(r->what), ways[way]), r, way, peak);
    }
  qsort(lines, (size_t)n, sizeof *lines, longest_first);
  fprintf(out, "\n%-31s %8s %10s %8s %9s %9s %8s\n", "operation", "calls", "ms",
          "share", "GFLOP/s", "GB/s", "of limit");
  for (int i = 0; i < n && i < rows; i++) {
    const line *l = &lines[i];
    const int width = 31 - (int)strlen(l->way);
    fprintf(out, "%s%-*s %8" PRId64 " %10.1f", l->name,
            width - (int)strlen(l->name) + (int)strlen(l->way), l->way,
            l->calls, 1e3 * seconds_of(l));
    rates(out, l);
  }
  rest_of(out, lines, n, rows);
}

static void layer_table(FILE *out, line *lines, const sl_peak *peak, int rows) {
  int n = 0;
  for (int i = 0; i < sl_profile_record.n_rows; i++) {
    const profile_row *r = &sl_profile_record.rows[i];
    if (!r->layer[0]) continue;
    line *l = find(lines, &n, r->layer, "");
    add(l, r, 0, peak);
    add(l, r, 1, peak);
  }
  if (n == 0) return;
  qsort(lines, (size_t)n, sizeof *lines, longest_first);
  fprintf(out, "\n%-20s %8s %10s %10s %8s %9s %9s %8s\n", "layer", "calls",
          "forward", "backward", "share", "GFLOP/s", "GB/s", "of limit");
  for (int i = 0; i < n && i < rows; i++) {
    const line *l = &lines[i];
    fprintf(out, "%-20s %8" PRId64 " %10.1f %10.1f", l->name, l->calls,
            1e3 * l->seconds[0], 1e3 * l->seconds[1]);
    rates(out, l);
  }
  rest_of(out, lines, n, rows);
}

/* --- the report ----------------------------------------------------------- */

static void head(FILE *out, const sl_peak *peak) {
  fprintf(out, "profile: %.2f s\n", sl_profile_record.seconds);
  if (peak->copy <= 0) {
    fprintf(out, "the machine's limits were not measured\n\n");
    return;
  }
  fprintf(out, "limits, measured just now: matrices of %d x %d", SL_PEAK_SIDE,
          SL_PEAK_SIDE);
  if (peak->gemm[SL_F32] > 0)
    fprintf(out, ", f32 %.1f GFLOP/s", 1e-9 * peak->gemm[SL_F32]);
  if (peak->gemm[SL_BF16] > 0)
    fprintf(out, ", bf16 %.1f GFLOP/s", 1e-9 * peak->gemm[SL_BF16]);
  fprintf(out, "; copy of %d MiB, %.1f GB/s\n\n", SL_PEAK_COPY >> 20,
          1e-9 * peak->copy);
}

void sl_profile_report(FILE *out, const sl_peak *peak, int rows) {
  const profile *p = &sl_profile_record;
  line *lines = sl_alloc((size_t)p->n_rows * 2 + 1, sizeof *lines);
  head(out, peak);
  phase_table(out);
  if (lines) {
    op_table(out, lines, peak, rows);
    layer_table(out, lines, peak, rows);
  }
  sl_free(lines);
  if (p->events_lost)
    fprintf(out,
            "the trace has the first %" PRId64 " events; %" PRId64
            " came after them\n",
            p->n_events, p->events_lost);
}

/* --- the trace ------------------------------------------------------------ */

/* A string of JSON. */
static void quoted(FILE *out, const char *s) {
  putc('"', out);
  for (; *s; s++) {
    if (*s == '"' || *s == '\\') putc('\\', out);
    if ((unsigned char)*s < 32)
      fprintf(out, "\\u%04x", (unsigned)*s);
    else
      putc(*s, out);
  }
  putc('"', out);
}

enum { PHASES = 1, CALLS = 2 }; /* the viewer's lines ("threads") */

static void line_name(FILE *out, int line_number, const char *name) {
  fprintf(out,
          "{\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"name\":\"thread_name\","
          "\"args\":{\"name\":\"%s\"}},\n",
          line_number, name);
}

static void write_phase(FILE *out, const profile_event *e) {
  fprintf(out, "\"tid\":%d,\"cat\":\"phase\",\"name\":\"%s%s\"}", PHASES,
          e->way ? "validation: " : "", sl_phase_names[e->phase]);
}

static void write_call(FILE *out, const profile_event *e) {
  const profile_row *r = &sl_profile_record.rows[e->row];
  fprintf(out, "\"tid\":%d,\"cat\":\"%s\",\"name\":\"%s%s\",\"args\":{", CALLS,
          e->way ? "backward" : "forward", sl_profile_name(r->what),
          e->way ? " backward" : "");
  fputs("\"layer\":", out);
  quoted(out, r->layer);
  if (e->seconds > 0) {
    fprintf(out, ",\"GFLOP/s\":%.1f,\"GB/s\":%.2f",
            (double)e->gflops / e->seconds, (double)e->mb * 1e-3 / e->seconds);
  }
  fputs("}}", out);
}

/* Times are microseconds. */
void sl_profile_write_trace(FILE *out) {
  const profile *p = &sl_profile_record;
  fputs("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n", out);
  line_name(out, PHASES, "phases");
  line_name(out, CALLS, "operations");
  for (int64_t i = 0; i < p->n_events; i++) {
    const profile_event *e = &p->events[i];
    fprintf(out, "{\"ph\":\"X\",\"pid\":1,\"ts\":%.3f,\"dur\":%.3f,",
            1e6 * e->at, 1e6 * e->seconds);
    if (e->row < 0)
      write_phase(out, e);
    else
      write_call(out, e);
    fputs(",\n", out);
  }
  fprintf(out, "{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\","
               "\"args\":{\"name\":\"sota-lua\"}}\n]}\n");
}
