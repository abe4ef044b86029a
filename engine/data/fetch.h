/* fetch.h -- a file from the network, resumed where it broke off. */
#ifndef SL_DATA_FETCH_H
#define SL_DATA_FETCH_H

#include <stdint.h>

#include "base/status.h"

typedef struct sl_fetch_opts {
  /* Called a few times a second, and at the end; total is 0 while unknown.
   * Anything but SL_OK ends the download with that status. May be NULL. */
  sl_status (*progress)(void *context, int64_t done, int64_t total);
  void *context;
  int retries;    /* after failures that may pass; -1: the default, 5 */
  double backoff; /* seconds before the first, doubled each time; 0: 0.5 */
} sl_fetch_opts;

/* Downloads url (http or https) to file. Data go to file.part first, which a
 * later call continues by a Range request (a server without ranges starts
 * over), and which is renamed at the end. Broken connections, time-outs
 * and "try later" answers are retried; each MB received makes the count begin
 * again. opts may be NULL. SL_EIO: the message has the URL and the reason;
 * SL_EINTERRUPT: what has come so far is kept. */
SL_MUST_USE sl_status sl_fetch(const char *url, const char *file,
                               const sl_fetch_opts *opts);

#endif
