/* profiles.h -- GPUs as cuDNN wants to hear of them, from their data sheets.
 * The fields are those that cuDNN 9.19 asks for; not yet compared with real
 * ones. */
#ifndef CUDA_PROFILES_H
#define CUDA_PROFILES_H

#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct profile {
  const char *name, *device;
  int version; /* compute capability x 100 */
  int processors, shared_kib, threads, blocks, l2_mib, mhz, memory_mhz, gib;
} profile;

static const profile profiles[] = {
    {"a100", "NVIDIA A100-SXM4-80GB", 800, 108, 163, 2048, 32, 40, 1410, 1593,
     80},
    {"4090", "NVIDIA GeForce RTX 4090", 890, 128, 99, 1536, 24, 72, 2520, 10501,
     24},
    {"h100", "NVIDIA H100 80GB HBM3", 900, 132, 227, 2048, 32, 50, 1980, 2619,
     80},
    {"5090", "NVIDIA GeForce RTX 5090", 1200, 170, 99, 1536, 24, 96, 2407,
     14001, 32},
};

static inline const profile *profile_find(const char *name) {
  for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++)
    if (strcmp(profiles[i].name, name) == 0) return &profiles[i];
  return NULL;
}

static inline int profile_json(const profile *p, char *out, size_t n) {
  return snprintf(
      out, n,
      "{\"maxGridSize\":[2147483647,65535,65535],"
      "\"maxBlockSize\":[1024,1024,64],\"regsPerBlock\":65536,"
      "\"multiProcessorCount\":%d,\"warpSize\":32,"
      "\"maxSharedMemoryPerBlock\":49152,"
      "\"maxSharedMemoryPerBlockOptin\":%d,"
      "\"reservedSharedMemoryPerBlock\":1024,\"maxRegistersPerSM\":65536,"
      "\"maxCtasPerSM\":%d,\"maxThreadsPerBlock\":1024,"
      "\"maxThreadsPerSM\":%d,\"pciDeviceId\":0,\"isTccDriver\":0,"
      "\"supportCoopLaunch\":1,\"totalGlobalMem\":%lld,"
      "\"smClockRateKHz\":%d,\"memClockRateKHz\":%d,\"l2CacheSize\":%d,"
      "\"cudaDeviceId\":0,\"deviceVer\":%d,\"driverVer\":13000,"
      "\"deviceName\":\"%s\"}",
      p->processors, p->shared_kib * 1024, p->blocks, p->threads,
      (long long)p->gib << 30, p->mhz * 1000, p->memory_mhz * 1000,
      p->l2_mib << 20, p->version, p->device);
}

#endif
