/* slua_histogram.c -- histogram(t, {bins = 40, low = 0, high = 10}) -> i32
 * (bins): how many elements are in each of the equal parts of [low, high]. */
#include "base/alloc.h"
#include "lua/slua.h"
#include "tensor/histogram.h"

enum { MOST_BINS = 1 << 20 };

typedef struct histogram_opts {
  int64_t bins;
  double low, high;
} histogram_opts;

static const sl_option options[] = {
    SL_OPT_INT(histogram_opts, bins, 40, 1, MOST_BINS, "equal parts"),
    SL_OPT_FLOAT(histogram_opts, low, 0, -1e38, 1e38, "where they begin"),
    SL_OPT_FLOAT(histogram_opts, high, 10, -1e38, 1e38, "where they end"),
    SL_OPT_END,
};

static sl_status count(sl_tensor *t, const histogram_opts *o, sl_tensor **out) {
  SL_REQUIRE(o->low < o->high, SL_EINVAL, "low = %g must be below high = %g",
             o->low, o->high);
  int64_t *counts = sl_alloc((size_t)o->bins, sizeof *counts);
  int32_t *small = sl_alloc((size_t)o->bins, sizeof *small);
  sl_status status = SL_OK;
  if (!counts || !small) status = sl_fail(SL_ENOMEM, "not enough memory");
  if (status == SL_OK)
    status = sl_tensor_histogram(t, o->low, o->high, o->bins, counts);
  for (int64_t i = 0; status == SL_OK && i < o->bins; i++)
    small[i] = counts[i] < INT32_MAX ? (int32_t)counts[i] : INT32_MAX;
  if (status == SL_OK)
    status =
        sl_tensor_from(out, t->backend, SL_I32, 1, &(int64_t){o->bins}, small);
  sl_free(small);
  sl_free(counts);
  return status;
}

static int histogram(lua_State *L) {
  histogram_opts o;
  slua_checktensor(L, 1);
  slua_check_options(L, 2, options, &o, sizeof o, "histogram");
  slua_box *box = slua_newbox(L);
  slua_check(L, count(slua_checktensor(L, 1), &o, &box->t), "histogram");
  return 1;
}

int slua_open_histogram(lua_State *L);
int slua_open_histogram(lua_State *L) {
  lua_pushcfunction(L, histogram);
  lua_setfield(L, -2, "histogram");
  return 0;
}
