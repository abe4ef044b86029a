/* draw.c -- see draw.h. */
#include "augment/draw.h"

#include <math.h>

const sl_mat3 sl_mat3_identity = {{1, 0, 0, 0, 1, 0, 0, 0, 1}};

/* --- matrices ------------------------------------------------------------- */

sl_mat3 sl_mat3_mul(const sl_mat3 *a, const sl_mat3 *b) {
  sl_mat3 out = {{0}};
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++)
      for (int k = 0; k < 3; k++)
        out.m[3 * i + j] += a->m[3 * i + k] * b->m[3 * k + j];
  return out;
}

sl_mat3 sl_mat3_dihedral(int k) {
  static const struct {
    signed char xs, ys, keeps_axes;
  } table[8] = {{1, 1, 1},   {-1, 1, 1}, {1, -1, 1}, {-1, 1, 0},
                {-1, -1, 1}, {1, -1, 0}, {1, 1, 0},  {-1, -1, 0}};
  const double x = table[k].xs, y = table[k].ys;
  if (table[k].keeps_axes) return (sl_mat3){{x, 0, 0, 0, y, 0, 0, 0, 1}};
  return (sl_mat3){{0, x, 0, y, 0, 0, 0, 0, 1}};
}

sl_mat3 sl_mat3_rotate(double degrees) {
  const double angle = degrees * (3.14159265358979323846 / 180);
  const double c = cos(angle), s = sin(angle);
  return (sl_mat3){{c, s, 0, -s, c, 0, 0, 0, 1}};
}

sl_mat3 sl_mat3_zoom(double zoom, double col, double row) {
  const double s = 1 / zoom;
  return (sl_mat3){
      {s, 0, (1 - s) * (2 * col - 1), 0, s, (1 - s) * (2 * row - 1), 0, 0, 1}};
}

sl_mat3 sl_mat3_prepare(const sl_mat3 *a, int64_t h, int64_t w) {
  sl_mat3 out = *a;
  out.m[1] *= (double)h / (double)w;
  out.m[3] *= (double)w / (double)h;
  return out;
}

/* --- perspective ---------------------------------------------------------- */

enum { UNKNOWNS = 8 };

/* Solves rows of 8 coefficients and a right side, by elimination with
 * pivoting. The four corners are never three on a line, so a pivot is never
 * zero. */
static void solve(double a[UNKNOWNS][UNKNOWNS + 1], double *x) {
  for (int k = 0; k < UNKNOWNS; k++) {
    int best = k;
    for (int i = k + 1; i < UNKNOWNS; i++)
      if (fabs(a[i][k]) > fabs(a[best][k])) best = i;
    for (int j = 0; j <= UNKNOWNS; j++) {
      const double keep = a[k][j];
      a[k][j] = a[best][j];
      a[best][j] = keep;
    }
    for (int i = k + 1; i < UNKNOWNS; i++) {
      const double f = a[i][k] / a[k][k];
      for (int j = k; j <= UNKNOWNS; j++)
        a[i][j] -= f * a[k][j];
    }
  }
  for (int k = UNKNOWNS - 1; k >= 0; k--) {
    x[k] = a[k][UNKNOWNS];
    for (int j = k + 1; j < UNKNOWNS; j++)
      x[k] -= a[k][j] * x[j];
    x[k] /= a[k][k];
  }
}

/* Each corner gives two equations,
 *   (h0 tx + h1 ty + h2) / (h6 tx + h7 ty + 1) = ox   and likewise oy. */
sl_mat3 sl_mat3_warp(double mx, double my) {
  if (mx == 0 && my == 0) return sl_mat3_identity;
  const double from[4][2] = {{-1, -1}, {-1, 1}, {1, -1}, {1, 1}};
  const double to[4][2] = {{-1 - my, -1 - mx},
                           {-1 + my, 1 + mx},
                           {1 + my, -1 + mx},
                           {1 - my, 1 - mx}};
  double a[UNKNOWNS][UNKNOWNS + 1] = {{0}};
  for (int i = 0; i < 4; i++)
    for (int axis = 0; axis < 2; axis++) {
      double *row = a[2 * i + axis];
      const double x = to[i][0], y = to[i][1], o = from[i][axis];
      row[3 * axis] = x;
      row[3 * axis + 1] = y;
      row[3 * axis + 2] = 1;
      row[6] = -o * x;
      row[7] = -o * y;
      row[8] = o;
    }
  sl_mat3 h = sl_mat3_identity;
  solve(a, h.m);
  return h;
}

/* Corners are enough: a homography keeps lines straight. */
void sl_mat3_extent(const sl_mat3 *a, int64_t oh, int64_t ow, int align_corners,
                    double *lo, double *hi) {
  const double x = align_corners ? 1 : 1 - 1 / (double)ow;
  const double y = align_corners ? 1 : 1 - 1 / (double)oh;
  for (int i = 0; i < 4; i++) {
    const double cx = i & 1 ? x : -x, cy = i & 2 ? y : -y;
    const double d = a->m[6] * cx + a->m[7] * cy + a->m[8];
    for (int axis = 0; axis < 2; axis++) {
      const double *row = a->m + 3 * axis;
      const double v = (row[0] * cx + row[1] * cy + row[2]) / d;
      *lo = fmin(*lo, v);
      *hi = fmax(*hi, v);
    }
  }
}

/* --- boxes ---------------------------------------------------------------- */

static double between(double lo, double hi, double u) {
  return lo + (hi - lo) * u;
}

static double ratio_low(const sl_crop_opts *o) {
  return o->ratio.n > 0 ? o->ratio.v[0] : 3.0 / 4;
}

static double ratio_high(const sl_crop_opts *o) {
  return o->ratio.n > 0 ? o->ratio.v[o->ratio.n - 1] : 4.0 / 3;
}

int sl_crop_try(const sl_crop_opts *o, int64_t h, int64_t w, double u_area,
                double u_ratio, sl_box *box) {
  const double area =
      between(o->min_scale, o->max_scale, u_area) * (double)w * (double)h;
  const double ratio =
      exp(between(log(ratio_low(o)), log(ratio_high(o)), u_ratio));
  box->w = (int64_t)nearbyint(sqrt(area * ratio));
  box->h = (int64_t)nearbyint(sqrt(area / ratio));
  return box->w <= w && box->h <= h && box->w > 0 && box->h > 0;
}

static sl_box centred(int64_t h, int64_t w, int64_t ch, int64_t cw) {
  ch = ch > 0 ? ch : 1;
  cw = cw > 0 ? cw : 1;
  return (sl_box){(h - ch) / 2, (w - cw) / 2, ch, cw};
}

/* The largest part in the middle whose shape is allowed, its sides scaled. */
static sl_box middle(const sl_crop_opts *o, int64_t h, int64_t w,
                     double scale) {
  const double shape = (double)w / (double)h;
  int64_t ch = h, cw = w;
  if (shape < ratio_low(o))
    ch = (int64_t)((double)w / ratio_low(o));
  else if (shape > ratio_high(o))
    cw = (int64_t)((double)h * ratio_high(o));
  if (scale != 1) {
    ch = (int64_t)((double)ch * scale);
    cw = (int64_t)((double)cw * scale);
  }
  return centred(h, w, ch, cw);
}

sl_box sl_crop_draw(const sl_crop_opts *o, int64_t h, int64_t w, sl_rng *r) {
  for (int tries = 0; tries < 10; tries++) {
    const double u_area = sl_rng_uniform64(r), u_ratio = sl_rng_uniform64(r);
    sl_box box;
    if (!sl_crop_try(o, h, w, u_area, u_ratio, &box)) continue;
    box.top = sl_rng_below(r, h - box.h + 1);
    box.left = sl_rng_below(r, w - box.w + 1);
    return box;
  }
  return middle(o, h, w, 1);
}

sl_box sl_crop_valid(const sl_crop_opts *o, int64_t h, int64_t w) {
  return middle(o, h, w, o->valid_scale);
}

static int64_t place(int64_t size, int64_t bound, double u) {
  const int64_t room = size > bound ? size - bound : 0;
  return (int64_t)(u * (double)(room + 1));
}

sl_box sl_erasing_box(const sl_erasing_opts *o, int64_t h, int64_t w,
                      int64_t count, double u_area, double u_aspect,
                      double u_top, double u_left) {
  const double share = (double)h * (double)w / (double)count;
  const double area = between(o->sl, o->sh, u_area) * share;
  const double edge = log(o->min_aspect);
  const double aspect = exp(between(edge, -edge, u_aspect));
  const int64_t bh = (int64_t)nearbyint(sqrt(area * aspect));
  const int64_t bw = (int64_t)nearbyint(sqrt(area / aspect));
  return (sl_box){place(h, bh, u_top), place(w, bw, u_left), bh, bw};
}

/* --- light ---------------------------------------------------------------- */

double sl_brightness_term(double b) {
  return -log(1 / b - 1);
}

double sl_light_factor(double amount, double u) {
  const double edge = log(1 - amount);
  return exp(between(edge, -edge, u));
}
