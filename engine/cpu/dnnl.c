/* dnnl.c -- see dnnl.h. For the C API of oneDNN 2 and of oneDNN 3.
 *
 * What differs: memory descriptors are structs in 2 and handles in 3, and a
 * convolution is described by an operation descriptor in 2 but directly in 3.
 * The first section hides both. */
#define _GNU_SOURCE
#include "cpu/dnnl.h"

#include <dlfcn.h>
#include <dnnl.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"

enum { MAX_PARTS = 8, PART_CHANNELS = 64, PART_WORTH = 1 << 16 };
enum { BUCKETS = 256, DEFAULT_LIMIT = 1024 };
enum { N_MDS = 5 };

typedef struct cache_key {
  int64_t kind, end, dtype;
  sl_conv_geometry g;
} cache_key;

/* --- what differs between oneDNN 2 and 3 ---------------------------------- */

/* What a convolution is made of, for either API. x, w, y: descriptors. */
typedef struct conv_args {
  dnnl_dims_t strides, dilates, padding; /* dilates: 0 is none */
  dnnl_primitive_attr_t attr;
  dnnl_engine_t engine;
} conv_args;

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t md_own;
typedef const_dnnl_memory_desc_t md_ref;
#define REF(md) (md)

static void md_free(md_own *m) {
  if (*m) dnnl_memory_desc_destroy(*m);
  *m = NULL;
}

static dnnl_status_t md_strided(md_own *m, int n, const dnnl_dims_t dims,
                                dnnl_data_type_t t, const dnnl_dims_t strides) {
  return dnnl_memory_desc_create_with_strides(m, n, dims, t, strides);
}

static dnnl_status_t md_tagged(md_own *m, int n, const dnnl_dims_t dims,
                               dnnl_data_type_t t, dnnl_format_tag_t tag) {
  return dnnl_memory_desc_create_with_tag(m, n, dims, t, tag);
}

static dnnl_status_t md_part(md_own *m, md_ref whole, const dnnl_dims_t dims,
                             const dnnl_dims_t offsets) {
  return dnnl_memory_desc_create_submemory(m, whole, dims, offsets);
}

static dnnl_status_t forward_desc(dnnl_primitive_desc_t *pd, const conv_args *a,
                                  md_ref x, md_ref w, md_ref bias, md_ref y) {
  return dnnl_convolution_forward_primitive_desc_create(
      pd, a->engine, dnnl_forward_training, dnnl_convolution_direct, x, w, bias,
      y, a->strides, a->dilates, a->padding, a->padding, a->attr);
}

static dnnl_status_t dgrad_desc(dnnl_primitive_desc_t *pd, const conv_args *a,
                                md_ref x, md_ref w, md_ref y,
                                dnnl_primitive_desc_t hint) {
  return dnnl_convolution_backward_data_primitive_desc_create(
      pd, a->engine, dnnl_convolution_direct, x, w, y, a->strides, a->dilates,
      a->padding, a->padding, hint, a->attr);
}

static dnnl_status_t wgrad_desc(dnnl_primitive_desc_t *pd, const conv_args *a,
                                md_ref x, md_ref w, md_ref y,
                                dnnl_primitive_desc_t hint) {
  return dnnl_convolution_backward_weights_primitive_desc_create(
      pd, a->engine, dnnl_convolution_direct, x, w, NULL, y, a->strides,
      a->dilates, a->padding, a->padding, hint, a->attr);
}
#else
typedef dnnl_memory_desc_t md_own;
typedef const dnnl_memory_desc_t *md_ref;
#define REF(md) (&(md))

static void md_free(md_own *m) {
  (void)m;
}

static dnnl_status_t md_strided(md_own *m, int n, const dnnl_dims_t dims,
                                dnnl_data_type_t t, const dnnl_dims_t strides) {
  return dnnl_memory_desc_init_by_strides(m, n, dims, t, strides);
}

static dnnl_status_t md_tagged(md_own *m, int n, const dnnl_dims_t dims,
                               dnnl_data_type_t t, dnnl_format_tag_t tag) {
  return dnnl_memory_desc_init_by_tag(m, n, dims, t, tag);
}

static dnnl_status_t md_part(md_own *m, md_ref whole, const dnnl_dims_t dims,
                             const dnnl_dims_t offsets) {
  return dnnl_memory_desc_init_submemory(m, whole, dims, offsets);
}

static dnnl_status_t forward_desc(dnnl_primitive_desc_t *pd, const conv_args *a,
                                  md_ref x, md_ref w, md_ref bias, md_ref y) {
  dnnl_convolution_desc_t d;
  const dnnl_status_t s = dnnl_dilated_convolution_forward_desc_init(
      &d, dnnl_forward_training, dnnl_convolution_direct, x, w, bias, y,
      a->strides, a->dilates, a->padding, a->padding);
  return s ? s : dnnl_primitive_desc_create(pd, &d, a->attr, a->engine, NULL);
}

static dnnl_status_t dgrad_desc(dnnl_primitive_desc_t *pd, const conv_args *a,
                                md_ref x, md_ref w, md_ref y,
                                dnnl_primitive_desc_t hint) {
  dnnl_convolution_desc_t d;
  const dnnl_status_t s = dnnl_dilated_convolution_backward_data_desc_init(
      &d, dnnl_convolution_direct, x, w, y, a->strides, a->dilates, a->padding,
      a->padding);
  return s ? s : dnnl_primitive_desc_create(pd, &d, a->attr, a->engine, hint);
}

static dnnl_status_t wgrad_desc(dnnl_primitive_desc_t *pd, const conv_args *a,
                                md_ref x, md_ref w, md_ref y,
                                dnnl_primitive_desc_t hint) {
  dnnl_convolution_desc_t d;
  const dnnl_status_t s = dnnl_dilated_convolution_backward_weights_desc_init(
      &d, dnnl_convolution_direct, x, w, NULL, y, a->strides, a->dilates,
      a->padding, a->padding);
  return s ? s : dnnl_primitive_desc_create(pd, &d, a->attr, a->engine, hint);
}
#endif

/* --- one thread ----------------------------------------------------------- */

/* The OpenMP runtime is the one that oneDNN brought, so it is looked up rather
 * than linked: two runtimes in a process would not hear of each other. */
static struct {
  void (*set)(int);
  int (*get)(void);
} omp;

static void find_openmp(void) {
  void *set = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
  void *get = dlsym(RTLD_DEFAULT, "omp_get_max_threads");
  if (!set || !get) return; /* a oneDNN without OpenMP */
  memcpy(&omp.set, &set, sizeof set);
  memcpy(&omp.get, &get, sizeof get);
}

static pthread_once_t openmp_once = PTHREAD_ONCE_INIT;

int sl_dnnl_enter(void) {
  pthread_once(&openmp_once, find_openmp);
  if (!omp.set) return 0;
  const int was = omp.get();
  if (was != 1) omp.set(1);
  return was;
}

void sl_dnnl_leave(int was) {
  if (omp.set && was != 1) omp.set(was);
}

/* --- primitives ----------------------------------------------------------- */

/* A reorder between part of our weight and of the packed one. */
typedef struct reorder {
  md_own plain, packed;
  dnnl_primitive_t run;
  md_ref scratch;
  dnnl_primitive_desc_t desc;
} reorder;

struct sl_dnnl_conv {
  cache_key key;
  int refs; /* of users; the cache's own is not counted */
  uint64_t used;
  sl_dnnl_conv *next; /* in its bucket */
  dnnl_primitive_desc_t desc;
  dnnl_primitive_t run;
  md_ref x, y, weight, bias, scratch; /* borrowed from desc */
  size_t weight_bytes, scratch_bytes;
  int parts;
  reorder part[MAX_PARTS];
};

static struct {
  pthread_mutex_t lock;
  dnnl_engine_t engine;
  dnnl_stream_t streams[SL_MAX_THREADS];
  int n_streams;
  sl_dnnl_conv *bucket[BUCKETS];
  int count, made, limit;
  uint64_t clock;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER, .limit = DEFAULT_LIMIT};

static const char *reason(dnnl_status_t s) {
  switch ((int)s) {
  case dnnl_out_of_memory:
    return "out of memory";
  case dnnl_invalid_arguments:
    return "invalid arguments";
  case dnnl_unimplemented:
    return "not implemented";
  default:
    return "runtime error";
  }
}

static sl_status refused(const cache_key *k, const char *what,
                         dnnl_status_t s) {
  static const char *const kinds[] = {"forward", "input gradient",
                                      "weight gradient"};
  const sl_conv_geometry *g = &k->g;
  return sl_fail(
      s == dnnl_out_of_memory ? SL_ENOMEM : SL_EINTERNAL,
      "oneDNN %d.%d cannot %s the %s of a %" PRId64 "x%" PRId64
      " convolution, %" PRId64 " to %" PRId64 " channels, %s, on x (%" PRId64
      ", %" PRId64 ", %" PRId64 ", %" PRId64 "): %s",
      dnnl_version()->major, dnnl_version()->minor, what, kinds[k->kind], g->kh,
      g->kw, g->c, g->o, sl_dtype_name((sl_dtype)k->dtype), g->n, g->h, g->w,
      g->c, reason(s));
}

/* A weight is 4-D, or 5-D with groups in front. Fills dims as oneDNN counts
 * them ((g,) o, i, h, w) and the strides of our (O, KH, KW, C/g). */
static int weight_dims(const sl_conv_geometry *g, dnnl_dims_t dims,
                       dnnl_dims_t strides) {
  const int64_t i = g->c / g->groups, o = g->o / g->groups;
  const int first = g->groups > 1;
  const int64_t d[] = {o, i, g->kh, g->kw};
  const int64_t s[] = {g->kh * g->kw * i, 1, g->kw * i, i};
  dims[0] = g->groups;
  strides[0] = o * s[0];
  for (int k = 0; k < 4; k++) {
    dims[first + k] = d[k];
    strides[first + k] = s[k];
  }
  return 4 + first;
}

static dnnl_status_t append_relu(dnnl_primitive_attr_t attr) {
  dnnl_post_ops_t ops = NULL;
  dnnl_status_t s = dnnl_post_ops_create(&ops);
#if DNNL_VERSION_MAJOR >= 3
  if (!s) s = dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_relu, 0, 0);
#else
  if (!s) s = dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0);
#endif
  if (!s) s = dnnl_primitive_attr_set_post_ops(attr, ops);
  if (ops) dnnl_post_ops_destroy(ops);
  return s;
}

static dnnl_status_t user_scratch(dnnl_primitive_attr_t *attr) {
  const dnnl_status_t s = dnnl_primitive_attr_create(attr);
  return s ? s
           : dnnl_primitive_attr_set_scratchpad_mode(*attr,
                                                     dnnl_scratchpad_mode_user);
}

/* The descriptors of a convolution, the weight's layout left open: x, y, the
 * weight of forward and of `kind`, bias. */
static dnnl_status_t conv_mds(const sl_conv_geometry *g, dnnl_data_type_t act,
                              dnnl_data_type_t weight, md_own md[N_MDS]) {
  const dnnl_dims_t x = {g->n, g->c, g->h, g->w};
  const dnnl_dims_t y = {g->n, g->o, g->oh, g->ow}, bias = {g->o};
  dnnl_dims_t w, strides;
  const int rank = weight_dims(g, w, strides);
  dnnl_status_t s = md_tagged(&md[0], 4, x, act, dnnl_nhwc);
  if (!s) s = md_tagged(&md[1], 4, y, act, dnnl_nhwc);
  if (!s) s = md_tagged(&md[2], rank, w, act, dnnl_format_tag_any);
  if (!s) s = md_tagged(&md[3], rank, w, weight, dnnl_format_tag_any);
  if (!s) s = md_tagged(&md[4], 1, bias, dnnl_f32, dnnl_x);
  return s;
}

static dnnl_status_t conv_desc(const cache_key *k, const conv_args *a,
                               const md_own md[N_MDS],
                               dnnl_primitive_desc_t *out) {
  dnnl_primitive_desc_t forward = NULL;
  dnnl_status_t s =
      forward_desc(&forward, a, REF(md[0]), REF(md[2]),
                   k->end == SL_DNNL_PLAIN ? NULL : REF(md[4]), REF(md[1]));
  if (s || k->kind == SL_DNNL_FORWARD) {
    *out = forward;
    return s;
  }
  s = k->kind == SL_DNNL_DGRAD
          ? dgrad_desc(out, a, REF(md[0]), REF(md[3]), REF(md[1]), forward)
          : wgrad_desc(out, a, REF(md[0]), REF(md[3]), REF(md[1]), forward);
  dnnl_primitive_desc_destroy(forward);
  return s;
}

static dnnl_status_t describe(sl_dnnl_conv *p) {
  const sl_conv_geometry *g = &p->key.g;
  const dnnl_data_type_t act = p->key.dtype == SL_BF16 ? dnnl_bf16 : dnnl_f32;
  const dnnl_data_type_t weight = p->key.kind == SL_DNNL_WGRAD ? dnnl_f32 : act;
  conv_args a = {{g->stride[0], g->stride[1]},
                 {g->dilation[0] - 1, g->dilation[1] - 1},
                 {g->padding[0], g->padding[1]},
                 NULL,
                 cache.engine};
  md_own md[N_MDS];
  memset(md, 0, sizeof md);
  dnnl_status_t s = user_scratch(&a.attr);
  if (!s && p->key.end == SL_DNNL_BIAS_RELU) s = append_relu(a.attr);
  if (!s) s = conv_mds(g, act, weight, md);
  if (!s) s = conv_desc(&p->key, &a, md, &p->desc);
  for (int i = 0; i < N_MDS; i++)
    md_free(&md[i]);
  if (a.attr) dnnl_primitive_attr_destroy(a.attr);
  return s ? s : dnnl_primitive_create(&p->run, p->desc);
}

static void take_mds(sl_dnnl_conv *p) {
  static const dnnl_query_t queries[][3] = {
      {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md},
      {dnnl_query_diff_src_md, dnnl_query_weights_md, dnnl_query_diff_dst_md},
      {dnnl_query_src_md, dnnl_query_diff_weights_md, dnnl_query_diff_dst_md},
  };
  const dnnl_query_t *q = queries[p->key.kind];
  p->x = dnnl_primitive_desc_query_md(p->desc, q[0], 0);
  p->weight = dnnl_primitive_desc_query_md(p->desc, q[1], 0);
  p->y = dnnl_primitive_desc_query_md(p->desc, q[2], 0);
  p->bias =
      p->key.end == SL_DNNL_PLAIN
          ? NULL
          : dnnl_primitive_desc_query_md(p->desc, dnnl_query_weights_md, 1);
  p->scratch =
      dnnl_primitive_desc_query_md(p->desc, dnnl_query_scratchpad_md, 0);
  p->weight_bytes = dnnl_memory_desc_get_size(p->weight);
  p->scratch_bytes = dnnl_memory_desc_get_size(p->scratch);
}

/* --- packing -------------------------------------------------------------- */

void sl_dnnl_part(const sl_dnnl_conv *p, int part, int64_t *begin,
                  int64_t *end) {
  const int64_t o = p->key.g.o;
  *begin =
      p->parts == 1 ? 0 : o / PART_CHANNELS * part / p->parts * PART_CHANNELS;
  *end = p->parts == 1
             ? o
             : o / PART_CHANNELS * (part + 1) / p->parts * PART_CHANNELS;
}

static void reorder_free(reorder *r) {
  if (r->run) dnnl_primitive_destroy(r->run);
  if (r->desc) dnnl_primitive_desc_destroy(r->desc);
  md_free(&r->plain);
  md_free(&r->packed);
  memset(r, 0, sizeof *r);
}

static dnnl_status_t reorder_primitive(sl_dnnl_conv *p, reorder *r) {
  const int unpack = p->key.kind == SL_DNNL_WGRAD;
  dnnl_primitive_attr_t attr = NULL;
  dnnl_status_t s = user_scratch(&attr);
  if (!s)
    s = dnnl_reorder_primitive_desc_create(
        &r->desc, unpack ? REF(r->packed) : REF(r->plain), cache.engine,
        unpack ? REF(r->plain) : REF(r->packed), cache.engine, attr);
  if (attr) dnnl_primitive_attr_destroy(attr);
  if (!s) s = dnnl_primitive_create(&r->run, r->desc);
  if (s) return s;
  r->scratch =
      dnnl_primitive_desc_query_md(r->desc, dnnl_query_scratchpad_md, 0);
  const size_t bytes = dnnl_memory_desc_get_size(r->scratch);
  if (bytes > p->scratch_bytes) p->scratch_bytes = bytes;
  return dnnl_success;
}

static dnnl_status_t make_part(sl_dnnl_conv *p, int i) {
  reorder *r = &p->part[i];
  dnnl_dims_t dims, strides, offsets = {0};
  const int rank = weight_dims(&p->key.g, dims, strides);
  md_own plain;
  memset(&plain, 0, sizeof plain);
  dnnl_status_t s = md_strided(&plain, rank, dims, dnnl_f32, strides);
  int64_t begin, end;
  sl_dnnl_part(p, i, &begin, &end);
  if (p->parts > 1) {
    dims[0] = end - begin;
    offsets[0] = begin;
  }
  if (!s) s = md_part(&r->plain, REF(plain), dims, offsets);
  if (!s) s = md_part(&r->packed, p->weight, dims, offsets);
  if (!s) s = reorder_primitive(p, r);
  md_free(&plain);
  return s;
}

/* Large weights in parts; in one where oneDNN's layout cannot be cut so. */
static dnnl_status_t make_parts(sl_dnnl_conv *p) {
  const sl_conv_geometry *g = &p->key.g;
  const int64_t blocks = g->o / PART_CHANNELS;
  const int cut = g->groups == 1 && g->o % PART_CHANNELS == 0 &&
                  p->weight_bytes / sizeof(float) >= PART_WORTH;
  p->parts = cut ? (int)(blocks < MAX_PARTS ? blocks : MAX_PARTS) : 1;
  dnnl_status_t s = dnnl_success;
  for (int i = 0; i < p->parts && !s; i++)
    s = make_part(p, i);
  if (!s || p->parts == 1) return s;
  for (int i = 0; i < p->parts; i++)
    reorder_free(&p->part[i]);
  p->parts = 1;
  return make_part(p, 0);
}

/* --- the cache ------------------------------------------------------------ */

static void destroy(sl_dnnl_conv *p) {
  for (int i = 0; i < p->parts; i++)
    reorder_free(&p->part[i]);
  if (p->run) dnnl_primitive_destroy(p->run);
  if (p->desc) dnnl_primitive_desc_destroy(p->desc);
  sl_free(p);
}

static sl_status create(sl_dnnl_conv **out, const cache_key *key) {
  sl_dnnl_conv *p = sl_alloc(1, sizeof *p);
  SL_REQUIRE(p, SL_ENOMEM, "no memory for a convolution");
  p->key = *key;
  const int was = sl_dnnl_enter();
  dnnl_status_t s = describe(p);
  if (!s) take_mds(p);
  if (!s) s = make_parts(p);
  sl_dnnl_leave(was);
  if (s) {
    destroy(p);
    return refused(key, "build", s);
  }
  *out = p;
  return SL_OK;
}

static sl_status start(void) {
  dnnl_status_t s = dnnl_success;
  if (!cache.engine) s = dnnl_engine_create(&cache.engine, dnnl_cpu, 0);
  while (!s && cache.n_streams < sl_pool_size()) {
    s = dnnl_stream_create(&cache.streams[cache.n_streams], cache.engine,
                           dnnl_stream_default_flags);
    if (!s) cache.n_streams++;
  }
  SL_REQUIRE(!s, SL_EINTERNAL, "oneDNN does not start: %s", reason(s));
  return SL_OK;
}

static unsigned bucket_of(const cache_key *k) {
  const unsigned char *p = (const unsigned char *)k;
  uint64_t h = 1469598103934665603u; /* FNV-1a */
  for (size_t i = 0; i < sizeof *k; i++)
    h = (h ^ p[i]) * 1099511628211u; /* NOLINT: no padding */
  return (unsigned)(h >> 32) % BUCKETS;
}

/* Lets the unused primitive go that was asked for the longest ago; 0: all are
 * in use. */
static int evict_one(void) {
  sl_dnnl_conv **oldest = NULL;
  for (int i = 0; i < BUCKETS; i++)
    for (sl_dnnl_conv **p = &cache.bucket[i]; *p; p = &(*p)->next)
      if ((*p)->refs == 0 && (!oldest || (*p)->used < (*oldest)->used))
        oldest = p;
  if (!oldest) return 0;
  sl_dnnl_conv *gone = *oldest;
  *oldest = gone->next;
  destroy(gone);
  cache.count--;
  return 1;
}

void sl_dnnl_trim(void) {
  pthread_mutex_lock(&cache.lock);
  while (evict_one())
    ;
  pthread_mutex_unlock(&cache.lock);
}

static sl_status find_or_create(sl_dnnl_conv **out, const cache_key *key) {
  SL_TRY(start());
  sl_dnnl_conv **bucket = &cache.bucket[bucket_of(key)];
  sl_dnnl_conv *p = *bucket;
  while (p && memcmp(&p->key, key, sizeof *key) != 0)
    p = p->next;
  if (!p) {
    if (cache.count >= cache.limit) evict_one();
    SL_TRY(create(&p, key));
    p->next = *bucket;
    *bucket = p;
    cache.count++;
    cache.made++;
  }
  p->refs++;
  p->used = ++cache.clock;
  *out = p;
  return SL_OK;
}

sl_status sl_dnnl_get(sl_dnnl_conv **out, sl_dnnl_kind kind, sl_dnnl_end end,
                      sl_dtype dtype, const sl_conv_geometry *g) {
  const cache_key key = {kind, end, dtype, *g};
  pthread_mutex_lock(&cache.lock);
  const sl_status status = find_or_create(out, &key);
  pthread_mutex_unlock(&cache.lock);
  return status;
}

void sl_dnnl_release(sl_dnnl_conv *p) {
  if (!p) return;
  pthread_mutex_lock(&cache.lock);
  p->refs--;
  while (cache.count > cache.limit && evict_one())
    ;
  pthread_mutex_unlock(&cache.lock);
}

void sl_dnnl_cache_count(int *now, int *made) {
  pthread_mutex_lock(&cache.lock);
  *now = cache.count;
  *made = cache.made;
  pthread_mutex_unlock(&cache.lock);
}

void sl_dnnl_cache_limit(int most) {
  pthread_mutex_lock(&cache.lock);
  cache.limit = most > 0 ? most : DEFAULT_LIMIT;
  pthread_mutex_unlock(&cache.lock);
}

/* --- running -------------------------------------------------------------- */

size_t sl_dnnl_weight_bytes(const sl_dnnl_conv *p) {
  return p->weight_bytes;
}

size_t sl_dnnl_scratch_bytes(const sl_dnnl_conv *p) {
  return p->scratch_bytes;
}

int sl_dnnl_parts(const sl_dnnl_conv *p) {
  return p->parts;
}

int sl_dnnl_same_weight(const sl_dnnl_conv *a, const sl_dnnl_conv *b) {
  return dnnl_memory_desc_equal(a->weight, b->weight);
}

enum { MAX_OPERANDS = 5 };
typedef struct operand {
  int arg;
  md_ref md;
  void *data;
} operand;

/* Memory objects cost less than a microsecond, so each run makes its own and
 * primitives need no state per worker. */
static dnnl_status_t execute(dnnl_primitive_t run, int worker, const operand *o,
                             int n) {
  dnnl_exec_arg_t args[MAX_OPERANDS];
  dnnl_status_t s = dnnl_success;
  int made = 0;
  for (; made < n && !s; made++) {
    args[made].arg = o[made].arg;
    args[made].memory = NULL;
    s = dnnl_memory_create(&args[made].memory, o[made].md, cache.engine,
                           o[made].data);
  }
  if (!s) s = dnnl_primitive_execute(run, cache.streams[worker], n, args);
  if (!s) s = dnnl_stream_wait(cache.streams[worker]);
  for (int i = 0; i < made; i++)
    if (args[i].memory) dnnl_memory_destroy(args[i].memory);
  return s;
}

static void *writable(const void *p) {
  return (void *)(uintptr_t)p; /* oneDNN has no const memory */
}

sl_status sl_dnnl_run(const sl_dnnl_conv *p, int worker, const void *a,
                      const void *b, const float *bias, void *to,
                      void *scratch) {
  static const int arg[][3] = {
      {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
      {DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC},
      {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS},
  };
  const md_ref md[][3] = {{p->x, p->weight, p->y},
                          {p->y, p->weight, p->x},
                          {p->x, p->y, p->weight}};
  const int64_t k = p->key.kind;
  const operand o[] = {{arg[k][0], md[k][0], writable(a)},
                       {arg[k][1], md[k][1], writable(b)},
                       {arg[k][2], md[k][2], to},
                       {DNNL_ARG_SCRATCHPAD, p->scratch, scratch},
                       {DNNL_ARG_BIAS, p->bias, writable(bias)}};
  const dnnl_status_t s = execute(p->run, worker, o, bias ? 5 : 4);
  return s ? refused(&p->key, "run", s) : SL_OK;
}

static sl_status run_reorder(const sl_dnnl_conv *p, int worker, int part,
                             const void *plain, const void *packed,
                             void *scratch) {
  const reorder *r = &p->part[part];
  const int unpack = p->key.kind == SL_DNNL_WGRAD;
  const operand o[] = {
      {unpack ? DNNL_ARG_TO : DNNL_ARG_FROM, REF(r->plain), writable(plain)},
      {unpack ? DNNL_ARG_FROM : DNNL_ARG_TO, REF(r->packed), writable(packed)},
      {DNNL_ARG_SCRATCHPAD, r->scratch, scratch}};
  const dnnl_status_t s = execute(r->run, worker, o, 3);
  return s ? refused(&p->key, "reorder the weight for", s) : SL_OK;
}

sl_status sl_dnnl_pack(const sl_dnnl_conv *p, int worker, int part,
                       const float *weight, void *packed, void *scratch) {
  return run_reorder(p, worker, part, weight, packed, scratch);
}

sl_status sl_dnnl_unpack(const sl_dnnl_conv *p, int worker, int part,
                         const void *packed, float *weight, void *scratch) {
  return run_reorder(p, worker, part, weight, packed, scratch);
}

void sl_dnnl_version(int out[3]) {
  const dnnl_version_t *v = dnnl_version();
  out[0] = v->major;
  out[1] = v->minor;
  out[2] = v->patch;
}
