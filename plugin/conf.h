/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The administrator's settings: the words after spank_gbm.so in plugstack.conf,
 * each KEY=VALUE. An unknown key, a key given twice or a bad value is an error,
 * since a misspelled bound would otherwise be no bound. Pure.
 */
#ifndef GBM_PLUGIN_CONF_H
#define GBM_PLUGIN_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plugin/err.h"
#include "plugin/size.h"
#include "plugin/swap.h"

#define CONF_STATE_DIR_MAX 200
#define CONF_STATE_DIR	   "/run/gbm"

/*
 * Below this Slurm's own processes in the job's directory (1 to 2 MB a step, 5
 * to 8 MB for each srun of a batch script) leave the program no room to start.
 */
#define CONF_CAP_FLOOR (UINT64_C(32) << 20)

/* What all jobs of a node together must leave: unless the administrator says
 * otherwise, the larger of the two. */
#define CONF_RESERVE_PPM   UINT32_C(150000)
#define CONF_RESERVE_BYTES (UINT64_C(256) << 20)

enum conf_fallback { FALLBACK_RLIMIT, FALLBACK_REFUSE, FALLBACK_OFF };
enum conf_oom { OOM_STEP, OOM_TASK, OOM_JOB };
enum conf_report { REPORT_OFF, REPORT_SUMMARY, REPORT_JSON };

/*
 * Shares of memory are of what the node's jobs may use together, that of
 * RESERVE is of all the node's memory.
 */
struct conf {
	char state_dir[CONF_STATE_DIR_MAX]; /* absolute, no "." or ".." */
	uint64_t min_cap;		    /* bytes, at least CONF_CAP_FLOOR */
	struct size max_cap;
	/* Of jobs that ask for none; 0: none; SIZE_PPM_ALL: as MAX_CAP. */
	struct size default_cap;
	struct size reserve;	 /* 0: see CONF_RESERVE_PPM */
	bool guard;		 /* false: reserve=none */
	struct swap swap_default;
	struct swap swap_max; /* of a job, and of all jobs together */
	enum conf_fallback fallback;
	bool warn; /* on_error=warn: run where the cap cannot be kept */
	enum conf_oom oom;
	enum conf_report report;
	bool syslog;
	bool drain;
	unsigned seen; /* keys given, one bit each */
};

/* The defaults. */
void conf_init(struct conf *c);

/* Applies one word of LEN bytes. Returns 0, or -1 and a sentence in E; C is as
 * it was then. */
int conf_arg(struct conf *c, const char *word, size_t len, struct err *e);

/*
 * Defaults and then each of the AC words. Upon -1 (a sentence in E) C holds the
 * defaults and the words before the bad one, or all of them if they contradict
 * each other. Of bounds that differ from node to node policy.h decides.
 */
int conf_parse(struct conf *c, int ac, char **av, struct err *e);

/*
 * What the jobs of a node with TOTAL bytes of memory may use together: all but
 * the reserve, or 0 where that is more than there is.
 */
uint64_t conf_usable(const struct conf *c, uint64_t total);

/* Reads "off", "summary" or "json". Returns whether TEXT is one of these. */
bool conf_report_word(const char *text, size_t len, enum conf_report *out);
const char *conf_report_text(enum conf_report report);

#endif
