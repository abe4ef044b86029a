/* emu_streams.cpp -- streams, events, captured graphs.
 *
 * A stream is a queue. Nothing runs until the host waits for something; then
 * streams run in an order of random priorities that change now and then. So a
 * wait that is missing, or a buffer that is written too early, shows as a wrong
 * number under some seed. */
#include <string.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <vector>

#include "emu.h"
#include "emu_internal.h"

typedef std::function<void()> work_fn;

/* --- graphs -----------------------------------------------------------------
 */

struct node {
  const char *name;
  work_fn run;
  std::vector<int> after;
};

struct CUgraph_st {
  std::vector<node> nodes;
};

struct CUgraphExec_st {
  std::shared_ptr<const CUgraph_st> graph;
  int device;
};

namespace {

/* A capture under way, shared by the streams that have joined it. */
struct capture {
  cudaStream_t origin;
  cudaStreamCaptureMode mode;
  bool spoiled = false;
  std::unique_ptr<CUgraph_st> graph{new CUgraph_st};
};

/* One run of a graph: which nodes are done. */
struct graph_run {
  std::shared_ptr<const CUgraph_st> graph;
  std::vector<char> done;
  size_t left;
};

struct operation {
  uint64_t number; /* in the order of the host's calls */
  work_fn run;
  cudaEvent_t wait; /* or: until it has come this far */
  uint64_t until;
  std::shared_ptr<graph_run> graph; /* or: a graph */
};

} // namespace

struct CUstream_st {
  int device;
  bool blocking; /* with the legacy stream */
  std::deque<operation> queue;
  capture *in;           /* NULL: not captured */
  std::vector<int> last; /* nodes that the next one comes after */
};

struct CUevent_st {
  int device;
  bool timing;
  uint64_t recorded, done, when; /* generations; when: place in all work */
  capture *in;                   /* recorded in a capture, with these: */
  std::vector<int> nodes;
  int pending; /* operations in queues that name it */
  bool destroyed;
};

namespace {

/* Never destroyed: they are in use until the very end of the process. */
typedef std::vector<cudaStream_t> stream_list;
stream_list &streams = *new stream_list; /* legacy streams too */
stream_list &priority = *new stream_list;
stream_list &legacy = *new stream_list; /* by device */
std::vector<capture *> &captures = *new std::vector<capture *>;
uint64_t operations, clock_now;

cudaStream_t legacy_of(int device) {
  while ((int)legacy.size() <= device) {
    cudaStream_t s = new CUstream_st{(int)legacy.size(), true, {}, nullptr, {}};
    legacy.push_back(s);
    streams.push_back(s);
  }
  return legacy[(size_t)device];
}

bool known(cudaStream_t s) {
  return std::find(streams.begin(), streams.end(), s) != streams.end();
}

bool is_legacy(cudaStream_t s) {
  return std::find(legacy.begin(), legacy.end(), s) != legacy.end();
}

/* The stream of an argument; NULL: no such stream. */
cudaStream_t stream_of(cudaStream_t s) {
  if (!s || s == cudaStreamLegacy) return legacy_of(emu_device());
  return known(s) ? s : nullptr;
}

/* --- running ----------------------------------------------------------------
 */

void unref(cudaEvent_t e) {
  e->pending--;
  if (e->destroyed && e->pending == 0) delete e;
}

/* The legacy stream and blocking ones do not overtake each other. */
bool may_start(cudaStream_t s) {
  const uint64_t number = s->queue.front().number;
  if (!s->blocking) return true;
  if (!is_legacy(s)) {
    cudaStream_t l = legacy_of(s->device);
    return l->queue.empty() || l->queue.front().number > number;
  }
  for (cudaStream_t t : streams)
    if (t != s && t->device == s->device && t->blocking && !t->queue.empty() &&
        t->queue.front().number < number)
      return false;
  return true;
}

/* Runs one node of a graph whose predecessors are done. */
bool step_graph(graph_run *r) {
  std::vector<size_t> ready;
  const std::vector<node> &nodes = r->graph->nodes;
  for (size_t i = 0; i < nodes.size(); i++) {
    bool free = !r->done[i];
    for (int k : nodes[i].after)
      free = free && r->done[(size_t)k];
    if (free) ready.push_back(i);
  }
  if (ready.empty()) return false;
  const size_t i = ready[emu_random() % ready.size()];
  if (nodes[i].run) nodes[i].run();
  r->done[i] = 1;
  r->left--;
  return true;
}

/* Does the next thing of a stream. false: it is empty, or has to wait. */
bool step(cudaStream_t s) {
  if (s->queue.empty() || !may_start(s)) return false;
  operation &o = s->queue.front();
  if (o.wait && o.wait->done < o.until) return false;
  clock_now++;
  if (o.graph && o.graph->left > 0) {
    if (!step_graph(o.graph.get())) emu_die("a graph with a cycle");
    return true;
  }
  operation taken = std::move(o);
  s->queue.pop_front();
  if (taken.run) taken.run();
  if (taken.wait) unref(taken.wait);
  return true;
}

bool step_any(void) {
  static unsigned steps;
  if (priority.size() != streams.size() || ++steps % 23 == 0) {
    priority = streams;
    for (size_t k = priority.size(); k > 1; k--)
      std::swap(priority[k - 1], priority[emu_random() % k]);
  }
  for (cudaStream_t s : priority)
    if (step(s)) return true;
  return false;
}

template <class Done> void run_until(Done done) {
  if (done()) return;
  emu_memory_open();
  while (!done())
    if (!step_any()) emu_die("streams wait for each other for ever");
  emu_memory_close();
}

void append(cudaStream_t s, work_fn run, cudaEvent_t wait = nullptr,
            uint64_t until = 0, std::shared_ptr<graph_run> graph = nullptr) {
  s->queue.push_back(
      {++operations, std::move(run), wait, until, std::move(graph)});
}

/* --- capture ----------------------------------------------------------------
 */

void add_node(cudaStream_t s, const char *name, work_fn run) {
  std::vector<node> &nodes = s->in->graph->nodes;
  nodes.push_back({name, std::move(run), s->last});
  s->last.assign(1, (int)nodes.size() - 1);
}

/* Work on the legacy stream would have to wait for captured, blocking ones. */
cudaError_t check_legacy(cudaStream_t s) {
  if (!is_legacy(s)) return cudaSuccess;
  for (cudaStream_t t : streams)
    if (t->in && t->blocking && t->device == s->device) {
      t->in->spoiled = true;
      return cudaErrorStreamCaptureImplicit;
    }
  return cudaSuccess;
}

bool reaches(const CUgraph_st &g, const std::vector<int> &from, int to) {
  std::vector<int> todo = from;
  std::vector<char> seen(g.nodes.size());
  while (!todo.empty()) {
    const int i = todo.back();
    todo.pop_back();
    if (i == to) return true;
    if (seen[(size_t)i]) continue;
    seen[(size_t)i] = 1;
    todo.insert(todo.end(), g.nodes[(size_t)i].after.begin(),
                g.nodes[(size_t)i].after.end());
  }
  return false;
}

/* Whether all that joined a capture has come back to its first stream. */
bool joined(const capture *c) {
  for (cudaStream_t s : streams)
    if (s->in == c && s != c->origin)
      for (int i : s->last)
        if (!reaches(*c->graph, c->origin->last, i)) return false;
  return true;
}

void end_capture(capture *c) {
  for (cudaStream_t s : streams)
    if (s->in == c) {
      s->in = nullptr;
      s->last.clear();
    }
  captures.erase(std::find(captures.begin(), captures.end(), c));
}

cudaError_t wait_in_capture(cudaStream_t s, cudaEvent_t e) {
  if (!e->in) {
    s->in->spoiled = true;
    return cudaErrorStreamCaptureIsolation;
  }
  for (int i : e->nodes)
    if (std::find(s->last.begin(), s->last.end(), i) == s->last.end())
      s->last.push_back(i);
  return cudaSuccess;
}

} // namespace

cudaError_t emu_check_capture(void) {
  cudaError_t e = cudaSuccess;
  for (capture *c : captures)
    if (c->mode != cudaStreamCaptureModeRelaxed) {
      c->spoiled = true;
      e = cudaErrorStreamCaptureUnsupported;
    }
  return e;
}

cudaError_t emu_enqueue(cudaStream_t stream, const char *name, work_fn run) {
  cudaStream_t s = stream_of(stream);
  if (!s || s->device != emu_device()) return cudaErrorInvalidResourceHandle;
  const cudaError_t e = check_legacy(s);
  if (e) return e;
  if (s->in)
    add_node(s, name, std::move(run));
  else
    append(s, std::move(run));
  return cudaSuccess;
}

void emu_drain(void) {
  run_until([] {
    for (cudaStream_t s : streams)
      if (!s->queue.empty()) return false;
    return true;
  });
}

extern "C" {

/* --- streams ----------------------------------------------------------------
 */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags) {
  EMU_ENTER(cudaErrorMemoryAllocation);
  legacy_of(emu_device());
  *s = new CUstream_st{
      emu_device(), !(flags & cudaStreamNonBlocking), {}, nullptr, {}};
  streams.push_back(*s);
  emu_count_live(1);
  return call.error(cudaSuccess);
}

cudaError_t cudaStreamCreate(cudaStream_t *s) {
  return cudaStreamCreateWithFlags(s, cudaStreamDefault);
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *s, unsigned flags, int) {
  return cudaStreamCreateWithFlags(s, flags);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  EMU_ENTER(cudaErrorUnknown);
  cudaStream_t s = stream_of(stream);
  if (!s) return call.error(cudaErrorInvalidResourceHandle);
  if (s->in) {
    s->in->spoiled = true;
    return call.error(cudaErrorStreamCaptureUnsupported);
  }
  run_until([=] { return s->queue.empty(); });
  return call.error(cudaSuccess);
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  EMU_ENTER(cudaErrorUnknown);
  cudaStream_t s = stream_of(stream);
  if (!s) return call.error(cudaErrorInvalidResourceHandle);
  return s->queue.empty() ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaStreamDestroy(cudaStream_t s) {
  emu_call call(__func__);
  if (!s || !known(s) || is_legacy(s))
    return call.error(cudaErrorInvalidResourceHandle);
  if (s->in) s->in->spoiled = true;
  run_until([=] { return s->queue.empty(); });
  streams.erase(std::find(streams.begin(), streams.end(), s));
  priority.clear();
  delete s;
  emu_count_live(-1);
  return call.error(cudaSuccess);
}

cudaError_t cudaDeviceSynchronize(void) {
  EMU_ENTER(cudaErrorUnknown);
  const cudaError_t e = emu_check_capture();
  if (!e) emu_drain();
  return call.error(e);
}

/* --- copies -----------------------------------------------------------------
 */

static bool on_device(const void *p, size_t n, bool want) {
  return emu_is_device(p, n) == want;
}

static bool good_copy(const void *to, const void *from, size_t n,
                      enum cudaMemcpyKind kind) {
  switch (kind) {
  case cudaMemcpyHostToDevice:
    return on_device(to, n, true) && on_device(from, 1, false);
  case cudaMemcpyDeviceToHost:
    return on_device(to, 1, false) && on_device(from, n, true);
  case cudaMemcpyDeviceToDevice:
    return on_device(to, n, true) && on_device(from, n, true);
  case cudaMemcpyHostToHost:
    return on_device(to, 1, false) && on_device(from, 1, false);
  case cudaMemcpyDefault:
    return true;
  }
  return false;
}

/* From pageable memory the bytes are taken at once, and to it the call waits:
 * only pinned memory makes a copy asynchronous. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n,
                            enum cudaMemcpyKind kind, cudaStream_t stream) {
  EMU_ENTER(cudaErrorUnknown);
  if (n == 0) return call.error(cudaSuccess);
  if (!good_copy(to, from, n, kind)) return call.error(cudaErrorInvalidValue);
  cudaStream_t s = stream_of(stream);
  if (!s) return call.error(cudaErrorInvalidResourceHandle);
  if (!emu_is_device(to, n)) emu_count_download();
  const bool pageable_source =
      !emu_is_device(from, n) && !emu_is_pinned(from, n);
  const bool pageable_target = !emu_is_device(to, n) && !emu_is_pinned(to, n);
  if (pageable_source && !s->in) {
    const char *p = (const char *)from;
    std::vector<char> bytes(p, p + n);
    return call.error(emu_enqueue(stream, "copy", [to, bytes] {
      memcpy(to, bytes.data(), bytes.size());
    }));
  }
  const cudaError_t e =
      emu_enqueue(stream, "copy", [=] { memmove(to, from, n); });
  if (!e && pageable_target && !s->in)
    run_until([=] { return s->queue.empty(); });
  return call.error(e);
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t n,
                       enum cudaMemcpyKind kind) {
  {
    emu_call call(__func__);
    if (call.failed()) return call.error(cudaErrorUnknown);
    const cudaError_t e = emu_check_capture();
    if (e) return call.error(e);
  }
  const cudaError_t e = cudaMemcpyAsync(to, from, n, kind, nullptr);
  return e ? e : cudaStreamSynchronize(nullptr);
}

cudaError_t cudaMemsetAsync(void *p, int v, size_t n, cudaStream_t stream) {
  EMU_ENTER_OR_SKIP(cudaErrorUnknown);
  if (n == 0) return call.error(cudaSuccess);
  if (!emu_is_device(p, n)) return call.error(cudaErrorInvalidValue);
  return call.error(emu_enqueue(stream, "fill", [=] { memset(p, v, n); }));
}

cudaError_t cudaMemset(void *p, int v, size_t n) {
  return cudaMemsetAsync(p, v, n, nullptr);
}

cudaError_t cudaLaunchHostFunc(cudaStream_t s, cudaHostFn_t f, void *data) {
  EMU_ENTER(cudaErrorUnknown);
  return call.error(emu_enqueue(s, "host function", [=] { f(data); }));
}

/* --- events -----------------------------------------------------------------
 */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags) {
  EMU_ENTER(cudaErrorMemoryAllocation);
  *e = new CUevent_st{
      emu_device(), !(flags & cudaEventDisableTiming), 0, 0, 0, nullptr, {}, 0,
      false};
  emu_count_live(1);
  return call.error(cudaSuccess);
}

cudaError_t cudaEventCreate(cudaEvent_t *e) {
  return cudaEventCreateWithFlags(e, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t e) {
  emu_call call(__func__);
  if (!e) return call.error(cudaErrorInvalidResourceHandle);
  e->destroyed = true;
  e->pending++;
  unref(e);
  emu_count_live(-1);
  return call.error(cudaSuccess);
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t stream) {
  EMU_ENTER(cudaErrorUnknown);
  cudaStream_t s = stream_of(stream);
  if (!e || !s || e->device != s->device)
    return call.error(cudaErrorInvalidResourceHandle);
  const cudaError_t status = check_legacy(s);
  if (status) return call.error(status);
  e->in = s->in;
  e->nodes = s->last;
  if (s->in) return call.error(cudaSuccess);
  const uint64_t generation = ++e->recorded;
  e->pending++;
  append(s, [=] {
    e->done = generation;
    e->when = clock_now;
    unref(e);
  });
  return call.error(cudaSuccess);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t e, unsigned) {
  EMU_ENTER_OR_SKIP(cudaErrorUnknown);
  cudaStream_t s = stream_of(stream);
  if (!e || !s) return call.error(cudaErrorInvalidResourceHandle);
  if (e->in) { /* the stream joins the capture */
    if (s->in && s->in != e->in) return call.error(cudaErrorStreamCaptureMerge);
    s->in = e->in;
  }
  if (s->in) return call.error(wait_in_capture(s, e));
  if (e->recorded == 0) return call.error(cudaSuccess);
  e->pending++;
  append(s, work_fn(), e, e->recorded);
  return call.error(cudaSuccess);
}

cudaError_t cudaEventQuery(cudaEvent_t e) {
  EMU_ENTER(cudaErrorUnknown);
  if (!e) return call.error(cudaErrorInvalidResourceHandle);
  if (e->in) return call.error(cudaErrorCapturedEvent);
  return e->done == e->recorded ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventSynchronize(cudaEvent_t e) {
  EMU_ENTER_OR_SKIP(cudaErrorUnknown);
  if (!e) return call.error(cudaErrorInvalidResourceHandle);
  if (e->in) return call.error(cudaErrorCapturedEvent);
  const uint64_t until = e->recorded;
  run_until([=] { return e->done >= until; });
  return call.error(cudaSuccess);
}

/* One thing run counts as a microsecond. */
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t a, cudaEvent_t b) {
  EMU_ENTER(cudaErrorUnknown);
  if (!a || !b || !a->timing || !b->timing || !a->recorded || !b->recorded)
    return call.error(cudaErrorInvalidResourceHandle);
  if (a->done < a->recorded || b->done < b->recorded)
    return call.error(cudaErrorNotReady);
  *ms = ((float)b->when - (float)a->when) * 1e-3f;
  return call.error(cudaSuccess);
}

/* --- graphs -----------------------------------------------------------------
 */

cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode mode) {
  EMU_ENTER(cudaErrorUnknown);
  if (!s || !known(s) || is_legacy(s))
    return call.error(cudaErrorStreamCaptureUnsupported);
  if (s->in) return call.error(cudaErrorIllegalState);
  s->in = new capture;
  s->in->origin = s;
  s->in->mode = mode;
  s->last.clear();
  captures.push_back(s->in);
  return call.error(cudaSuccess);
}

/* Made to fail, it ends the capture all the same. */
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *graph) {
  emu_call call(__func__);
  *graph = nullptr;
  if (!s || !known(s) || !s->in) return call.error(cudaErrorIllegalState);
  if (s->in->origin != s) return call.error(cudaErrorStreamCaptureUnmatched);
  std::unique_ptr<capture> c(s->in);
  const bool all = joined(c.get());
  end_capture(c.get());
  if (call.failed()) return call.error(cudaErrorUnknown);
  if (c->spoiled) return call.error(cudaErrorStreamCaptureInvalidated);
  if (!all) return call.error(cudaErrorStreamCaptureUnjoined);
  *graph = c->graph.release();
  emu_count_live(1);
  return call.error(cudaSuccess);
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream,
                                  cudaStreamCaptureStatus *status) {
  EMU_ENTER(cudaErrorUnknown);
  cudaStream_t s = stream_of(stream);
  if (!s) return call.error(cudaErrorInvalidResourceHandle);
  *status = !s->in           ? cudaStreamCaptureStatusNone
            : s->in->spoiled ? cudaStreamCaptureStatusInvalidated
                             : cudaStreamCaptureStatusActive;
  return call.error(cudaSuccess);
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *x, cudaGraph_t g,
                                 unsigned long long) {
  EMU_ENTER(cudaErrorMemoryAllocation);
  if (!g) return call.error(cudaErrorInvalidValue);
  *x = new CUgraphExec_st{std::make_shared<const CUgraph_st>(*g), emu_device()};
  emu_count_live(1);
  return call.error(cudaSuccess);
}

cudaError_t cudaGraphGetNodes(cudaGraph_t g, cudaGraphNode_t *nodes,
                              size_t *n) {
  EMU_ENTER(cudaErrorUnknown);
  if (!g || nodes) return call.error(cudaErrorInvalidValue);
  *n = g->nodes.size();
  return call.error(cudaSuccess);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t x, cudaStream_t stream) {
  EMU_ENTER(cudaErrorLaunchFailure);
  cudaStream_t s = stream_of(stream);
  if (!x || !s) return call.error(cudaErrorInvalidResourceHandle);
  const cudaError_t e = check_legacy(s);
  if (e) return call.error(e);
  if (s->in) return call.error(cudaErrorNotSupported); /* no nested graphs */
  const size_t n = x->graph->nodes.size();
  append(s, work_fn(), nullptr, 0,
         std::make_shared<graph_run>(
             graph_run{x->graph, std::vector<char>(n), n}));
  return call.error(cudaSuccess);
}

cudaError_t cudaGraphDestroy(cudaGraph_t g) {
  emu_call call(__func__);
  if (!g) return call.error(cudaErrorInvalidValue);
  delete g;
  emu_count_live(-1);
  return call.error(cudaSuccess);
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t x) {
  emu_call call(__func__);
  if (!x) return call.error(cudaErrorInvalidValue);
  delete x;
  emu_count_live(-1);
  return call.error(cudaSuccess);
}

} // extern "C"
