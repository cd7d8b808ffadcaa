/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _POSIX_C_SOURCE 200809L

#include "progress.h"

#include <stdio.h>
#include <time.h>

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void show_progress(struct progress *p, double seconds)
{
	double done = (double)p->done, all = (double)p->paths;
	double rate = (done - (double)p->start) / seconds;
	double left = (all - done) / rate;

	fprintf(stderr, "%sgbm_sim: ", p->rewrite ? "\r" : "");
	if (p->open_end)
		fprintf(stderr, "%.4g paths, %.3g paths/s", done, rate);
	else
		fprintf(stderr, "%.1f %% of %.6g paths, %.3g paths/s, ",
			100.0 * done / all, all, rate);
	if (p->open_end)
		;
	else if (left < 120.0)
		fprintf(stderr, "%.0f s left", left);
	else if (left < 7200.0)
		fprintf(stderr, "%.0f min left", left / 60.0);
	else
		fprintf(stderr, "%.1f h left", left / 3600.0);
	fputs(p->rewrite ? "\033[K" : "\n", stderr);
	fflush(stderr);
	p->shown = true;
}

int on_progress(void *user, uint64_t done, uint64_t total)
{
	struct progress *p = user;
	double t = now();

	if (done == 0 || total == 0)
		return 0;
	p->done = (uint64_t)((double)p->paths * ((double)done / (double)total));
	if (!p->show || t < p->next || p->done <= p->start)
		return 0;
	show_progress(p, t - p->begin);
	p->next = t + (p->rewrite ? 0.25 : 30.0);
	return 0;
}

void begin_progress(struct progress *p)
{
	p->begin = now();
	p->next = p->begin + (p->rewrite ? 0.25 : 10.0);
}

void end_progress(const struct progress *p)
{
	if (p->shown && p->rewrite)
		fputs("\r\033[K", stderr);
}
