/* linear.h -- the fully connected layer.
 *
 * x (.., I), weight w (O, I), bias b (O; optional), y (.., O):
 *   y  = x w^T + b
 *   dx = dy w,  dw = dy^T x,  db = sum of dy over all rows
 * where the leading dimensions of x together count rows. Computed in f32; y
 * has the dtype of x. */
#ifndef SL_OPS_LINEAR_H
#define SL_OPS_LINEAR_H

#include "ops/op.h"

#endif
