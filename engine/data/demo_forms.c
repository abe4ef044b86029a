/* demo_forms.c -- the ten classes of the demo data set, one function each.
 *
 * Distances after Inigo Quilez, "2D distance functions". */
#include <math.h>

#include "data/demo_scene.h"

static const float PI = 3.14159265f;

static float mix(float a, float b, float t) {
  return a + (b - a) * t;
}

static float box(float x, float y, float w, float h) {
  const float dx = fabsf(x) - w, dy = fabsf(y) - h;
  return hypotf(fmaxf(dx, 0), fmaxf(dy, 0)) + fminf(fmaxf(dx, dy), 0);
}

/* Where x lies in a pattern that repeats: -period/2 .. period/2. */
static float repeat(float x, float period) {
  return x - period * roundf(x / period);
}

/* --- shapes --------------------------------------------------------------- */

static float disc(const sl_demo_form *f, float x, float y) {
  return hypotf(x, y * mix(1, 1.15f, f->thickness)) - 0.85f;
}

static float ring(const sl_demo_form *f, float x, float y) {
  return fabsf(hypotf(x, y) - 0.72f) - mix(0.12f, 0.24f, f->thickness);
}

static float square(const sl_demo_form *f, float x, float y) {
  return box(x, y, 0.78f, mix(0.7f, 0.78f, f->thickness));
}

static float triangle(const sl_demo_form *f, float x, float y) {
  const float slope = mix(0.8f, 0.92f, f->thickness);
  const float side = fabsf(x) * slope + y * 0.5f - 0.48f;
  return fmaxf(side, -y - 0.6f);
}

static float cross(const sl_demo_form *f, float x, float y) {
  const float arm = mix(0.15f, 0.24f, f->thickness);
  return fminf(box(x, y, 0.9f, arm), box(x, y, arm, 0.9f));
}

/* Folded into one half of one of five points: a triangle's long side. */
static float star(const sl_demo_form *f, float x, float y) {
  const float angle = fabsf(repeat(atan2f(x, y), 2 * PI / 5));
  const float r = hypotf(x, y), inner = mix(0.36f, 0.44f, f->thickness);
  const float px = r * sinf(angle), py = r * cosf(angle);
  const float ax = inner * sinf(PI / 5), ay = inner * cosf(PI / 5);
  const float ex = -ax, ey = 1 - ay; /* from the notch to the tip (0, 1) */
  return ((px - ax) * ey - (py - ay) * ex) / hypotf(ex, ey);
}

static float spiral(const sl_demo_form *f, float x, float y) {
  const float pitch = mix(0.44f, 0.56f, f->period), r = hypotf(x, y);
  const float turn = atan2f(y, x) / (2 * PI);
  const float arm = fabsf(repeat(r - turn * pitch, pitch));
  const float width = pitch * mix(0.18f, 0.27f, f->thickness);
  return fmaxf(arm - width, r - 1.1f);
}

/* --- textures: inside a round or square outline, which says nothing --------
 */

static float outline(const sl_demo_form *f, float x, float y) {
  return f->outline < 0.5f ? hypotf(x, y) - 1.1f : box(x, y, 0.95f, 0.95f);
}

static float stripes(const sl_demo_form *f, float x, float y) {
  const float period = mix(0.34f, 0.56f, f->period);
  const float width = period * mix(0.2f, 0.3f, f->thickness);
  return fmaxf(fabsf(repeat(x, period)) - width, outline(f, x, y));
}

static float checkers(const sl_demo_form *f, float x, float y) {
  const float period = mix(0.6f, 0.9f, f->period);
  const float a = fabsf(repeat(x, period)) - period / 4;
  const float b = fabsf(repeat(y, period)) - period / 4;
  const float one = fmaxf(a, b), other = fmaxf(-a, -b);
  return fmaxf(fminf(one, other), outline(f, x, y));
}

static float dots(const sl_demo_form *f, float x, float y) {
  const float period = mix(0.42f, 0.6f, f->period);
  const float r = period * mix(0.2f, 0.3f, f->thickness);
  const float dot = hypotf(repeat(x, period), repeat(y, period)) - r;
  return fmaxf(dot, outline(f, x, y));
}

const sl_demo_class sl_demo_classes[SL_DEMO_CLASSES] = {
    {"checkers", checkers}, {"cross", cross}, {"disc", disc},
    {"dots", dots},         {"ring", ring},   {"spiral", spiral},
    {"square", square},     {"star", star},   {"stripes", stripes},
    {"triangle", triangle},
};
