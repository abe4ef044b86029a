/* emu_memory.cpp -- device and pinned memory.
 *
 * Each block ends at a page that nobody may touch, and its own pages are never
 * given out twice: a kernel that leaves its buffer, or reads one that was
 * freed, stops at once; what lies between the end of a block and its page is
 * looked at when it is freed. Device memory is closed to the host: it can be
 * touched only while the fake device runs something. New memory is all 0xff:
 * NaN. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <map>

#include "emu.h"
#include "emu_internal.h"

namespace {

enum kind { DEVICE, PINNED };
struct block {
  kind what;
  int device;
  size_t bytes;
  char *pages;
  size_t length; /* of the pages, without the one at the end */
};

/* Never destroyed: they are in use until the very end of the process. */
typedef std::map<char *, block> block_map;
block_map &blocks = *new block_map; /* by the address that was given out */
std::map<int, int64_t> &used = *new std::map<int, int64_t>; /* by device */
char *region, *region_end, *region_next;
bool open_;
struct sigaction before;

const size_t REGION = (size_t)1 << 38;

const block *find(const void *p) {
  auto i = blocks.upper_bound((char *)p);
  if (i == blocks.begin()) return nullptr;
  --i;
  return (const char *)p < i->first + i->second.bytes ? &i->second : nullptr;
}

void on_fault(int signal, siginfo_t *info, void *context) {
  char *p = (char *)info->si_addr;
  if (p >= region && p < region_end) {
    const block *b = find(p);
    const char *why =
        b ? "the host touched memory of the device"
          : "memory was used that is freed, or past the end of its block";
    emu_die("%s (%p)", why, (void *)p);
  }
  sigaction(signal, &before, nullptr);
  if (before.sa_flags & SA_SIGINFO) before.sa_sigaction(signal, info, context);
}

void make_region(void) {
  void *p = mmap(nullptr, REGION, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) emu_die("no address space for device memory");
  region = region_next = (char *)p;
  region_end = region + REGION;
  struct sigaction act = {};
  act.sa_sigaction = on_fault;
  act.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGSEGV, &act, &before);
}

void allow(const block &b, int how) {
  if (mprotect(b.pages, b.length, how) != 0) emu_die("mprotect failed");
}

void *add(kind what, size_t bytes) {
  if (!region) make_region();
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  const size_t rounded = (bytes + 255) & ~(size_t)255;
  const size_t length = (rounded + page - 1) / page * page;
  if (region_next + length + page > region_end) return nullptr;
  block b = {what, emu_device(), bytes, region_next, length};
  region_next += length + page;
  allow(b, PROT_READ | PROT_WRITE);
  memset(b.pages, 0xff, length);
  if (what == DEVICE && !open_) allow(b, PROT_NONE);
  char *p = b.pages + length - rounded;
  blocks[p] = b;
  emu_count_live(1);
  return p;
}

/* Between the block's end and the page's nothing may have been written. */
void check_end(const char *p, const block &b) {
  for (const char *end = b.pages + b.length, *c = p + b.bytes; c < end; c++)
    if (*c != (char)0xff)
      emu_die("%p, of %zu bytes, was written %zd bytes past its end",
              (const void *)p, b.bytes, c - p - (ptrdiff_t)b.bytes);
}

bool remove(kind what, void *p) {
  auto i = blocks.find((char *)p);
  if (i == blocks.end() || i->second.what != what) return false;
  const block b = i->second;
  allow(b, PROT_READ | PROT_WRITE);
  check_end(i->first, b);
  allow(b, PROT_NONE);
  madvise(b.pages, b.length, MADV_DONTNEED);
  if (what == DEVICE) used[b.device] -= (int64_t)b.bytes;
  blocks.erase(i);
  emu_count_live(-1);
  return true;
}

void set_open(bool want) {
  if (open_ == want) return;
  open_ = want;
  for (auto &i : blocks)
    if (i.second.what == DEVICE)
      allow(i.second, want ? PROT_READ | PROT_WRITE : PROT_NONE);
}

bool inside(kind what, const void *p, size_t n) {
  const block *b = find(p);
  if (!b || b->what != what) return false;
  const size_t first = (size_t)((const char *)p - b->pages);
  const size_t start =
      b->length - ((b->bytes + 255) & ~(size_t)255); /* of the block */
  return first - start + n <= b->bytes;
}

} // namespace

void emu_memory_open(void) {
  set_open(true);
}

void emu_memory_close(void) {
  static const bool stays = getenv("CUDA_EMU_OPEN");
  if (!stays) set_open(false);
}

bool emu_is_device(const void *p, size_t n) {
  return inside(DEVICE, p, n);
}

bool emu_is_pinned(const void *p, size_t n) {
  return inside(PINNED, p, n);
}

extern "C" {

int64_t cuda_emu_bytes(void) {
  int64_t n = 0;
  for (auto &i : used)
    n += i.second;
  return n;
}

cudaError_t cudaMalloc(void **p, size_t bytes) {
  EMU_ENTER(cudaErrorMemoryAllocation);
  const cudaError_t capture = emu_check_capture();
  if (capture) return call.error(capture);
  *p = nullptr;
  if (bytes == 0) return call.error(cudaSuccess);
  int64_t *u = &used[emu_device()];
  if (*u + (int64_t)bytes > emu_get_settings()->memory ||
      !(*p = add(DEVICE, bytes)))
    return call.error(cudaErrorMemoryAllocation);
  *u += (int64_t)bytes;
  return call.error(cudaSuccess);
}

cudaError_t cudaFree(void *p) {
  emu_call call(__func__);
  const cudaError_t capture = emu_check_capture();
  if (capture) return call.error(capture);
  if (!p) return call.error(cudaSuccess);
  emu_drain();
  return call.error(remove(DEVICE, p) ? cudaSuccess : cudaErrorInvalidValue);
}

cudaError_t cudaMallocHost(void **p, size_t bytes) {
  EMU_ENTER(cudaErrorMemoryAllocation);
  const cudaError_t capture = emu_check_capture();
  if (capture) return call.error(capture);
  *p = bytes ? add(PINNED, bytes) : nullptr;
  return call.error(*p || !bytes ? cudaSuccess : cudaErrorMemoryAllocation);
}

cudaError_t cudaHostAlloc(void **p, size_t bytes, unsigned) {
  return cudaMallocHost(p, bytes);
}

/* Does not wait for copies under way, as the real one need not. */
cudaError_t cudaFreeHost(void *p) {
  emu_call call(__func__);
  if (!p) return call.error(cudaSuccess);
  return call.error(remove(PINNED, p) ? cudaSuccess : cudaErrorInvalidValue);
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total) {
  EMU_ENTER(cudaErrorUnknown);
  *total = (size_t)emu_get_settings()->memory;
  *free_bytes = *total - (size_t)used[emu_device()];
  return call.error(cudaSuccess);
}

} // extern "C"
