/* dnn_plan.c -- which of cuDNN's engines computes a convolution.
 *
 * Heuristics list engines, best first. Of those that do what was asked for
 * (deterministic, strict f32) the first of which a plan can be made is taken;
 * or, with SOTA_CUDA_TUNE, the first few are timed on the GPU and the fastest
 * is taken, and kept on disk. */
#include "cuda/dnn_internal.h"

enum { MAX_CONFIGS = 32, TIMED = 8, RUNS = 3 };

/* --- one engine ----------------------------------------------------------- */

/* Whether the engine of this config does what was asked for. */
static int is_welcome(sl_dnn_descriptor config, const sl_dnn_key *k) {
  cudnnBackendNumericalNote_t notes[16];
  sl_dnn_descriptor engine = NULL;
  int64_t n = 0;
  const int strict = k->strict && k->type == SL_F32;
  int welcome = 1;
  if (!k->deterministic && !strict) return 1;
  if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) !=
      CUDNN_STATUS_SUCCESS)
    return 0;
  /* An engine that does not tell is not taken. */
  if (cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE,
                               CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &n, &engine) ||
      cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                               CUDNN_TYPE_NUMERICAL_NOTE, 16, &n, notes))
    welcome = 0;
  for (int64_t i = 0; welcome && i < n && i < 16; i++)
    if ((k->deterministic &&
         notes[i] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) ||
        (strict && notes[i] == CUDNN_NUMERICAL_NOTE_TENSOR_CORE))
      welcome = 0;
  cudnnBackendDestroyDescriptor(engine);
  return welcome;
}

int sl_dnn_plan_from(sl_dnn_plan *p, cudnnBackendAttributeName_t name,
                     cudnnBackendAttributeType_t type, int64_t count,
                     const void *v) {
  sl_dnn_descriptor d = NULL;
  int64_t n = 0;
  if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR,
                                   &d) != CUDNN_STATUS_SUCCESS)
    return 0;
  cudnnStatus_t s = CUDNN_STATUS_SUCCESS;
  if (sl_dnn.device)
    s = cudnnBackendSetAttribute(d, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                                 &sl_dnn.device);
  if (s == CUDNN_STATUS_SUCCESS)
    s = cudnnBackendSetAttribute(d, name, type, count, v);
  if (s == CUDNN_STATUS_SUCCESS) s = cudnnBackendFinalize(d);
  if (s == CUDNN_STATUS_SUCCESS)
    s = cudnnBackendGetAttribute(d, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                 CUDNN_TYPE_INT64, 1, &n, &p->workspace);
  if (s == CUDNN_STATUS_SUCCESS)
    p->plan = d;
  else
    cudnnBackendDestroyDescriptor(d);
  return p->plan != NULL;
}

/* A plan from one config; 0: it cannot be made. */
static int plan_of(sl_dnn_plan *p, sl_dnn_descriptor config) {
  return is_welcome(config, &p->key) &&
         sl_dnn_plan_from(p, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
                          CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &config);
}

/* --- timing --------------------------------------------------------------- */

static sl_status run_timed(const sl_dnn_plan *p, const sl_dnn_data *data,
                           cudaEvent_t from, cudaEvent_t to, float *ms) {
  SL_TRY(sl_dnn_execute(p, data)); /* the first run loads its kernels */
  CU_TRY(cudaEventRecord(from, sl_cuda.stream));
  for (int i = 0; i < RUNS; i++)
    SL_TRY(sl_dnn_execute(p, data));
  CU_TRY(cudaEventRecord(to, sl_cuda.stream));
  CU_TRY(cudaEventSynchronize(to));
  CU_TRY(cudaEventElapsedTime(ms, from, to));
  return SL_OK;
}

/* Milliseconds; for ever where it cannot be run. */
static float time_of(const sl_dnn_plan *p, const sl_dnn_data *data) {
  cudaEvent_t from = NULL, to = NULL;
  float ms = 0;
  sl_status status =
      sl_cuda_status((int)cudaEventCreate(&from), "cudaEventCreate");
  if (status == SL_OK)
    status = sl_cuda_status((int)cudaEventCreate(&to), "cudaEventCreate");
  if (status == SL_OK) status = run_timed(p, data, from, to, &ms);
  if (from) cudaEventDestroy(from);
  if (to) cudaEventDestroy(to);
  return status == SL_OK ? ms : 1e30f;
}

/* Keeps the faster of the two in best, and destroys the other. */
static void keep_faster(sl_dnn_plan *best, float *best_ms,
                        const sl_dnn_plan *other, float ms) {
  const sl_dnn_descriptor slow =
      !best->plan || ms < *best_ms ? best->plan : other->plan;
  if (slow != other->plan) {
    best->plan = other->plan;
    best->workspace = other->workspace;
    *best_ms = ms;
  }
  if (slow) cudnnBackendDestroyDescriptor(slow);
}

/* --- all of them -----------------------------------------------------------
 */

/* The first, or the fastest of the first few. */
static void pick(sl_dnn_plan *p, const sl_dnn_descriptor *configs, int n,
                 const sl_dnn_data *data) {
  float best = 0;
  for (int i = 0, timed = 0; i < n && timed < TIMED; i++) {
    sl_dnn_plan one = {.key = p->key};
    if (!plan_of(&one, configs[i])) continue;
    if (!sl_dnn.tunes) {
      p->plan = one.plan;
      p->workspace = one.workspace;
      return;
    }
    keep_faster(p, &best, &one, time_of(&one, data));
    timed++;
  }
}

/* Heuristics fill descriptors that are there already. */
static void try_configs(sl_dnn_maker *m, sl_dnn_plan *p,
                        sl_dnn_descriptor heuristics, const sl_dnn_data *data) {
  sl_dnn_descriptor configs[MAX_CONFIGS];
  int64_t got = 0;
  int made = 0;
  while (made < MAX_CONFIGS &&
         cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR,
                                      &configs[made]) == CUDNN_STATUS_SUCCESS)
    made++;
  if (m->status == SL_OK)
    sl_dnn_check(m,
                 cudnnBackendGetAttribute(
                     heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                     CUDNN_TYPE_BACKEND_DESCRIPTOR, made, &got, configs),
                 "listing engines");
  if (m->status == SL_OK) pick(p, configs, got < made ? (int)got : made, data);
  for (int i = 0; i < made; i++)
    cudnnBackendDestroyDescriptor(configs[i]);
}

static void try_mode(sl_dnn_maker *m, sl_dnn_plan *p, sl_dnn_descriptor graph,
                     cudnnBackendHeurMode_t mode, const sl_dnn_data *data) {
  sl_dnn_descriptor h = sl_dnn_make(m, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  sl_dnn_set_child(m, h, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  sl_dnn_set(m, h, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
  if (sl_dnn.device)
    sl_dnn_set_child(m, h, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, sl_dnn.device);
  sl_dnn_finish(m, h, "asking for engines");
  if (m->status == SL_OK) try_configs(m, p, h, data);
}

static sl_status search(sl_dnn_plan *p, const sl_dnn_data *data) {
  const sl_conv_geometry *g = &p->key.g;
  sl_dnn_maker m = {.status = SL_OK};
  sl_dnn_descriptor graph = sl_dnn_graph(&m, &p->key);
  try_mode(&m, p, graph, CUDNN_HEUR_MODE_A, data);
  if (!p->plan) try_mode(&m, p, graph, CUDNN_HEUR_MODE_FALLBACK, data);
  sl_dnn_drop(&m);
  if (p->plan || m.status != SL_OK) return m.status;
  return sl_fail(SL_EINTERNAL,
                 "cuDNN has no%s engine for a convolution of %lld images "
                 "%lldx%lldx%lld by %lld kernels %lldx%lld",
                 p->key.deterministic ? " deterministic" : "", (long long)g->n,
                 (long long)g->h, (long long)g->w, (long long)g->c,
                 (long long)g->o, (long long)g->kh, (long long)g->kw);
}

sl_status sl_dnn_choose(sl_dnn_plan *p, const sl_dnn_data *data) {
  if (!sl_dnn.tunes) return search(p, data);
  if (sl_dnn_disk_load(p)) return SL_OK;
  SL_TRY(search(p, data));
  sl_dnn_disk_save(p);
  return SL_OK;
}
