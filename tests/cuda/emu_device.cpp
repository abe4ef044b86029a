/* emu_device.cpp -- which devices there are, and what they are like. */
#include <stdio.h>
#include <string.h>

#include "emu_internal.h"

static thread_local int current;

int emu_device(void) {
  return current;
}

/* What the runtime says before anything else: whether there is a driver. */
static cudaError_t check_driver(void) {
  const int driver = emu_get_settings()->driver;
  if (driver < CUDART_VERSION) return cudaErrorInsufficientDriver;
  return emu_get_settings()->devices ? cudaSuccess : cudaErrorNoDevice;
}

static bool there_is(int device) {
  return device >= 0 && device < emu_get_settings()->devices;
}

extern "C" {

cudaError_t cudaGetDeviceCount(int *n) {
  EMU_ENTER(cudaErrorUnknown);
  const cudaError_t e = check_driver();
  *n = e ? 0 : emu_get_settings()->devices;
  return call.error(e);
}

cudaError_t cudaSetDevice(int device) {
  EMU_ENTER(cudaErrorUnknown);
  cudaError_t e = check_driver();
  if (!e && !there_is(device)) e = cudaErrorInvalidDevice;
  if (!e) current = device;
  return call.error(e);
}

cudaError_t cudaGetDevice(int *device) {
  EMU_ENTER(cudaErrorUnknown);
  *device = current;
  return call.error(check_driver());
}

cudaError_t cudaDriverGetVersion(int *v) {
  EMU_ENTER(cudaErrorUnknown);
  *v = emu_get_settings()->driver;
  return call.error(cudaSuccess);
}

cudaError_t cudaRuntimeGetVersion(int *v) {
  EMU_ENTER(cudaErrorUnknown);
  *v = CUDART_VERSION;
  return call.error(cudaSuccess);
}

static int attribute(cudaDeviceAttr a) {
  const int cc = emu_get_settings()->cc;
  switch ((int)a) {
  case cudaDevAttrComputeCapabilityMajor:
    return cc / 10;
  case cudaDevAttrComputeCapabilityMinor:
    return cc % 10;
  case cudaDevAttrMultiProcessorCount:
    return 4; /* grids that are sized by it stay small */
  case cudaDevAttrMaxThreadsPerBlock:
    return 1024;
  case cudaDevAttrMaxSharedMemoryPerBlock:
    return 48 << 10;
  case cudaDevAttrWarpSize:
    return 32;
  case cudaDevAttrMemoryPoolsSupported:
    return 0;
  default:
    return -1;
  }
}

cudaError_t cudaDeviceGetAttribute(int *v, cudaDeviceAttr a, int device) {
  EMU_ENTER(cudaErrorUnknown);
  if (!there_is(device)) return call.error(cudaErrorInvalidDevice);
  *v = attribute(a);
  return call.error(*v < 0 ? cudaErrorInvalidValue : cudaSuccess);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int device) {
  EMU_ENTER(cudaErrorUnknown);
  if (!there_is(device)) return call.error(cudaErrorInvalidDevice);
  memset(p, 0, sizeof *p);
  snprintf(p->name, sizeof p->name, "Emulated GPU %d", device);
  p->major = emu_get_settings()->cc / 10;
  p->minor = emu_get_settings()->cc % 10;
  p->totalGlobalMem = (size_t)emu_get_settings()->memory;
  p->multiProcessorCount = attribute(cudaDevAttrMultiProcessorCount);
  p->maxThreadsPerBlock = 1024;
  p->sharedMemPerBlock = 48 << 10;
  p->warpSize = 32;
  p->maxGridSize[0] = 0x7fffffff;
  p->maxGridSize[1] = p->maxGridSize[2] = 65535;
  p->l2CacheSize = 40 << 20;
  return call.error(cudaSuccess);
}

} // extern "C"
