/* room.h -- how much memory may still be taken.
 *
 * Linux promises memory that it does not have and kills the process that uses
 * it. So large requests are compared with what there is before they are made:
 * they become errors, which can be answered. */
#ifndef SL_BASE_ROOM_H
#define SL_BASE_ROOM_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that this process can still take: what the machine has available, what
 * its control group allows, what is left of the limit; the least of these. */
int64_t sl_memory_room(void);

/* Bytes that the process may have in memory; 0: as many as there are. */
void sl_memory_limit_set(int64_t bytes);
int64_t sl_memory_limit(void);

/* Whether a request of that size can be made. Small ones always can: asking the
 * system costs more than they do. */
int sl_memory_fits(size_t bytes);

#endif
