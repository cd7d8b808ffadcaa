/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_ERR_H
#define GBM_ERR_H

#include <gbm-mc/gbm.h>

/* Fills *err, which may be NULL, and returns status. */
__attribute__((format(printf, 3, 4)))
int gbm_error_set(struct gbm_error *err, int status, const char *format, ...);

#endif
