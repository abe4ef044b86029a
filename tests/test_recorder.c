/* test_recorder.c -- smoothed loss, means, table, history.csv, progress line,
 * metrics: recorder.json, lr_find.json (fastai 2.8). */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "golden.h"
#include "support.h"
#include "train/metrics.h"
#include "train/progress.h"
#include "train/table.h"

START_TEST(smoothed_loss) {
  /* In float32 there (to 1e-6), in double in lr_find.json. */
  json_t *all = t_golden("recorder.json"), *losses = t_member(all, "losses");
  json_t *want = t_member(all, "smooth_beta0.98");
  sl_smooth s = sl_smooth_new(0.98);
  ck_assert(isnan(s.shown));
  for (size_t i = 0; i < json_array_size(losses); i++) {
    sl_smooth_add(&s, t_at(losses, i));
    ck_assert_double_eq_tol(s.shown, t_at(want, i), 3e-6);
  }
  json_decref(all);
  all = t_golden("lr_find.json");
  s = sl_smooth_new(0.98);
  losses = t_member(all, "raw_loss");
  want = t_member(all, "smooth_loss");
  for (size_t i = 0; i < json_array_size(losses); i++) {
    sl_smooth_add(&s, t_at(losses, i));
    ck_assert_double_eq_tol(s.shown, t_at(want, i), 1e-12);
  }
  json_decref(all);
}
END_TEST

START_TEST(means_over_items) {
  json_t *all = t_golden("recorder.json"), *c = t_member(all, "avg_metric");
  sl_mean m = {0, 0};
  ck_assert(isnan(sl_mean_value(&m)));
  for (size_t i = 0; i < 3; i++)
    sl_mean_add(&m, t_at(t_member(c, "batch_values"), i),
                t_at(t_member(c, "batch_sizes"), i));
  ck_assert_double_eq(sl_mean_value(&m),
                      json_number_value(t_member(c, "value")));
  json_decref(all);
}
END_TEST

START_TEST(times) {
  json_t *all = t_golden("recorder.json"), *v;
  const char *key;
  char text[32];
  json_object_foreach(t_member(all, "format_time"), key, v) {
    sl_format_time(atof(key), text, sizeof text);
    ck_assert_str_eq(text, json_string_value(v));
  }
  json_decref(all);
}
END_TEST

START_TEST(exact_numbers) { /* as Python's repr() */
  static const struct {
    double x;
    const char *text;
  } cases[] = {{0.1, "0.1"},
               {1, "1.0"},
               {1e-7, "1e-07"},
               {1.0 / 3, "0.3333333333333333"},
               {1.5834027528762817, "1.5834027528762817"},
               {-2.5, "-2.5"},
               {(double)INFINITY, "inf"},
               {(double)NAN, "nan"}};
  char text[32];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    sl_format_exact(cases[i].x, text, sizeof text);
    ck_assert_str_eq(text, cases[i].text);
  }
}
END_TEST

static const sl_recorder two_metrics = {
    .n_metrics = 2, .metric_names = {"accuracy", "top_k_accuracy"}};
static const sl_row rows[] = {
    {0, 1, 1, 1.583403, 2.064317, {0.40179, 0.9}, 63.9, 0},
    {1, 1, 0, 12.5, 0, {0.5, 1}, 3602, 0},
};

START_TEST(table) {
  json_t *all = t_golden("recorder.json"),
         *want = t_member(all, "console_table");
  char line[256];
  sl_table_header(&two_metrics, line, sizeof line);
  ck_assert_str_eq(line, json_string_value(json_array_get(want, 0)));
  sl_table_row(&two_metrics, &rows[0], line, sizeof line);
  ck_assert_str_eq(line, json_string_value(json_array_get(want, 1)));
  /* The vector has metrics without a validation loss, which a row of ours
   * cannot have: both are None here. */
  sl_table_row(&two_metrics, &rows[1], line, sizeof line);
  ck_assert_str_eq(line, "1         12.500000   None        None      None     "
                         "       1:00:02   ");
  json_decref(all);
}
END_TEST

static void read_all(const char *path, char *text, size_t size) {
  FILE *f = fopen(path, "r");
  ck_assert_ptr_nonnull(f);
  text[fread(text, 1, size - 1, f)] = 0;
  fclose(f);
}

START_TEST(history) {
  json_t *all = t_golden("recorder.json");
  char path[] = "/tmp/sl_history_XXXXXX", text[512], want[512];
  close(mkstemp(path));
  const sl_recorder r = {.n_metrics = 1, .metric_names = {"accuracy"}};
  const sl_row row = {
      0,  1, 1, 1.5834027528762817, 2.064317464828491, {0.4017922580242157},
      63, 0};
  sl_history h;
  ck_assert_int_eq(sl_history_open(&h, path, 0, &r), SL_OK);
  ck_assert_int_eq(sl_history_add(&h, &r, &row), SL_OK);
  snprintf(want, sizeof want, "epoch,train_loss,valid_loss,accuracy,time\n%s\n",
           json_string_value(t_member(all, "csv_row_example")));
  read_all(path, text, sizeof text); /* before it is closed */
  ck_assert_str_eq(text, want);
  sl_history_close(&h);
  ck_assert_int_eq(sl_history_open(&h, path, 1, &r), SL_OK);
  sl_history_close(&h);
  sl_history_close(&h);
  read_all(path, text, sizeof text);
  ck_assert_str_eq(text, want);
  ck_assert_int_eq(sl_history_open(&h, "/nowhere/history.csv", 0, &r), SL_EIO);
  ck_assert_ptr_nonnull(strstr(sl_error(), "/nowhere/history.csv: No such"));
  ck_assert_int_eq(sl_history_open(&h, "/dev/full", 0, &r), SL_EIO);
  ck_assert_ptr_nonnull(strstr(sl_error(), "/dev/full: No space left"));
  unlink(path);
  json_decref(all);
}
END_TEST

static char logged[512];
static void keep_line(sl_log_level level, const char *line) {
  ck_assert_int_eq(level, SL_LOG_WARN);
  snprintf(logged, sizeof logged, "%s", line);
}

/* Rows that do not fit wait, and follow; no half of one is in the file. */
START_TEST(history_of_a_full_disk) {
  char path[] = "/tmp/sl_history_XXXXXX", text[512];
  close(mkstemp(path));
  const sl_recorder r = {0};
  const sl_row row = {.epoch = 7};
  struct rlimit whole, small;
  getrlimit(RLIMIT_FSIZE, &whole);
  small = whole;
  sl_history h;
  ck_assert_int_eq(sl_history_open(&h, path, 0, &r), SL_OK);
  const size_t header = strlen("epoch,train_loss,valid_loss,time\n");
  small.rlim_cur = header + 3;
  signal(SIGXFSZ, SIG_IGN);
  sl_log_set_sink(keep_line);
  setrlimit(RLIMIT_FSIZE, &small);
  ck_assert_int_eq(sl_history_add(&h, &r, &row), SL_OK);
  ck_assert_int_eq(sl_history_add(&h, &r, &row), SL_OK);
  setrlimit(RLIMIT_FSIZE, &whole);
  read_all(path, text, sizeof text);
  ck_assert_uint_eq(strlen(text), header);
  ck_assert_ptr_nonnull(strstr(logged, "training goes on"));
  ck_assert_uint_eq(sl_grow_size(&h.file),
                    header + 2 * strlen("7,None,None,00:00\n"));
  ck_assert_int_eq(sl_grow_read(&h.file, text), SL_OK);
  sl_history_close(&h);
  ck_assert_ptr_nonnull(strstr(logged, "written again"));
  sl_log_set_sink(NULL);
  read_all(path, text, sizeof text);
  ck_assert_str_eq(text + header, "7,None,None,00:00\n7,None,None,00:00\n");
  ck_assert_int_eq(truncate(path, (off_t)strlen(text) - 1), 0);
  ck_assert_int_eq(sl_history_open(&h, path, 1, &r), SL_OK);
  ck_assert_int_eq(sl_history_add(&h, &r, &row), SL_OK);
  sl_history_close(&h); /* a last line without its end was ended */
  read_all(path, text, sizeof text);
  ck_assert_str_eq(text + header,
                   "7,None,None,00:00\n7,None,None,00:00\n7,None,None,00:00\n");
  unlink(path);
}
END_TEST

START_TEST(progress_line) {
  sl_progress p = sl_progress_new();
  char line[1024];
  p.plain = 1;
  sl_progress_start(&p, "train 3/5", 200, "img");
  p.done = 50;
  p.items = 3200;
  p.loss = 1.23456;
  p.waited = 1;
  sl_progress_text(&p, 40, 200, line, sizeof line);
  ck_assert_str_eq(line, "train 3/5  25% #######-----------------------  50/200"
                         "  80 img/s  ETA 02:00  loss 1.2346  wait 2%");
  for (int width = 1; width < 120; width++) {
    sl_progress_text(&p, 40, width, line, sizeof line);
    ck_assert_int_le((int)strlen(line), width > 15 ? width : 15);
  }
  sl_progress_start(&p, "model.tgz", 0, "B");
  p.items = 3500000;
  sl_progress_text(&p, 2, 80, line, sizeof line);
  ck_assert_str_eq(line, "model.tgz  3.5 MB  1.8 MB/s");
  sl_progress_start(&p, "unpacking", 40000000, "B");
  p.done = p.items = 10000000;
  sl_progress_text(&p, 2, 80, line, sizeof line);
  ck_assert_str_eq(line, "unpacking  25% #######-----------------------"
                         "  10.0/40.0 MB  5.0 MB/s  ETA 00:06");
  sl_progress_start(&p, "finding files", 0, "files");
  p.items = 3000;
  sl_progress_text(&p, 2, 80, line, sizeof line);
  ck_assert_str_eq(line, "finding files  3000 files  1500 files/s");
}
END_TEST

START_TEST(progress_draws_seldom_and_cleans_up) {
  char text[4096] = "";
  FILE *f = tmpfile();
  sl_progress p = sl_progress_new();
  p.to = f;
  p.width = 60;
  p.every = 3600;
  sl_progress_start(&p, "x", 10, "img");
  for (int i = 1; i <= 10; i++)
    sl_progress_update(&p, i, i);
  sl_progress_clear(&p);
  sl_progress_clear(&p);
  rewind(f);
  text[fread(text, 1, sizeof text - 1, f)] = 0;
  fclose(f);
  int drawn = 0;
  for (const char *c = text; *c; c++)
    drawn += *c == '\r';
  ck_assert_int_eq(drawn, 2); /* one line, one wiping */
  ck_assert_str_eq(text + strlen(text) - 4, "\r\033[K");
}
END_TEST

START_TEST(counting) {
  const float z[] = {1, 3, 2, 0, 5, 5, 1, 1, NAN, 0, 9, 1};
  const int32_t y[] = {2, 3, 1, 4}, high[] = {2, 3, 1, 5};
  const float soft[] = {0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
  sl_tensor *pred = t_f32(z, 2, 3L, 4L), *targ = t_i32(y, 1, 3L);
  sl_tensor *dist = t_f32(soft, 2, 3L, 4L);
  int64_t hits = 0, n = 0;
  /* row 1: class 2. Row 2: 5 5 1 1, class 3 is third. Row 3: NaN is first. */
  ck_assert_int_eq(sl_count_top_k(pred, targ, 1, &hits, &n), SL_OK);
  ck_assert_int_eq(hits, 2);
  ck_assert_int_eq(n, 3);
  ck_assert_int_eq(sl_count_top_k(pred, targ, 2, &hits, &n), SL_OK);
  ck_assert_int_eq(hits, 2);
  ck_assert_int_eq(sl_count_top_k(pred, targ, 3, &hits, &n), SL_OK);
  ck_assert_int_eq(hits, 3);
  ck_assert_int_eq(sl_count_top_k(pred, dist, 1, &hits, &n), SL_OK);
  ck_assert_int_eq(hits, 1);
  ck_assert_int_eq(sl_count_multi(pred, dist, 0.5, 1, &hits, &n), SL_OK);
  ck_assert_int_eq(n, 12);
  sl_tensor *four = t_i32(high, 1, 4L), *pred4 = t_random(1, 0, 1, 2, 4L, 4L);
  ck_assert_int_eq(sl_count_top_k(pred, four, 1, &hits, &n), SL_ESHAPE);
  ck_assert_int_eq(sl_count_top_k(pred4, four, 1, &hits, &n), SL_EINVAL);
  ck_assert_ptr_nonnull(strstr(sl_error(), "class 5 of row 4 is not in 1..4"));
  sl_tensor *const all[] = {pred, targ, dist, four, pred4};
  for (int i = 0; i < 5; i++)
    sl_tensor_release(all[i]);
}
END_TEST

int main(void) {
  TCase *tc;
  Suite *s = t_suite("recorder", &tc);
  tcase_add_test(tc, smoothed_loss);
  tcase_add_test(tc, means_over_items);
  tcase_add_test(tc, times);
  tcase_add_test(tc, exact_numbers);
  tcase_add_test(tc, table);
  tcase_add_test(tc, history);
  tcase_add_test(tc, history_of_a_full_disk);
  tcase_add_test(tc, progress_line);
  tcase_add_test(tc, progress_draws_seldom_and_cleans_up);
  tcase_add_test(tc, counting);
  return t_main(s);
}
