/* test_matmul.c -- gemm and matmul against plain loops in double. */
#include <math.h>
#include <stdlib.h>

#include "base/threads.h"
#include "cpu/gemm.h"
#include "support.h"

/* --- gemm ----------------------------------------------------------------- */

typedef struct problem {
  int m, n, k;
} problem;

static const problem problems[] = {
    {1, 1, 1},   {3, 5, 7}, {64, 10, 128}, {10, 200, 64},
    {33, 17, 0}, {0, 4, 3}, {1, 300, 300}, {129, 65, 33},
};
enum { N_PROBLEMS = sizeof problems / sizeof *problems };

static void check_gemm(const problem *p, int ta, int tb, float beta) {
  const int pad =
      3; /* rows of all three lie further apart than they are long */
  const int lda = (ta ? p->m : p->k) + pad, ldb = (tb ? p->k : p->n) + pad;
  const int ldc = p->n + pad;
  sl_tensor *a = t_random(1, -1, 1, 2, ta ? p->k : p->m, lda);
  sl_tensor *b = t_random(2, -1, 1, 2, tb ? p->n : p->k, ldb);
  sl_tensor *c = t_random(3, -1, 1, 2, p->m, ldc), *was = NULL;
  ck_assert_int_eq(sl_tensor_copy(&was, c, &sl_cpu, SL_F32), SL_OK);
  const float *x = sl_f32(a), *y = sl_f32(b);
  ck_assert_int_eq(sl_cpu_gemm(ta, tb, p->m, p->n, p->k, x, lda, y, ldb, beta,
                               sl_f32(c), ldc),
                   SL_OK);
  for (int i = 0; i < p->m; i++)
    for (int j = 0; j < ldc; j++) {
      double want = (double)sl_f32(was)[i * ldc + j];
      if (j < p->n) want *= (double)beta;
      for (int l = 0; l < p->k && j < p->n; l++)
        want += (double)x[ta ? l * lda + i : i * lda + l] *
                (double)y[tb ? j * ldb + l : l * ldb + j];
      ck_assert_double_eq_tol((double)sl_f32(c)[i * ldc + j], want, 1e-4);
    }
  sl_tensor_release(a);
  sl_tensor_release(b);
  sl_tensor_release(c);
  sl_tensor_release(was);
}

START_TEST(gemm) {
  for (int t = 0; t < 8; t++)
    check_gemm(&problems[_i], t & 1, t >> 1 & 1, (float)(t >> 2));
}
END_TEST

/* --- matmul --------------------------------------------------------------- */

typedef struct shapes {
  int a_rank, a[4], b_rank, b[4], y_rank, y[4];
} shapes;

static const shapes products[] = {
    {2, {2, 3}, 2, {3, 4}, 2, {2, 4}},
    {1, {3}, 1, {3}, 0, {0}},
    {1, {3}, 2, {3, 4}, 1, {4}},
    {2, {2, 3}, 1, {3}, 1, {2}},
    {3, {5, 2, 3}, 3, {5, 3, 4}, 3, {5, 2, 4}},
    {3, {5, 2, 3}, 2, {3, 4}, 3, {5, 2, 4}},
    {2, {2, 3}, 3, {5, 3, 4}, 3, {5, 2, 4}},
    {4, {2, 1, 2, 3}, 3, {3, 3, 2}, 4, {2, 3, 2, 2}},
    {4, {2, 3, 2, 1}, 4, {1, 3, 1, 2}, 4, {2, 3, 2, 2}},
    {1, {3}, 3, {4, 3, 2}, 2, {4, 2}},
    {3, {4, 2, 3}, 1, {3}, 2, {4, 2}},
    {3, {4, 2, 3}, 3, {1, 3, 2}, 3, {4, 2, 2}},
};
enum { N_PRODUCTS = sizeof products / sizeof *products };

static sl_tensor *random_of(unsigned seed, int rank, const int *s) {
  return t_random(seed, -1, 1, rank, s[0], s[1], s[2], s[3]);
}

/* Every element of y by its index, following PyTorch's rules literally. */
static double product_at(const shapes *s, const float *a, const float *b,
                         int64_t at) {
  const int m = s->a_rank > 1 ? s->a[s->a_rank - 2] : 1;
  const int k = s->a[s->a_rank - 1];
  const int n = s->b_rank > 1 ? s->b[s->b_rank - 1] : 1;
  const int64_t j = at % n, i = at / n % m;
  int64_t rest = at / n / m, a_at = 0, b_at = 0, a_size = 1, b_size = 1;
  const int lead = s->y_rank - (s->a_rank > 1) - (s->b_rank > 1);
  for (int d = lead - 1; d >= 0; d--) {
    const int64_t index = rest % s->y[d];
    const int da = d - lead + s->a_rank - 2, db = d - lead + s->b_rank - 2;
    rest /= s->y[d];
    if (s->a_rank > 2 && da >= 0) {
      a_at += (s->a[da] == 1 ? 0 : index) * a_size;
      a_size *= s->a[da];
    }
    if (s->b_rank > 2 && db >= 0) {
      b_at += (s->b[db] == 1 ? 0 : index) * b_size;
      b_size *= s->b[db];
    }
  }
  double sum = 0;
  for (int64_t l = 0; l < k; l++)
    sum +=
        (double)a[(a_at * m + i) * k + l] * (double)b[(b_at * k + l) * n + j];
  return sum;
}

START_TEST(matmul) {
  const shapes *s = &products[_i];
  sl_tensor *in[] = {random_of(1, s->a_rank, s->a),
                     random_of(2, s->b_rank, s->b)};
  sl_tensor *y = t_run_in(SL_OP_matmul, NULL, in, 2);
  ck_assert_int_eq(y->rank, s->y_rank);
  for (int d = 0; d < y->rank; d++)
    ck_assert_int_eq(y->shape[d], s->y[d]);
  for (int64_t i = 0; i < sl_tensor_count(y); i++)
    ck_assert_double_eq_tol((double)sl_f32(y)[i],
                            product_at(s, sl_f32(in[0]), sl_f32(in[1]), i),
                            1e-5);
  t_gradcheck(SL_OP_matmul, in, 2, NULL, 0, 1e-2, 1e-3);
  t_gradcheck(SL_OP_matmul, in, 2, NULL, 1, 1e-2, 1e-3);
  sl_tensor_release(y);
  sl_tensor_release(in[0]);
  sl_tensor_release(in[1]);
}
END_TEST

/* x x^T: the same tensor twice, its gradients add up; and a transposed view. */
START_TEST(square_of_one_tensor) {
  sl_tensor *x = t_random(3, -1, 1, 2, 3, 3);
  sl_tensor *in[] = {x, x};
  t_gradcheck(SL_OP_matmul, in, 2, NULL, 0, 1e-2, 1e-3);
  sl_tensor_release(x);
}
END_TEST

START_TEST(nothing_to_multiply) {
  sl_tensor *a = t_random(1, -1, 1, 3, 1, 2, 3),
            *b = t_zeros(SL_F32, 3, 0, 3, 4);
  sl_tensor *seed = t_zeros(SL_F32, 3, 0, 2, 4);
  ck_assert_int_eq(sl_require_grad(a, 1), SL_OK);
  sl_tensor *y = t_run(SL_OP_matmul, NULL, 2, a, b);
  ck_assert_int_eq(sl_tensor_count(y), 0);
  ck_assert_int_eq(sl_backward(y, seed), SL_OK);
  t_close(sl_grad(a), (const float[6]){0}, 6, 0);
  sl_tensor_release(y);
  sl_tensor *c = t_zeros(SL_F32, 2, 2, 0), *d = t_zeros(SL_F32, 2, 0, 3);
  y = t_run(SL_OP_matmul, NULL, 2, c, d); /* sums of no products */
  t_close(y, (const float[6]){0}, 6, 0);
  sl_tensor *all[] = {a, b, c, d, y, seed};
  for (int i = 0; i < 6; i++)
    sl_tensor_release(all[i]);
}
END_TEST

START_TEST(matmul_errors) {
  sl_tensor *a = t_zeros(SL_F32, 2, 2, 3), *b = t_zeros(SL_F32, 2, 2, 3);
  sl_tensor *i = t_zeros(SL_I32, 2, 3, 2), *s = t_zeros(SL_F32, 0);
  sl_tensor *p = t_zeros(SL_F32, 3, 2, 3, 3), *q = t_zeros(SL_F32, 3, 4, 3, 3);
  t_fails("rows of 3 elements but columns of 2", SL_OP_matmul, NULL, 2, a, b);
  t_fails("b must be f32 or bf16 (.., K, N), not i32", SL_OP_matmul, NULL, 2, a,
          i);
  t_fails("a must be f32 or bf16 (.., M, K)", SL_OP_matmul, NULL, 2, s, a);
  t_fails("2 ~= 4 matrices", SL_OP_matmul, NULL, 2, p, q);
  sl_tensor *all[] = {a, b, i, s, p, q};
  for (int k = 0; k < 6; k++)
    sl_tensor_release(all[k]);
}
END_TEST

/* Products large enough to be shared by workers, on more than there are. */
START_TEST(many_threads) {
  ck_assert_int_eq(sl_pool_resize(5), SL_OK);
  const problem big[] = {{200, 90, 70}, {7, 900, 130}};
  for (int i = 0; i < 2; i++)
    check_gemm(&big[i], i, 1 - i, 1);
  const shapes s = {3, {9, 4, 3}, 3, {9, 3, 5}, 3, {9, 4, 5}};
  sl_tensor *in[] = {random_of(1, 3, s.a), random_of(2, 3, s.b)};
  sl_tensor *y = t_run_in(SL_OP_matmul, NULL, in, 2);
  for (int64_t i = 0; i < sl_tensor_count(y); i++)
    ck_assert_double_eq_tol((double)sl_f32(y)[i],
                            product_at(&s, sl_f32(in[0]), sl_f32(in[1]), i),
                            1e-5);
  t_gradcheck(SL_OP_matmul, in, 2, NULL, 1, 1e-2, 1e-3);
  sl_tensor_release(y);
  sl_tensor_release(in[0]);
  sl_tensor_release(in[1]);
  ck_assert_int_eq(sl_pool_resize(0), SL_OK);
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("matmul", &tc);
  tcase_add_loop_test(tc, gemm, 0, N_PROBLEMS);
  tcase_add_loop_test(tc, matmul, 0, N_PRODUCTS);
  tcase_add_test(tc, square_of_one_tensor);
  tcase_add_test(tc, nothing_to_multiply);
  tcase_add_test(tc, matmul_errors);
  tcase_add_test(tc, many_threads);
  return t_main(s);
}
