/* fake_cudnn.cpp -- cuDNN's graph API: descriptors keep their attributes, plans
 * keep what dnn_compile.cpp made of them, Execute queues dnn_run.cpp.
 *
 * Workspaces are asked for and overwritten at each run. What the real library
 * supports it alone can say: see plans.c, which asks it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>

#include "dnn_program.h"
#include "emu_internal.h"

struct cudnnContext {
  cudaStream_t stream;
  int device;
};

namespace {

thread_local std::string last_text;

/* For CUDA_EMU_REPORT: how plans came to be, and what ran. */
enum { N_ENGINES = 3 };
int64_t searches, plans_read, runs[N_ENGINES];

void report(void) {
  fprintf(stderr,
          "fake cudnn: %lld searches, %lld plans read, runs of engines: %lld "
          "%lld %lld\n",
          (long long)searches, (long long)plans_read, (long long)runs[0],
          (long long)runs[1], (long long)runs[2]);
}

cudnnStatus_t fail(cudnnStatus_t status, const std::string &text) {
  last_text = text;
  return status;
}

cudnnStatus_t injected(void) {
  return fail(CUDNN_STATUS_INTERNAL_ERROR, "made to fail by the test");
}

#define DNN_ENTER                                                              \
  emu_call call(__func__);                                                     \
  do {                                                                         \
    if (call.failed()) return injected();                                      \
  } while (0)

size_t size_of(cudnnBackendAttributeType_t t) {
  switch ((int)t) {
  case CUDNN_TYPE_INT64:
  case CUDNN_TYPE_DOUBLE:
    return 8;
  case CUDNN_TYPE_BOOLEAN:
  case CUDNN_TYPE_CHAR:
    return 1;
  case CUDNN_TYPE_VOID_PTR:
  case CUDNN_TYPE_BACKEND_DESCRIPTOR:
  case CUDNN_TYPE_HANDLE:
    return sizeof(void *);
  case CUDNN_TYPE_FRACTION:
    return 16;
  default:
    return 4; /* enums, int32, float */
  }
}

dnn_descriptor *of(cudnnBackendDescriptor_t d) {
  return (dnn_descriptor *)d;
}

std::vector<const dnn_descriptor *> children(const dnn_descriptor *d, int a) {
  auto i = d->attributes.find(a);
  std::vector<const dnn_descriptor *> list;
  if (i == d->attributes.end()) return list;
  list.resize((size_t)i->second.n);
  memcpy(list.data(), i->second.bytes.data(), i->second.bytes.size());
  return list;
}

void check_children(const dnn_descriptor *d) {
  for (auto &a : d->attributes)
    if (a.second.type == CUDNN_TYPE_BACKEND_DESCRIPTOR)
      for (const dnn_descriptor *c : children(d, a.first))
        if (!c || !c->finalized)
          throw dnn_error{CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED,
                          "attribute " + std::to_string(a.first) +
                              " is a descriptor that is not finalized"};
}

void need(const dnn_descriptor *d, int attribute, const char *what) {
  if (!d->attributes.count(attribute))
    throw dnn_error{CUDNN_STATUS_BAD_PARAM, std::string(what) + " is not set"};
}

/* {"fake": version, "engine": e, "program": ...} */
void read_plan(dnn_descriptor *plan) {
  const dnn_attribute &a =
      plan->attributes[CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION];
  const std::string text((const char *)a.bytes.data(), a.bytes.size());
  size_t version = 0;
  int engine = -1, at = 0;
  if (sscanf(text.c_str(), "{\"fake\": %zu, \"engine\": %d, \"program\": \"%n",
             &version, &engine, &at) != 2 ||
      version != CUDNN_VERSION || engine < 0 || engine >= N_ENGINES || !at)
    throw dnn_error{CUDNN_STATUS_SERIALIZATION_VERSION_MISMATCH,
                    "a plan of another version"};
  plan->program = dnn_read(text.substr((size_t)at));
  plan->engine = engine;
  plans_read++;
}

void finalize_plan(dnn_descriptor *d) {
  if (d->attributes.count(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION))
    return read_plan(d);
  need(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, "the engine config");
  const dnn_descriptor *c =
      dnn_child(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
  d->program = c->program;
  d->engine = c->engine;
}

void finalize_graph(dnn_descriptor *d) {
  need(d, CUDNN_ATTR_OPERATIONGRAPH_OPS, "the list of operations");
  d->program = dnn_compile(children(d, CUDNN_ATTR_OPERATIONGRAPH_OPS));
}

void finalize_pack(const dnn_descriptor *d) {
  std::vector<int64_t> ids = dnn_ints(d, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  auto pointers = d->attributes.find(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  if (pointers == d->attributes.end() ||
      pointers->second.n != (int64_t)ids.size())
    throw dnn_error{CUDNN_STATUS_BAD_PARAM,
                    "as many pointers as unique ids are wanted"};
  std::sort(ids.begin(), ids.end());
  if (std::unique(ids.begin(), ids.end()) != ids.end())
    throw dnn_error{CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES,
                    "a unique id is there twice"};
}

void finalize(dnn_descriptor *d) {
  check_children(d);
  switch ((int)d->type) {
  case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
    dnn_read_tensor(d);
    break;
  case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
    finalize_graph(d);
    break;
  case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
    need(d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, "the operation graph");
    need(d, CUDNN_ATTR_ENGINEHEUR_MODE, "the mode");
    d->program = dnn_child(d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH)->program;
    break;
  case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
    finalize_plan(d);
    break;
  case CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR:
    finalize_pack(d);
    break;
  default:
    break;
  }
  d->finalized = true;
}

/* --- what can be asked ------------------------------------------------------
 */

/* Three engines: tensor cores, plain but not deterministic, plain. */

template <class T>
cudnnStatus_t give(const std::vector<T> &v, int64_t n, int64_t *got,
                   void *out) {
  const int64_t k = n < (int64_t)v.size() ? n : (int64_t)v.size();
  if (got) *got = n ? k : (int64_t)v.size();
  if (k && out) memcpy(out, v.data(), (size_t)k * sizeof(T));
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t get_engines(const dnn_descriptor *d, int64_t n, int64_t *got,
                          void *out) {
  int64_t k = 0;
  for (; k < n && k < N_ENGINES; k++) {
    dnn_descriptor *c = ((dnn_descriptor **)out)[k];
    if (c->type != CUDNN_BACKEND_ENGINECFG_DESCRIPTOR)
      return fail(CUDNN_STATUS_BAD_PARAM, "results are engine configs");
    c->program = d->program;
    c->engine = (int)k;
    c->finalized = true;
  }
  if (got) *got = n ? k : (int64_t)N_ENGINES;
  searches++;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t get_engine(const dnn_descriptor *d, int64_t n, int64_t *got,
                         void *out) {
  if (n < 1) return give(std::vector<void *>(1), 0, got, nullptr);
  dnn_descriptor *e = *(dnn_descriptor **)out;
  e->program = d->program;
  e->engine = d->engine;
  e->finalized = true;
  if (got) *got = 1;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t get_notes(const dnn_descriptor *d, int64_t n, int64_t *got,
                        void *out) {
  std::vector<cudnnBackendNumericalNote_t> notes;
  if (d->engine == 0) notes.push_back(CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
  if (d->engine == 1) notes.push_back(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC);
  return give(notes, n, got, out);
}

cudnnStatus_t get_json(const dnn_descriptor *d, int64_t n, int64_t *got,
                       void *out) {
  const std::string text = "{\"fake\": " + std::to_string(CUDNN_VERSION) +
                           ", \"engine\": " + std::to_string(d->engine) +
                           ", \"program\": \"" + dnn_write(*d->program) + "\"}";
  return give(std::vector<char>(text.begin(), text.end()), n, got, out);
}

cudnnStatus_t get(const dnn_descriptor *d, int attribute, int64_t n,
                  int64_t *got, void *out) {
  switch (attribute) {
  case CUDNN_ATTR_ENGINEHEUR_RESULTS:
    return get_engines(d, n, got, out);
  case CUDNN_ATTR_ENGINECFG_ENGINE:
    return get_engine(d, n, got, out);
  case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
    return get_notes(d, n, got, out);
  case CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE:
    return give(
        std::vector<cudnnBackendBehaviorNote_t>{
            CUDNN_BEHAVIOR_NOTE_SUPPORTS_CUDA_GRAPH_NATIVE_API},
        n, got, out);
  case CUDNN_ATTR_ENGINE_GLOBAL_INDEX:
    return give(std::vector<int64_t>{d->engine}, n, got, out);
  case CUDNN_ATTR_ENGINECFG_WORKSPACE_SIZE:
  case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
    return give(std::vector<int64_t>{d->program->workspace}, n, got, out);
  case CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION:
    return get_json(d, n, got, out);
  default: {
    auto i = d->attributes.find(attribute);
    if (i == d->attributes.end())
      return fail(CUDNN_STATUS_NOT_SUPPORTED,
                  "attribute " + std::to_string(attribute));
    return give(i->second.bytes, n * (int64_t)size_of(i->second.type), got,
                out);
  }
  }
}

/* --- execution --------------------------------------------------------------
 */

void check_pointer(const dnn_tensor &t, const void *p) {
  const std::string name = "tensor " + std::to_string(t.uid);
  if (!p) throw dnn_error{CUDNN_STATUS_BAD_PARAM_NULL_POINTER, name};
  if (t.by_value) return;
  if ((uintptr_t)p % (uintptr_t)t.alignment)
    throw dnn_error{CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER, name};
  if (!emu_is_device(p, (size_t)t.extent() * dnn_size(t.dtype)))
    throw dnn_error{CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND,
                    name + " is not inside one allocation of the device"};
}

dnn_pointers collect(const dnn_program &p, const dnn_descriptor *pack) {
  const std::vector<int64_t> ids =
      dnn_ints(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  void *const *given =
      (void *const *)pack->attributes.at(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS)
          .bytes.data();
  dnn_pointers at;
  for (size_t i = 0; i < ids.size(); i++)
    at[ids[i]] = given[i];
  for (auto &t : p.tensors) {
    if (t.second.is_virtual) continue;
    if (!at.count(t.first))
      throw dnn_error{CUDNN_STATUS_BAD_PARAM,
                      "no pointer for tensor " + std::to_string(t.first)};
    check_pointer(t.second, at[t.first]);
  }
  return at;
}

/* Host values are read now: they may be gone when the plan runs. */
typedef std::map<int64_t, std::vector<unsigned char>> values;

values keep_values(const dnn_program &p, const dnn_pointers &at) {
  values kept;
  for (auto &t : p.tensors)
    if (t.second.by_value) {
      const unsigned char *v = (const unsigned char *)at.at(t.first);
      kept[t.first].assign(v, v + dnn_size(t.second.dtype));
    }
  return kept;
}

cudnnStatus_t execute(cudnnHandle_t h, const dnn_descriptor *plan,
                      const dnn_descriptor *pack) {
  const std::shared_ptr<const dnn_program> p = plan->program;
  const dnn_pointers at = collect(*p, pack);
  void *workspace =
      dnn_value<void *>(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, nullptr);
  if (p->workspace && !emu_is_device(workspace, (size_t)p->workspace))
    throw dnn_error{CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT,
                    "the workspace is too small, or not of the device"};
  const values kept = keep_values(*p, at);
  runs[plan->engine]++;
  /* The later in the list, the faster: heuristics are wrong here. */
  for (int i = plan->engine; i < N_ENGINES - 1; i++)
    emu_enqueue(h->stream, "a slow engine", [] {});
  const cudaError_t e = emu_enqueue(h->stream, "cudnn", [=] {
    values copy = kept;
    dnn_pointers all = at;
    for (auto &v : copy)
      all[v.first] = v.second.data();
    if (p->workspace) memset(workspace, 0xff, (size_t)p->workspace);
    dnn_run(*p, all);
    emu_count_work();
  });
  return e ? fail(CUDNN_STATUS_EXECUTION_FAILED_CUDART, cudaGetErrorName(e))
           : CUDNN_STATUS_SUCCESS;
}

} // namespace

extern "C" {

size_t cudnnGetVersion(void) {
  return CUDNN_VERSION;
}

size_t cudnnGetCudartVersion(void) {
  return CUDART_VERSION;
}

const char *cudnnGetErrorString(cudnnStatus_t status) {
  switch (status / 1000) {
  case 0:
    return "CUDNN_STATUS_SUCCESS";
  case 1:
    return "CUDNN_STATUS_NOT_INITIALIZED";
  case 2:
    return "CUDNN_STATUS_BAD_PARAM";
  case 3:
    return "CUDNN_STATUS_NOT_SUPPORTED";
  case 4:
    return "CUDNN_STATUS_INTERNAL_ERROR";
  default:
    return "CUDNN_STATUS_EXECUTION_FAILED";
  }
}

void cudnnGetLastErrorString(char *message, size_t n) {
  snprintf(message, n, "%s", last_text.c_str());
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *h) {
  DNN_ENTER;
  if (!emu_get_settings()->cudnn)
    return fail(CUDNN_STATUS_NOT_INITIALIZED, "no cuDNN for this test");
  if (getenv("CUDA_EMU_REPORT")) atexit(report);
  *h = new cudnnContext{nullptr, emu_device()};
  emu_count_live(1);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t h) {
  emu_call call(__func__);
  if (!h) return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "handle");
  delete h;
  emu_count_live(-1);
  return call.failed() ? injected() : CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t h, cudaStream_t s) {
  DNN_ENTER;
  if (!h) return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "handle");
  h->stream = s;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t *d) {
  DNN_ENTER;
  dnn_descriptor *made = new dnn_descriptor;
  made->type = type;
  *d = made;
  emu_count_live(1);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t d) {
  emu_call call(__func__);
  if (!d) return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "descriptor");
  delete of(d);
  emu_count_live(-1);
  return call.failed() ? injected() : CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t d,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type,
                                       int64_t n, const void *values) {
  DNN_ENTER;
  if (!d || (n && !values))
    return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "set attribute");
  if (of(d)->finalized)
    return fail(CUDNN_STATUS_BAD_PARAM, "the descriptor is finalized");
  const unsigned char *p = (const unsigned char *)values;
  of(d)->attributes[name] = {type, n, {p, p + (size_t)n * size_of(type)}};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t d) {
  DNN_ENTER;
  if (!d) return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "descriptor");
  try {
    finalize(of(d));
    return CUDNN_STATUS_SUCCESS;
  } catch (const dnn_error &e) {
    return fail(e.status, e.text);
  }
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const d,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t, int64_t n,
                                       int64_t *got, void *values) {
  DNN_ENTER;
  if (!d || !of(d)->finalized)
    return fail(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "get attribute");
  return get(of(d), name, n, got, values);
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t h,
                                  cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t pack) {
  DNN_ENTER;
  if (!h || !plan || !pack)
    return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "execute");
  if (!of(plan)->finalized || !of(pack)->finalized)
    return fail(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "execute");
  try {
    return execute(h, of(plan), of(pack));
  } catch (const dnn_error &e) {
    return fail(e.status, e.text);
  }
}

} // extern "C"
