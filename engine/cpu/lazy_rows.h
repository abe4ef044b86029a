/* lazy_rows.h -- rows that a kernel normalises as it reads them:
 * value * scale + shift of its channel, and relu of that. */
#ifndef SL_CPU_LAZY_ROWS_H
#define SL_CPU_LAZY_ROWS_H

typedef struct sl_lazy_rows {
  const void *rows;
  const float *scale, *shift; /* scale NULL: rows are taken as they are */
  int relu;
} sl_lazy_rows;

#endif
