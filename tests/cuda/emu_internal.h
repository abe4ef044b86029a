/* emu_internal.h -- what the fakes share: calls that can be made to fail,
 * streams, memory that only the device may touch. */
#ifndef CUDA_EMU_INTERNAL_H
#define CUDA_EMU_INTERNAL_H

#include <cuda_runtime_api.h>
#include <stdint.h>

#include <functional>

/* One call of the API: holds the lock, counts, and may be made to fail. */
class emu_call {
public:
  explicit emu_call(const char *name);
  ~emu_call();
  emu_call(const emu_call &) = delete;
  emu_call &operator=(const emu_call &) = delete;
  bool failed() const {
    return failed_;
  }
  /* e, also remembered for cudaGetLastError. An injected failure wins over
   * success: for calls that free, which do their work in any case. */
  cudaError_t error(cudaError_t e) const;

private:
  bool failed_;
};

/* A call that does nothing when it is made to fail. */
#define EMU_ENTER(what)                                                        \
  emu_call call(__func__);                                                     \
  do {                                                                         \
    if (call.failed()) return call.error(what);                                \
  } while (0)

/* The same, for one that a test may have left out. */
#define EMU_ENTER_OR_SKIP(what)                                                \
  EMU_ENTER(what);                                                             \
  do {                                                                         \
    if (emu_skips(__func__)) return call.error(cudaSuccess);                   \
  } while (0)

/* From the environment, once. */
struct emu_settings {
  unsigned seed;
  int devices, cc, driver, cudnn, cublaslt;
  int64_t memory; /* bytes of a device */
};
const emu_settings *emu_get_settings(void);
int emu_thread_order(void);
unsigned emu_random(void); /* of the schedule */

void emu_count_live(int more);
void emu_count_work(void);
void emu_count_download(void);
bool emu_skips(const char *name); /* CUDA_EMU_SKIP */

int emu_device(void); /* this thread's current one */

/* Something went wrong that no real program survives: says so and aborts. */
[[noreturn]] void emu_die(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* Queues work on a stream, or adds it to the graph that is being captured. */
cudaError_t emu_enqueue(cudaStream_t stream, const char *name,
                        std::function<void()> work);
/* Runs until nothing is left. */
void emu_drain(void);
/* cudaErrorStreamCaptureUnsupported while a capture forbids such calls; the
 * capture is spoiled then. */
cudaError_t emu_check_capture(void);

/* Device memory can be touched only between these. */
void emu_memory_open(void);
void emu_memory_close(void);
/* Whether p..p+n lies in one live allocation of the device, or pinned. */
bool emu_is_device(const void *p, size_t n);
bool emu_is_pinned(const void *p, size_t n);

#endif
