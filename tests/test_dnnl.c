/* test_dnnl.c -- the cache of oneDNN primitives: found again, bounded, safe
 * while in use; packing in parts; errors that say what was asked for. */
#include "cpu/dnnl.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "support.h"

static sl_conv_geometry geometry(int64_t n, int64_t c, int64_t o, int64_t k) {
  return (sl_conv_geometry){.n = n,
                            .h = 8,
                            .w = 8,
                            .c = c,
                            .o = o,
                            .kh = k,
                            .kw = k,
                            .oh = 8,
                            .ow = 8,
                            .stride = {1, 1},
                            .padding = {k / 2, k / 2},
                            .dilation = {1, 1},
                            .groups = 1};
}

static sl_dnnl_conv *get(sl_dnnl_kind kind, const sl_conv_geometry *g) {
  sl_dnnl_conv *p = NULL;
  ck_assert_msg(sl_dnnl_get(&p, kind, SL_DNNL_PLAIN, SL_F32, g) == SL_OK, "%s",
                sl_error());
  return p;
}

static int made(void) {
  int now, count;
  sl_dnnl_cache_count(&now, &count);
  return count;
}

static int cached(void) {
  int now, count;
  sl_dnnl_cache_count(&now, &count);
  return now;
}

START_TEST(found_again) {
  const sl_conv_geometry g = geometry(2, 16, 16, 3), h = geometry(3, 16, 16, 3);
  sl_dnnl_conv *a = get(SL_DNNL_FORWARD, &g);
  const int before = made();
  sl_dnnl_conv *b = get(SL_DNNL_FORWARD, &g);
  ck_assert(a == b);
  ck_assert_int_eq(made(), before);
  sl_dnnl_conv *c = get(SL_DNNL_DGRAD, &g), *d = get(SL_DNNL_FORWARD, &h);
  ck_assert(c != a && d != a);
  ck_assert_int_eq(made(), before + 2);
  sl_dnnl_conv *all[] = {a, b, c, d};
  for (int i = 0; i < 4; i++)
    sl_dnnl_release(all[i]);
}
END_TEST

/* The oldest go first; those in use stay, even past the limit. */
START_TEST(bounded) {
  sl_dnnl_cache_limit(4);
  const sl_conv_geometry first = geometry(1, 8, 8, 1);
  sl_dnnl_conv *held = get(SL_DNNL_FORWARD, &first);
  for (int n = 2; n < 12; n++) {
    const sl_conv_geometry g = geometry(n, 8, 8, 1);
    sl_dnnl_release(get(SL_DNNL_FORWARD, &g));
  }
  ck_assert_int_le(cached(), 4);
  const int before = made();
  ck_assert(get(SL_DNNL_FORWARD, &first) == held);
  ck_assert_int_eq(made(), before);
  const sl_conv_geometry newest = geometry(11, 8, 8, 1),
                         gone = geometry(2, 8, 8, 1);
  sl_dnnl_release(get(SL_DNNL_FORWARD, &newest));
  ck_assert_int_eq(made(), before);
  sl_dnnl_release(get(SL_DNNL_FORWARD, &gone));
  ck_assert_int_eq(made(), before + 1);
  sl_dnnl_release(held);
  sl_dnnl_release(held);
  sl_dnnl_cache_limit(0);
}
END_TEST

/* All parts of a weight are all of it: unpacking gives back what was packed,
 * where both directions use the same layout; and parts cover the channels. */
START_TEST(parts_cover_the_weight) {
  const int64_t sizes[] = {3, 64, 512, 704};
  const sl_conv_geometry g = geometry(2, 64, sizes[_i], 3);
  sl_dnnl_conv *p = get(SL_DNNL_WGRAD, &g);
  int64_t begin, end, next = 0;
  for (int i = 0; i < sl_dnnl_parts(p); i++) {
    sl_dnnl_part(p, i, &begin, &end);
    ck_assert_int_eq(begin, next);
    ck_assert_int_gt(end, begin);
    next = end;
  }
  ck_assert_int_eq(next, sizes[_i]);
  sl_dnnl_release(p);
}
END_TEST

/* An identity: a 1x1 convolution by the unit matrix, then its gradients. */
START_TEST(runs) {
  enum { C = 128, ROWS = 64 };
  const sl_conv_geometry g = geometry(1, C, C, 1);
  sl_dnnl_conv *p = get(SL_DNNL_FORWARD, &g);
  float *w = sl_alloc_data(C * C * sizeof *w);
  float *x = sl_alloc_data(ROWS * C * sizeof *x);
  float *y = sl_alloc_data(ROWS * C * sizeof *y);
  void *packed = sl_alloc_data(sl_dnnl_weight_bytes(p));
  void *scratch = sl_alloc_data(sl_dnnl_scratch_bytes(p));
  memset(w, 0, C * C * sizeof *w);
  for (int i = 0; i < C; i++)
    w[i * C + i] = 2;
  for (int i = 0; i < ROWS * C; i++)
    x[i] = (float)(i % 1013);
  const int was = sl_dnnl_enter();
  for (int i = 0; i < sl_dnnl_parts(p); i++)
    ck_assert_int_eq(sl_dnnl_pack(p, 0, i, w, packed, scratch), SL_OK);
  ck_assert_int_eq(sl_dnnl_run(p, 0, x, packed, NULL, y, scratch), SL_OK);
  sl_dnnl_leave(was);
  for (int i = 0; i < ROWS * C; i++)
    ck_assert(y[i] == 2 * x[i]);
  void *all[] = {w, x, y, packed, scratch};
  for (int i = 0; i < 5; i++)
    sl_free_data(all[i]);
  sl_dnnl_release(p);
}
END_TEST

START_TEST(refusals_say_what_was_asked) {
  sl_conv_geometry g = geometry(2, 16, 16, 3);
  g.oh = 99; /* does not follow from the other sizes */
  sl_dnnl_conv *p = NULL;
  ck_assert_int_eq(sl_dnnl_get(&p, SL_DNNL_WGRAD, SL_DNNL_PLAIN, SL_F32, &g),
                   SL_EINTERNAL);
  ck_assert(p == NULL);
  const char *want[] = {"cannot build the weight gradient of a 3x3",
                        "16 to 16 channels, f32, on x (2, 8, 8, 16)"};
  for (int i = 0; i < 2; i++)
    ck_assert_msg(strstr(sl_error(), want[i]) != NULL, "%s", sl_error());
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("dnnl", &tc);
  tcase_add_test(tc, found_again);
  tcase_add_test(tc, bounded);
  tcase_add_loop_test(tc, parts_cover_the_weight, 0, 4);
  tcase_add_test(tc, runs);
  tcase_add_test(tc, refusals_say_what_was_asked);
  return t_main(s);
}
