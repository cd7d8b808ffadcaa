/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The administrator's settings: the words after spank_gbm.so in plugstack.conf,
 * each KEY=VALUE. An unknown key, a key given twice or a bad value is an error,
 * since a misspelled bound would otherwise be no bound. Pure.
 */
#ifndef GBM_PLUGIN_CONF_H
#define GBM_PLUGIN_CONF_H

#include <stddef.h>
#include <stdint.h>

#include "plugin/err.h"

#define CONF_STATE_DIR_MAX 200
#define CONF_STATE_DIR	   "/run/gbm"

/*
 * Below this Slurm's own processes in the job's directory (1 to 2 MB a step, 5
 * to 8 MB for each srun of a batch script) leave the program no room to start.
 */
#define CONF_CAP_FLOOR (UINT64_C(32) << 20)

struct conf {
	char state_dir[CONF_STATE_DIR_MAX]; /* absolute, no "." or ".." */
	uint64_t min_cap;		    /* bytes, at least CONF_CAP_FLOOR */
	unsigned seen;			    /* keys given, one bit each */
};

/* The defaults. */
void conf_init(struct conf *c);

/* Applies one word of LEN bytes. Returns 0, or -1 and a sentence in E. */
int conf_arg(struct conf *c, const char *word, size_t len, struct err *e);

/*
 * Defaults and then each of the AC words. Upon -1 (a sentence in E) C holds the
 * defaults and the words before the bad one.
 */
int conf_parse(struct conf *c, int ac, char **av, struct err *e);

#endif
