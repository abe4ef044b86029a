/* cush.cpp -- runs the blocks of a kernel: one fiber for each thread that has
 * to wait. See cush.h. */
#include "cush.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <vector>

#include "emu.h"
#include "emu_internal.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/common_interface_defs.h>
#define FIBER_LEAVE(save, stack, size)                                         \
  __sanitizer_start_switch_fiber(save, stack, size)
#define FIBER_ARRIVE(save, stack, size)                                        \
  __sanitizer_finish_switch_fiber(save, stack, size)
#else
#define FIBER_LEAVE(save, stack, size)  ((void)0)
#define FIBER_ARRIVE(save, stack, size) ((void)0)
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

/* All __shared__ variables of the plugin lie between these. */
extern char __start_cush_shared[] __attribute__((weak, visibility("hidden")));
extern char __stop_cush_shared[] __attribute__((weak, visibility("hidden")));

namespace {

enum state { NEW, READY, AT_BARRIER, AT_WARP, DONE };

/* A stack and the registers saved on it. */
struct fiber {
  char *stack = nullptr;
  void *sp = nullptr;   /* assembly switch */
  ucontext_t context;   /* portable switch */
  void *fake = nullptr; /* AddressSanitizer's */
};

struct thread {
  state st;
  fiber *on; /* while it waits or runs */
  const char *where;
  cush_op op;
  unsigned mask;
  uint64_t v;
  int arg, width;
};

const size_t STACK = 256 << 10;

fiber scheduler;
const void *scheduler_stack __attribute__((unused)); /* the sanitizer's */
size_t scheduler_size __attribute__((unused));
/* Never destroyed: they are in use until the very end of the process. */
std::vector<fiber *> &idle = *new std::vector<fiber *>;
std::vector<thread> threads;
std::vector<int> order;
size_t next; /* place in order of the next thread to look at */
int current, n_threads;
const char *kernel_name;
const std::function<void()> *kernel_body;
std::vector<unsigned char> dynamic_shared;
unsigned shuffle_state = 1;

[[noreturn]] void refuse(const char *where, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
[[noreturn]] void refuse(const char *where, const char *format, ...) {
  va_list args;
  fprintf(stderr, "cush: %s: ", kernel_name);
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fprintf(stderr, "; at %s, block (%u, %u, %u), thread %d\n", where, blockIdx.x,
          blockIdx.y, blockIdx.z, current);
  int shown = 0;
  for (int t = 0; t < n_threads && shown < 4; t++)
    if (threads[t].st == AT_BARRIER || threads[t].st == AT_WARP) {
      fprintf(stderr, "  thread %d waits at %s\n", t, threads[t].where);
      shown++;
    }
  abort();
}

/* --- switching --------------------------------------------------------------
 */

#if defined(__x86_64__) && !defined(CUSH_UCONTEXT)
extern "C" void cush_swap(void **from, void *to);
/* Saves what a called function must keep, and continues on the other stack. */
__asm__(".text\n"
        ".globl cush_swap\n"
        ".hidden cush_swap\n"
        "cush_swap:\n"
        "  pushq %rbp\n  pushq %rbx\n"
        "  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, (%rdi)\n"
        "  movq %rsi, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n"
        "  popq %rbx\n  popq %rbp\n"
        "  ret\n");

void prepare(fiber *f, void (*entry)(void)) {
  void **sp = (void **)(f->stack + STACK);
  *--sp = nullptr; /* entry starts with the alignment of a called function */
  *--sp = (void *)entry;
  for (int i = 0; i < 6; i++)
    *--sp = nullptr;
  f->sp = sp;
}

void swap(fiber *from, fiber *to) {
  cush_swap(&from->sp, to->sp);
}
#else
void prepare(fiber *f, void (*entry)(void)) {
  getcontext(&f->context);
  f->context.uc_stack.ss_sp = f->stack;
  f->context.uc_stack.ss_size = STACK;
  f->context.uc_link = nullptr;
  makecontext(&f->context, entry, 0);
}

void swap(fiber *from, fiber *to) {
  swapcontext(&from->context, &to->context);
}
#endif

void to_scheduler(fiber *f) {
  FIBER_LEAVE(&f->fake, scheduler_stack, scheduler_size);
  swap(f, &scheduler);
  FIBER_ARRIVE(f->fake, nullptr, nullptr);
}

void enter(int t) {
  current = t;
  const unsigned u = (unsigned)t;
  threadIdx = {u % blockDim.x, u / blockDim.x % blockDim.y,
               u / (blockDim.x * blockDim.y)};
}

/* A fiber runs one thread after the other, as long as none has to wait. */
void fiber_main(void) {
  FIBER_ARRIVE(nullptr, &scheduler_stack, &scheduler_size);
  for (;;) {
    const int t = current;
    fiber *f = threads[t].on;
    (*kernel_body)();
    threads[t].st = DONE;
    if (next < order.size() && threads[order[next]].st == NEW) {
      enter(order[next++]);
      threads[current].st = READY;
      threads[current].on = f;
    } else {
      idle.push_back(f);
      to_scheduler(f);
    }
  }
}

fiber *take_fiber(void) {
  if (idle.empty()) {
    fiber *f = new fiber;
    f->stack = (char *)mmap(nullptr, STACK, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (f->stack == MAP_FAILED) refuse("launch", "no memory for a stack");
    prepare(f, fiber_main);
    return f;
  }
  fiber *f = idle.back();
  idle.pop_back();
  return f;
}

void resume(int t) {
  thread *p = &threads[t];
  if (p->st == NEW) p->on = take_fiber();
  p->st = READY;
  enter(t);
  FIBER_LEAVE(&scheduler.fake, p->on->stack, STACK);
  swap(&scheduler, p->on);
  FIBER_ARRIVE(scheduler.fake, nullptr, nullptr);
}

/* --- collectives ------------------------------------------------------------
 */

int source_lane(const thread *p, int lane) {
  const int first = lane / p->width * p->width, last = first + p->width - 1;
  int s = lane;
  if (p->op == CUSH_XOR) s = lane ^ p->arg;
  if (p->op == CUSH_DOWN) s = lane + p->arg;
  if (p->op == CUSH_UP) s = lane - p->arg;
  if (p->op == CUSH_INDEX) s = first + (p->arg & (p->width - 1));
  const bool outside = p->op == CUSH_UP ? s < first : s > last;
  return outside ? lane : s;
}

/* Whether all lanes of the mask have come to the collective of lane t. */
bool all_arrived(int warp, int t) {
  const thread *first = &threads[t];
  for (int l = 0; l < warpSize; l++) {
    if (!(first->mask >> l & 1)) continue;
    const int u = warp + l;
    if (u >= n_threads || threads[u].st == DONE) {
      current = t;
      refuse(first->where, "the mask %08x names lane %d, which %s", first->mask,
             l, u >= n_threads ? "does not exist" : "has left the kernel");
    }
    if (threads[u].st != AT_WARP) return false;
    if (threads[u].op != first->op || threads[u].mask != first->mask) {
      current = u;
      refuse(threads[u].where, "lanes of one mask are in different "
                               "collectives");
    }
  }
  return true;
}

void exchange(int warp, unsigned mask) {
  uint64_t in[warpSize], ballot = 0;
  for (int l = 0; l < warpSize; l++)
    if (mask >> l & 1) {
      in[l] = threads[warp + l].v;
      if (in[l]) ballot |= 1u << l;
    }
  for (int l = 0; l < warpSize; l++) {
    if (!(mask >> l & 1)) continue;
    thread *p = &threads[warp + l];
    p->st = READY;
    if (p->op > CUSH_INDEX) {
      p->v = ballot;
      continue;
    }
    const int s = source_lane(p, l);
    if (!(mask >> s & 1)) {
      current = warp + l;
      refuse(p->where, "lane %d reads lane %d, which is not in the mask %08x",
             l, s, mask);
    }
    p->v = in[s];
  }
}

/* Ends the collectives of a warp whose lanes have all come. */
bool end_collectives(int warp) {
  bool any = false;
  for (int l = 0; l < warpSize && warp + l < n_threads; l++) {
    const thread *p = &threads[warp + l];
    if (p->st != AT_WARP || !all_arrived(warp, warp + l)) continue;
    exchange(warp, p->mask);
    any = true;
  }
  return any;
}

/* --- blocks -----------------------------------------------------------------
 */

void choose_order(void) {
  const int how = emu_thread_order();
  order.resize((size_t)n_threads);
  for (int t = 0; t < n_threads; t++)
    order[(size_t)t] = how == 1 ? n_threads - 1 - t : t;
  if (how < 2) return;
  for (int t = n_threads - 1; t > 0; t--) {
    shuffle_state = shuffle_state * 1664525u + 1013904223u + (unsigned)how;
    std::swap(order[(size_t)t],
              order[(shuffle_state >> 8) % (unsigned)(t + 1)]);
  }
}

void poison_shared(void) {
  if (__start_cush_shared)
    memset(__start_cush_shared, 0xff,
           (size_t)(__stop_cush_shared - __start_cush_shared));
  if (!dynamic_shared.empty())
    memset(dynamic_shared.data(), 0xff, dynamic_shared.size());
}

/* True: all have left. False: all wait at one barrier, and may go on. */
bool end_of_block(void) {
  int waiting = 0, done = 0, first = -1;
  for (int t = 0; t < n_threads; t++) {
    done += threads[t].st == DONE;
    if (threads[t].st != AT_BARRIER) continue;
    waiting++;
    if (first < 0) first = t;
    current = t;
    if (strcmp(threads[t].where, threads[first].where) != 0)
      refuse(threads[t].where, "threads of a block wait at different "
                               "__syncthreads");
  }
  if (done == n_threads) return true;
  if (waiting + done < n_threads)
    refuse("?", "threads wait for each other for ever");
  if (done) {
    current = first;
    refuse(threads[first].where,
           "__syncthreads after %d of the block's threads have left", done);
  }
  return false;
}

void run_block(void) {
  poison_shared();
  for (thread &p : threads)
    p = {NEW, nullptr, "", CUSH_SYNC, 0, 0, 0, 0};
  for (;;) {
    choose_order();
    for (next = 0; next < order.size();) {
      const int t = order[next++];
      if (threads[t].st <= READY) resume(t);
    }
    bool went_on = false;
    for (int warp = 0; warp < n_threads; warp += warpSize)
      went_on |= end_collectives(warp);
    if (went_on) continue;
    if (end_of_block()) return;
    for (thread &p : threads)
      p.st = READY;
  }
}

bool refused(dim3 g, dim3 b, size_t shared) {
  const uint64_t n = (uint64_t)b.x * b.y * b.z;
  return n < 1 || b.x > 1024 || b.y > 1024 || b.z > 64 || n > 1024 || g.x < 1 ||
         g.y < 1 || g.z < 1 || g.x > 0x7fffffffu || g.y > 65535 ||
         g.z > 65535 || shared > 48 << 10;
}

} // namespace

void *cush_dynamic_shared(void) {
  const uintptr_t p = (uintptr_t)dynamic_shared.data();
  return (void *)((p + 15) & ~(uintptr_t)15);
}

void cush_barrier(const char *where) {
  thread *p = &threads[(size_t)current];
  p->st = AT_BARRIER;
  p->where = where;
  to_scheduler(p->on);
}

uint64_t cush_warp(cush_op op, unsigned mask, uint64_t v, int arg, int width,
                   const char *where) {
  const int t = current;
  if (!(mask >> (t % warpSize) & 1))
    refuse(where, "the calling lane %d is not in the mask %08x", t % warpSize,
           mask);
  if (width < 1 || width > warpSize || (width & (width - 1)))
    refuse(where, "a shuffle of width %d", width);
  thread *p = &threads[(size_t)t];
  fiber *f = p->on;
  *p = {AT_WARP, f, where, op, mask, v, arg, width};
  to_scheduler(f);
  return threads[(size_t)t].v;
}

void cush_run(const char *name, dim3 grid, dim3 block, size_t shared,
              const std::function<void()> &body) {
  kernel_name = name;
  kernel_body = &body;
  gridDim = grid;
  blockDim = block;
  n_threads = (int)(block.x * block.y * block.z);
  threads.resize((size_t)n_threads);
  dynamic_shared.assign(shared ? shared + 16 : 0, 0xff);
  const uint64_t n = (uint64_t)grid.x * grid.y * grid.z;
  for (uint64_t k = 0; k < n; k++) {
    const uint64_t i = emu_thread_order() == 1 ? n - 1 - k : k;
    blockIdx = {(unsigned)(i % grid.x), (unsigned)(i / grid.x % grid.y),
                (unsigned)(i / grid.x / grid.y)};
    run_block();
  }
}

cudaError_t cush_queue(cudaStream_t stream, const char *name, dim3 grid,
                       dim3 block, size_t shared,
                       const std::function<void()> &body) {
  emu_call call(name);
  if (call.failed()) return call.error(cudaErrorLaunchFailure);
  if (refused(grid, block, shared))
    return call.error(cudaErrorInvalidConfiguration);
  return call.error(emu_enqueue(stream, name, [=] {
    cush_run(name, grid, block, shared, body);
    emu_count_work();
  }));
}
