/* pixel_folder.h -- how much room the files of decoded images take. */
#ifndef SL_DATA_PIXEL_FOLDER_H
#define SL_DATA_PIXEL_FOLDER_H

#include <stdint.h>

#define SL_PIXEL_FILE_END ".pixels" /* how their names end */

/* Removes files of decoded images in folder, the one unused for longest first,
 * until those besides `keep` take `most` bytes at most; returns what these
 * take. What cannot be removed stays. */
int64_t sl_pixel_folder_shrink(const char *folder, const char *keep,
                               int64_t most);

#endif
