/* item_transform.c -- see item_transform.h. */
#include "data/item_transform.h"

#include <string.h>

static const sl_transform_info *const all[] = {
#define SL_TRANSFORM(name) &sl_transform_##name,
#include "data/transforms.def"
#undef SL_TRANSFORM
};

enum {
#define SL_TRANSFORM(name) PLACE_##name,
#include "data/transforms.def"
#undef SL_TRANSFORM
  COUNT
};

const char *const sl_pad_mode_names[] = {"zeros", "border", "reflection", NULL};

const sl_transform_info *sl_transform_at(int i) {
  return i >= 0 && i < COUNT ? all[i] : NULL;
}

const sl_transform_info *sl_transform_find(const char *name) {
  for (int i = 0; i < COUNT; i++)
    if (strcmp(all[i]->name, name) == 0) return all[i];
  return NULL;
}

/* --- defaults ------------------------------------------------------------- */

static void set_default(const sl_item_option *o, sl_item_opts *opts) {
  void *field = (char *)opts + o->offset;
  switch (o->type) {
  case SL_ITEM_OPT_SIZE:
    *(sl_hw *)field = (sl_hw){(int)o->def[0], (int)o->def[1]};
    break;
  case SL_ITEM_OPT_FLOAT:
    *(double *)field = o->def[0];
    break;
  case SL_ITEM_OPT_PAIR:
    memcpy(field, o->def, sizeof o->def);
    break;
  case SL_ITEM_OPT_INT:
  case SL_ITEM_OPT_ENUM:
    *(int *)field = (int)o->def[0];
    break;
  }
}

sl_item_transform sl_item_transform_make(const sl_transform_info *info) {
  sl_item_transform t = {.info = info};
  for (const sl_item_option *o = info->options; o->name; o++)
    set_default(o, &t.opts);
  return t;
}

/* --- checks --------------------------------------------------------------- */

/* An option's numbers, one or two of them, as doubles. */
static int values(const sl_item_option *o, const sl_item_opts *opts,
                  double v[2]) {
  const void *field = (const char *)opts + o->offset;
  switch (o->type) {
  case SL_ITEM_OPT_SIZE:
    v[0] = ((const sl_hw *)field)->h;
    v[1] = ((const sl_hw *)field)->w;
    return 2;
  case SL_ITEM_OPT_PAIR:
    memcpy(v, field, 2 * sizeof *v);
    return 2;
  case SL_ITEM_OPT_FLOAT:
    v[0] = *(const double *)field;
    return 1;
  case SL_ITEM_OPT_INT:
  case SL_ITEM_OPT_ENUM:
    v[0] = *(const int *)field;
    return 1;
  }
  return 0;
}

static int count_names(const char *const *names) {
  int n = 0;
  while (names[n])
    n++;
  return n;
}

static sl_status check_option(const char *name, const sl_item_option *o,
                              const sl_item_opts *opts) {
  double v[2];
  const int n = values(o, opts, v);
  const double max =
      o->type == SL_ITEM_OPT_ENUM ? count_names(o->names) - 1 : o->max;
  for (int i = 0; i < n; i++) /* so written, NaN fails */
    SL_REQUIRE(v[i] >= o->min && v[i] <= max, SL_EINVAL,
               "%s: %s must be from %g to %g, not %g", name, o->name, o->min,
               max, v[i]);
  SL_REQUIRE(o->type != SL_ITEM_OPT_PAIR || v[0] <= v[1], SL_EINVAL,
             "%s: %s must be {least, most}, not {%g, %g}", name, o->name, v[0],
             v[1]);
  return SL_OK;
}

sl_status sl_item_transform_check(const sl_item_transform *t) {
  SL_REQUIRE(t->info, SL_EINVAL, "an item transform without a description");
  for (const sl_item_option *o = t->info->options; o->name; o++)
    SL_TRY(check_option(t->info->name, o, &t->opts));
  return t->info->check ? t->info->check(&t->opts) : SL_OK;
}
