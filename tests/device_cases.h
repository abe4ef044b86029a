/* device_cases.h -- cases for another device than the CPU: sizes that are more
 * than one block of threads, or do not fit its vectors. See test_device.c. */
#ifndef SL_TESTS_DEVICE_CASES_H
#define SL_TESTS_DEVICE_CASES_H

#include "registry_cases.h"

/* Ends with make == NULL. */
extern const t_case t_device_cases[];

#endif
