/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A checkpoint is 64-bit words, least byte first: what it is and of which run,
 * then each part of the summary, and what is known of its samples, with its
 * size in bytes before it, which is a multiple of 8, and the CRC-32C of all of
 * this.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gbm-mc/checkpoint.h>

#include "libgbm/crc32c.h"
#include "libgbm/err.h"
#include "libgbm/model.h"
#include "libgbm/pack.h"
#include "libgbm/plan.h"
#include "libgbm/samples.h"
#include "libgbm/summary.h"

#define MAGIC	UINT64_C(0x31544b50434d4247) /* "GBMCPKT1" */
#define VERSION 2
#define WORD	sizeof(uint64_t)

/* Of which run: what must be the same when it goes on. */
static const char *const names[] = {
	"stream version",
	"seed",
	"spot",
	"rate",
	"dividend",
	"drift",
	"volatility",
	"horizon",
	"number of steps",
	"set of things to collect",
	"kind of samples",
	"number of shards",
	"number of functionals",
};
#define N_NAMES	 (sizeof(names) / sizeof(names[0]))
#define N_WORDS	 (N_NAMES + 2 * GBM_MAX_FUNCTIONALS)
#define CALLBACK UINT64_MAX /* in place of a payoff */

static void identity(const struct gbm_plan *plan,
		     const struct gbm_samples *samples,
		     const struct gbm_summary *summary, uint64_t w[N_WORDS])
{
	const struct gbm_model *m = &plan->model;
	size_t n = 0;

	memset(w, 0, N_WORDS * WORD);
	w[n++] = GBM_STREAM_VERSION;
	w[n++] = plan->dynamics.seed;
	w[n++] = gbm_double_bits(m->spot);
	w[n++] = gbm_double_bits(m->rate + 0.0); /* -0 is 0 */
	w[n++] = gbm_double_bits(m->dividend + 0.0);
	w[n++] = gbm_double_bits(gbm_model_drift(m) + 0.0);
	w[n++] = gbm_double_bits(m->vol + 0.0);
	w[n++] = gbm_double_bits(m->horizon + 0.0);
	w[n++] = m->steps;
	w[n++] = summary->collect;
	w[n++] = samples ? 1 + (uint64_t)samples->m.dtype +
				   2 * (uint64_t)samples->m.save
			 : 0;
	w[n++] = samples ? samples->m.shards : 0;
	w[n++] = summary->n_functionals;
	for (size_t k = 0; k < summary->n_functionals; k++) {
		const struct gbm_functional *f = gbm_plan_functional(plan, k);

		w[n++] = f->fn ? CALLBACK : (uint64_t)f->payoff;
		w[n++] = f->fn || f->payoff == GBM_TERMINAL
				 ? 0
				 : gbm_double_bits(f->strike + 0.0);
	}
}

/* Which of them differs. */
static const char *difference(const uint64_t *a, const uint64_t *b)
{
	for (size_t i = 0; i < N_WORDS; i++)
		if (a[i] != b[i])
			return i < N_NAMES	   ? names[i]
			       : (i - N_NAMES) % 2 ? "strike"
						   : "payoff";
	return NULL;
}

/* A file on its way, in either direction. */
struct stream {
	int fd;
	uint32_t crc;
	int error; /* errno, or -1 for an end that comes too early */
};

static void put(struct stream *s, const void *bytes, size_t n)
{
	const char *p = bytes;

	s->crc = gbm_crc32c(s->crc, bytes, n);
	while (n > 0 && !s->error) {
		ssize_t part = write(s->fd, p, n);

		if (part > 0) {
			p += part;
			n -= (size_t)part;
		} else if (part == 0 || errno != EINTR) {
			s->error = part == 0 ? ENOSPC : errno;
		}
	}
}

static void put_words(struct stream *s, const uint64_t *w, size_t n)
{
	unsigned char bytes[WORD];

	for (size_t i = 0; i < n; i++) {
		gbm_put_word(bytes, w[i]);
		put(s, bytes, WORD);
	}
}

static void get(struct stream *s, void *bytes, size_t n)
{
	char *p = bytes;
	size_t left = n;

	memset(bytes, 0, n);
	while (left > 0 && !s->error) {
		ssize_t part = read(s->fd, p, left);

		if (part > 0) {
			p += part;
			left -= (size_t)part;
		} else if (part == 0 || errno != EINTR) {
			s->error = part == 0 ? -1 : errno;
		}
	}
	s->crc = gbm_crc32c(s->crc, bytes, n);
}

static void get_words(struct stream *s, uint64_t *w, size_t n)
{
	unsigned char bytes[WORD];

	for (size_t i = 0; i < n; i++) {
		get(s, bytes, WORD);
		w[i] = gbm_get_word(bytes);
	}
}

/* The packed size of samples, of whole words. */
static size_t samples_size(const struct gbm_samples *samples)
{
	return (gbm_samples_packed_size(samples) + WORD - 1) / WORD * WORD;
}

/* A buffer for the largest part, or NULL; least bytes in any case. */
static void *buffer_for(const struct gbm_summary *summary, size_t least)
{
	size_t most = least, size, part = 0;

	while ((size = gbm_summary_packed_size(summary, part++)))
		most = size > most ? size : most;
	return malloc(most);
}

static int suits(const struct gbm_plan *plan, const struct gbm_summary *summary)
{
	return plan && summary && plan->has_functional &&
	       summary->n_functionals == plan->n_others + 1;
}

static int failed(struct gbm_error *err, const char *file, const char *what,
		  int error)
{
	return gbm_error_set(err, error == ENOMEM ? GBM_ENOMEM : GBM_EIO,
			     "%s: the checkpoint %s: %s%s",
			     gbm_shown(file).text, what, strerror(error),
			     error == ENOSPC || error == EDQUOT
				     ? ": make room, or name another place"
				     : ": look after its directory");
}

/* ---- saving */

static void put_checkpoint(struct stream *s, const struct gbm_plan *plan,
			   uint64_t n_done, const struct gbm_samples *samples,
			   const struct gbm_summary *summary, void *buffer)
{
	const uint64_t head[3] = { MAGIC, VERSION, n_done };
	uint64_t run[N_WORDS], size, crc;

	identity(plan, samples, summary, run);
	put_words(s, head, 3);
	put_words(s, run, N_WORDS);
	for (size_t part = 0; (size = gbm_summary_packed_size(summary, part));
	     part++) {
		put_words(s, &size, 1);
		gbm_summary_pack(summary, part, buffer);
		put(s, buffer, (size_t)size);
	}
	if (samples) {
		size = samples_size(samples);
		put_words(s, &size, 1);
		memset(buffer, 0, (size_t)size);
		gbm_samples_pack(samples, buffer);
		put(s, buffer, (size_t)size);
	}
	crc = s->crc;
	put_words(s, &crc, 1);
}

/* Takes the place of file, which becomes old.  Returns 0 or errno. */
static int replace(const char *file, const char *old, const char *partial)
{
	if (rename(file, old) != 0 && errno != ENOENT)
		return errno;
	if (rename(partial, file) != 0)
		return errno;
	return gbm_sync_directory(file);
}

static int save(const char *file, const struct gbm_plan *plan, uint64_t n_done,
		const struct gbm_samples *samples,
		const struct gbm_summary *summary, struct gbm_error *err)
{
	struct stream s = { .fd = -1 };
	char *partial = NULL, *old = NULL;
	void *buffer = NULL;

	if (err)
		*err = (struct gbm_error){ 0, "" };
	if (!file || !*file || !suits(plan, summary) ||
	    n_done % GBM_BLOCK_PATHS || n_done > UINT64_C(1) << 62)
		return gbm_error_set(err, GBM_EINVAL,
				     "a checkpoint is of a file name, a plan, "
				     "its summary and whole blocks of paths");
	if (asprintf(&partial, "%s.partial", file) < 0)
		partial = NULL;
	if (asprintf(&old, "%s.old", file) < 0)
		old = NULL;
	buffer = buffer_for(summary, samples ? samples_size(samples) : 0);
	if (!partial || !old || !buffer) {
		s.error = ENOMEM;
		goto out;
	}
	s.fd = open(partial,
		    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		    0666);
	if (s.fd < 0) {
		s.error = errno;
		goto out;
	}
	put_checkpoint(&s, plan, n_done, samples, summary, buffer);
	if (!s.error && fsync(s.fd) != 0)
		s.error = errno;
	/* Else there are three of them in the page cache, of this job. */
	posix_fadvise(s.fd, 0, 0, POSIX_FADV_DONTNEED);
	if (close(s.fd) != 0 && !s.error)
		s.error = errno;
	if (!s.error)
		s.error = replace(file, old, partial);
	if (s.error)
		unlink(partial);
out:
	free(partial);
	free(old);
	free(buffer);
	return s.error ? failed(err, file, "could not be written", s.error)
		       : GBM_OK;
}

int gbm_checkpoint_save(const char *file, const struct gbm_plan *plan,
			uint64_t n_done, const struct gbm_summary *summary,
			struct gbm_error *err)
{
	return save(file, plan, n_done, NULL, summary, err);
}

int gbm_checkpoint_save_samples(const char *file, const struct gbm_plan *plan,
				const struct gbm_samples *samples,
				const struct gbm_summary *summary,
				struct gbm_error *err)
{
	if (!samples)
		return gbm_error_set(err, GBM_EINVAL,
				     "samples: must not be NULL");
	return save(file, plan, gbm_samples_written(samples), samples, summary,
		    err);
}

int gbm_checkpoint_remove(const char *file)
{
	char *old = NULL;
	int error = 0;

	if (asprintf(&old, "%s.old", file) < 0)
		return ENOMEM;
	/* The old one first: it must not become the one that counts. */
	if ((unlink(old) != 0 && errno != ENOENT) ||
	    (unlink(file) != 0 && errno != ENOENT))
		error = errno;
	free(old);
	return error ? error : gbm_sync_directory(file);
}

/* ---- loading */

/* What is to be filled. */
struct target {
	const struct gbm_plan *plan;
	struct gbm_samples *samples; /* NULL: none */
	struct gbm_summary *summary; /* an empty one */
	uint64_t n_done;
	void *buffer;
};

/* The CRC holds, which is looked at before anything is believed. */
static int is_whole(struct stream *s, off_t size)
{
	unsigned char piece[4096];
	uint64_t crc;

	if (size < (off_t)(4 * WORD) || size % (off_t)WORD)
		return 0;
	for (size -= (off_t)WORD; size > 0 && !s->error;) {
		size_t n = size < (off_t)sizeof(piece) ? (size_t)size
						       : sizeof(piece);

		get(s, piece, n);
		size -= (off_t)n;
	}
	crc = s->crc;
	get(s, piece, WORD);
	return !s->error && gbm_get_word(piece) == crc;
}

/* Returns what is wrong, or NULL. */
static const char *get_checkpoint(struct stream *s, struct target *t,
				  char text[64])
{
	uint64_t head[3], run[N_WORDS], mine[N_WORDS], size, n;
	struct gbm_summary *summary = t->summary;
	const char *other;

	get_words(s, head, 3);
	if (head[0] != MAGIC)
		return "it is no checkpoint";
	if (head[1] != VERSION)
		return "it is of another version of gbm";
	get_words(s, run, N_WORDS);
	identity(t->plan, t->samples, summary, mine);
	other = difference(run, mine);
	if (other) {
		snprintf(text, 64, "it is of a run with another %s", other);
		return text;
	}
	if (head[2] % GBM_BLOCK_PATHS)
		return "it ends within a block of paths";
	if (head[2] > t->plan->n_paths)
		return "it has more paths than this run";
	for (size_t part = 0; (n = gbm_summary_packed_size(summary, part));
	     part++) {
		get_words(s, &size, 1);
		if (size != n)
			return "a part has another size";
		get(s, t->buffer, (size_t)n);
		if (gbm_summary_unpack(summary, part, t->buffer, (size_t)n))
			return "a part is damaged";
	}
	if (gbm_summary_stats(summary, 0)->n != head[2])
		return "it has another number of paths than it says";
	t->n_done = head[2];
	if (!t->samples)
		return NULL;
	get_words(s, &size, 1);
	if (size > GBM_SAMPLES_PACKED)
		return "a part has another size";
	get(s, t->buffer, (size_t)size);
	return s->error ? NULL
			: gbm_samples_restore(t->samples, t->buffer,
					      (size_t)size);
}

/* GBM_EDAMAGED also for what is not of this run. */
static int load(const char *file, struct target *t, struct gbm_error *err)
{
	struct stream s = { .fd = open(file, O_RDONLY | O_CLOEXEC) };
	const char *wrong = NULL;
	struct stat st;
	char text[64];

	if (s.fd < 0)
		return errno == ENOENT
			       ? gbm_error_set(err, GBM_ENOENT,
					       "%s: there is no checkpoint",
					       gbm_shown(file).text)
			       : failed(err, file, "could not be opened",
					errno);
	if (fstat(s.fd, &st) != 0)
		s.error = errno;
	else if (!S_ISREG(st.st_mode))
		wrong = "it is no file";
	else if (!is_whole(&s, st.st_size) && s.error <= 0)
		wrong = "it is damaged";
	else if (!s.error && lseek(s.fd, 0, SEEK_SET) != 0)
		s.error = errno;
	if (!wrong && !s.error)
		wrong = get_checkpoint(&s, t, text);
	posix_fadvise(s.fd, 0, 0, POSIX_FADV_DONTNEED);
	close(s.fd);
	if (s.error > 0)
		return failed(err, file, "could not be read", s.error);
	if (s.error < 0)
		wrong = "it is damaged";
	return wrong ? gbm_error_set(err, GBM_EDAMAGED,
				     "%s: the checkpoint is of no use: %s",
				     gbm_shown(file).text, wrong)
		     : GBM_OK;
}

/* From one of the two files, with the sentence of the first that was there. */
static int load_either(const char *file, const char *old, struct target *t,
		       struct gbm_error *err)
{
	struct gbm_error second = { 0, "" };
	int status = load(file, t, err), also;

	if (status != GBM_ENOENT && status != GBM_EDAMAGED)
		return status;
	also = load(old, t, &second);
	if (also == GBM_OK)
		return GBM_OK;
	if (status == GBM_ENOENT && also != GBM_ENOENT) {
		*err = second;
		return also;
	}
	return status;
}

static int load_into(const char *file, const struct gbm_plan *plan,
		     struct gbm_samples *samples, uint64_t *n_done,
		     struct gbm_summary *summary, struct gbm_error *err)
{
	struct target t = { .plan = plan, .samples = samples };
	struct gbm_error why = { 0, "" };
	char *old = NULL;
	int status;

	*n_done = 0;
	if (asprintf(&old, "%s.old", file) < 0)
		old = NULL;
	t.buffer = buffer_for(summary, samples ? GBM_SAMPLES_PACKED + WORD : 0);
	if (!old || !t.buffer || gbm_summary_create(&t.summary, plan))
		status = gbm_error_set(&why, GBM_ENOMEM, "%s",
				       gbm_strerror(GBM_ENOMEM));
	else
		status = load_either(file, old, &t, &why);
	if (!status)
		status = gbm_summary_merge(summary, t.summary);
	if (!status)
		*n_done = t.n_done;
	gbm_summary_destroy(&t.summary);
	free(t.buffer);
	free(old);
	if (err)
		*err = why;
	return status;
}

int gbm_checkpoint_load(const char *file, const struct gbm_plan *plan,
			uint64_t *n_done, struct gbm_summary *summary,
			struct gbm_error *err)
{
	if (n_done)
		*n_done = 0;
	if (!file || !*file || !n_done || !suits(plan, summary))
		return gbm_error_set(err, GBM_EINVAL,
				     "a checkpoint is of a file name, a plan "
				     "and its summary");
	return load_into(file, plan, NULL, n_done, summary, err);
}

int gbm_checkpoint_load_samples(const char *file, const struct gbm_plan *plan,
				struct gbm_samples *samples,
				struct gbm_summary *summary,
				struct gbm_error *err)
{
	uint64_t n_done;
	int status = load_into(file, plan, samples, &n_done, summary, err);

	if (!status && n_done != gbm_samples_written(samples))
		status = gbm_error_set(err, GBM_EDAMAGED,
				       "%s: the checkpoint is of no use: it "
				       "has another number of samples than "
				       "paths",
				       gbm_shown(file).text);
	return status;
}
