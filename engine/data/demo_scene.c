/* demo_scene.c -- see demo_scene.h.
 *
 * pixel = (back or front colour, each a gradient) * light + noise; the form's
 * distance decides how much of the pixel is front. */
#include "data/demo_scene.h"

#include <math.h>

enum { GRID = 6 }; /* points of a random field along each side */

/* A colour that changes along a direction of the picture. */
typedef struct paint {
  float from[3], to[3], dx, dy;
} paint;

/* Smooth random values in [-1, 1] over the picture. */
typedef struct field {
  float at[GRID][GRID];
} field;

typedef struct scene {
  int h, w;
  sl_demo_distance *distance;
  sl_demo_form form;
  float x, y, radius, cos, sin, flip; /* the object, in pixels */
  paint back, front;
  field stain, light;
  float stains, shade, noise; /* how strong they are */
} scene;

/* --- drawing lots --------------------------------------------------------- */

static float between(sl_rng *r, float lo, float hi) {
  return lo + (hi - lo) * sl_rng_uniform(r);
}

static float sign(sl_rng *r) {
  return sl_rng_uniform(r) < 0.5f ? -1 : 1;
}

/* Any hue at the given lightness: the weighted sum of its parts is 0. */
static void draw_colour(sl_rng *r, float lightness, float *rgb) {
  float tint[3], grey = 0;
  static const float weight[3] = {0.3f, 0.59f, 0.11f};
  for (int c = 0; c < 3; c++)
    grey += weight[c] * (tint[c] = between(r, -1, 1));
  const float strength = between(r, 0, 0.45f);
  for (int c = 0; c < 3; c++)
    rgb[c] = lightness + strength * (tint[c] - grey);
}

static void draw_paint(sl_rng *r, float lightness, float change, paint *p) {
  const float angle = between(r, 0, 6.2831853f);
  float other[3];
  draw_colour(r, lightness, p->from);
  draw_colour(r, lightness + between(r, -change, change), other);
  const float t = between(r, 0, 0.6f);
  for (int c = 0; c < 3; c++)
    p->to[c] = p->from[c] + (other[c] - p->from[c]) * t;
  p->dx = cosf(angle);
  p->dy = sinf(angle);
}

static void draw_field(sl_rng *r, field *f) {
  for (int i = 0; i < GRID; i++)
    for (int j = 0; j < GRID; j++)
      f->at[i][j] = between(r, -1, 1);
}

static void draw_object(sl_rng *r, scene *s) {
  const float side = (float)(s->h < s->w ? s->h : s->w);
  const float angle = between(r, -0.45f, 0.45f); /* some 25 degrees */
  s->radius = side * between(r, 0.32f, 0.46f);
  const float spare_x = (float)s->w / 2 - s->radius * 0.85f;
  const float spare_y = (float)s->h / 2 - s->radius * 0.85f;
  s->x = (float)s->w / 2 + spare_x * between(r, -1, 1) * 0.5f;
  s->y = (float)s->h / 2 + spare_y * between(r, -1, 1) * 0.5f;
  s->cos = cosf(angle);
  s->sin = sinf(angle);
  s->flip = sign(r);
  s->form.thickness = sl_rng_uniform(r);
  s->form.period = sl_rng_uniform(r);
  s->form.outline = sl_rng_uniform(r);
}

static void draw_size(sl_rng *r, scene *s) {
  const int shorter = 96 + (int)sl_rng_below(r, 65);
  const int longer = (int)((float)shorter * between(r, 1, 1.4f));
  const int wide = sign(r) > 0;
  s->h = wide ? shorter : longer;
  s->w = wide ? longer : shorter;
}

static scene draw_scene(int class_number, sl_rng *r) {
  scene s = {.distance = sl_demo_classes[class_number].distance};
  draw_size(r, &s);
  draw_object(r, &s);
  const float back = between(r, 0.2f, 0.8f), step = between(r, 0.3f, 0.55f);
  const int lighter = back + step > 0.95f ? 0 : back - step < 0.05f ? 1 : -1;
  const float up = lighter < 0 ? sign(r) : lighter ? 1.f : -1.f;
  draw_paint(r, back, 0.15f, &s.back);
  draw_paint(r, back + up * step, 0.1f, &s.front);
  draw_field(r, &s.stain);
  draw_field(r, &s.light);
  s.stains = between(r, 0, 0.14f);
  s.shade = between(r, 0, 0.3f);
  s.noise = between(r, 0, 0.08f);
  return s;
}

/* --- painting ------------------------------------------------------------- */

static float smooth(float t) {
  return t * t * (3 - 2 * t);
}

/* The field at (u, v) in [0, 1). */
static float field_at(const field *f, float u, float v) {
  const float x = u * (GRID - 1), y = v * (GRID - 1);
  const int i = (int)y, j = (int)x;
  const float a = smooth(x - (float)j), b = smooth(y - (float)i);
  const float top = f->at[i][j] + (f->at[i][j + 1] - f->at[i][j]) * a;
  const float low =
      f->at[i + 1][j] + (f->at[i + 1][j + 1] - f->at[i + 1][j]) * a;
  return top + (low - top) * b;
}

/* How far along the gradient (u, v) is: 0..1 over the picture's diagonal. */
static float along(const paint *p, float u, float v) {
  return 0.5f + 0.7f * ((u - 0.5f) * p->dx + (v - 0.5f) * p->dy);
}

/* The share of pixel (x, y) that the object covers. */
static float coverage(const scene *s, float x, float y) {
  const float dx = (x - s->x) / s->radius, dy = (y - s->y) / s->radius;
  const float d = s->distance(&s->form, dx * s->cos + dy * s->sin,
                              s->flip * (dy * s->cos - dx * s->sin));
  return fminf(fmaxf(0.5f - d * s->radius, 0), 1);
}

static uint8_t to_byte(float v) {
  return (uint8_t)(fminf(fmaxf(v, 0), 1) * 255 + 0.5f);
}

static void paint_pixel(const scene *s, int i, int j, uint32_t lots,
                        uint8_t *px) {
  const float x = (float)j + 0.5f, y = (float)i + 0.5f;
  const float u = x / (float)s->w, v = y / (float)s->h;
  const float a = coverage(s, x, y);
  const float tb = along(&s->back, u, v), tf = along(&s->front, u, v);
  const float stain = s->stains * field_at(&s->stain, u, v);
  const float light = 1 + s->shade * field_at(&s->light, u, v);
  for (int c = 0; c < 3; c++) {
    const float back =
        s->back.from[c] + (s->back.to[c] - s->back.from[c]) * tb + stain;
    const float front =
        s->front.from[c] + (s->front.to[c] - s->front.from[c]) * tf;
    const float grain = (float)(lots >> (10 * c) & 1023) / 511.5f - 1;
    px[c] = to_byte((back + (front - back) * a) * light + s->noise * grain);
  }
}

sl_status sl_demo_paint(int class_number, sl_rng *rng, sl_image *out,
                        int *grey) {
  const scene s = draw_scene(class_number, rng);
  *grey = sl_rng_uniform(rng) < 0.04f;
  SL_TRY(sl_image_resize(out, s.h, s.w));
  uint8_t *px = out->px;
  for (int i = 0; i < s.h; i++)
    for (int j = 0; j < s.w; j++, px += 3)
      paint_pixel(&s, i, j, sl_rng_u32(rng), px);
  return SL_OK;
}
