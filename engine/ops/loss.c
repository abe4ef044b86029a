/* loss.c -- see loss.h. */
#include "ops/loss.h"

#include <stddef.h>

const char *const sl_reduction_names[] = {"mean", "sum", "none", NULL};
