/* demo_scene.h -- one picture of the demo data set, in memory. */
#ifndef SL_DATA_DEMO_SCENE_H
#define SL_DATA_DEMO_SCENE_H

#include "base/rng.h"
#include "data/image.h"

enum { SL_DEMO_CLASSES = 10 };

/* What varies within a class, each drawn from [0, 1). */
typedef struct sl_demo_form {
  float thickness, period, outline;
} sl_demo_form;

/* Signed distance of (x, y) to the form's border in units of its radius:
 * negative inside. Good near the border, which is all that is looked at. */
typedef float sl_demo_distance(const sl_demo_form *f, float x, float y);

typedef struct sl_demo_class {
  const char *name; /* its folder */
  sl_demo_distance *distance;
} sl_demo_class;

extern const sl_demo_class sl_demo_classes[SL_DEMO_CLASSES];

/* Draws a scene with an object of the class and paints it. *grey: to be saved
 * without colour. */
SL_MUST_USE sl_status sl_demo_paint(int class_number, sl_rng *rng,
                                    sl_image *out, int *grey);

#endif
