/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of samples on disk: made, joined, opened, completed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/quota.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <linux/magic.h>

#include <gbm-mc/checkpoint.h>

#include "libgbm/err.h"
#include "libgbm/npy.h"
#include "libgbm/samples.h"

#define MANIFEST ".json"
#define PARTIAL	 ".json.partial" /* renamed as soon as it is complete */

/* Bytes that quotactl(2) counts limits in. */
#define QUOTA_UNIT UINT64_C(1024)

/* Headers before Linux 5.14; the number is every machine's. */
#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif

/* Somebody may have indented it anew. */
#define MAX_MANIFEST (2 * GBM_MANIFEST_SIZE + GBM_SAMPLES_SHARDS * 512)

/* What somebody can do about it. */
static const char *advice(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return "make its directory first";
	case EROFS:
	case EACCES:
	case EPERM:
		return "choose a directory that can be written to";
	case ENOSPC:
	case EDQUOT:
		return "make room, or write fewer paths or single precision";
	case EFBIG:
		return "choose another file system, or write fewer paths";
	case EEXIST:
		return "give another name, or force it to be replaced";
	default:
		return "look after that file system, then run again";
	}
}

static int complain(struct gbm_error *err, int status, const char *file,
		    const char *what, int error)
{
	return gbm_error_set(err, status, "%s: %s: %s: %s",
			     gbm_shown(file).text, what, strerror(error),
			     advice(error));
}

/* name with suffix; the caller frees it. */
static char *with_suffix(const char *name, const char *suffix)
{
	char *text = NULL;

	return asprintf(&text, "%s%s", name, suffix) < 0 ? NULL : text;
}

/* The directory that a file is in; the caller frees it. */
static char *directory_of(const char *file)
{
	const char *slash = strrchr(file, '/');

	if (!slash)
		return strdup(".");
	return slash == file ? strdup("/")
			     : strndup(file, (size_t)(slash - file));
}

static const char *base_of(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash ? slash + 1 : file;
}

int gbm_sync_directory(const char *file)
{
	char *directory = directory_of(file);
	int fd, error = 0;

	if (!directory)
		return ENOMEM;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Some file systems do not sync directories, nor need to. */
	if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL && errno != EROFS))
		error = errno;
	if (fd >= 0)
		close(fd);
	free(directory);
	return error;
}

/* ---- manifests */

/* Returns 0 or errno. */
static int write_manifest(const struct gbm_samples *s, const char *to)
{
	const size_t size =
		GBM_MANIFEST_SIZE + s->m.shards * GBM_MANIFEST_SHARD;
	char *text = malloc(size);
	size_t n = 0, done = 0;
	int fd = -1, error = ENOMEM;

	if (text)
		n = gbm_manifest_print(&s->m, base_of(s->name), text, size);
	if (n)
		fd = open(to,
			  O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
			  0666);
	if (fd >= 0)
		error = 0;
	else if (n)
		error = errno;
	while (!error && done < n) {
		ssize_t part = write(fd, text + done, n - done);

		if (part > 0)
			done += (size_t)part;
		else if (part == 0 || errno != EINTR)
			error = part == 0 ? ENOSPC : errno;
	}
	if (!error && fsync(fd) != 0)
		error = errno;
	if (fd >= 0 && close(fd) != 0 && !error)
		error = errno;
	free(text);
	return error;
}

/* At any moment there is a whole manifest: the old one or the new one. */
static int put_manifest(const struct gbm_samples *s, int status,
			struct gbm_error *err)
{
	char *partial = with_suffix(s->name, PARTIAL);
	char *manifest = with_suffix(s->name, MANIFEST);
	int error = ENOMEM;

	if (partial && manifest) {
		error = write_manifest(s, partial);
		if (!error && rename(partial, manifest) != 0)
			error = errno;
		if (!error)
			error = gbm_sync_directory(s->name);
		else
			unlink(partial);
	}
	free(partial);
	free(manifest);
	return error ? complain(err, status, s->name,
				"its manifest cannot be written", error)
		     : GBM_OK;
}

/* Reads all of fd, at most size bytes; returns the number or -1 and errno. */
static ssize_t read_all(int fd, char *to, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = read(fd, to + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

int gbm_manifest_read(struct gbm_manifest *m, const char *file, uint32_t *crc,
		      struct gbm_error *err)
{
	char *name = with_suffix(file, MANIFEST), *text = malloc(MAX_MANIFEST);
	int fd = -1, status = GBM_OK;
	const char *wrong;
	ssize_t n = -1;

	if (!name || !text) {
		status = gbm_error_set(err, GBM_ENOMEM, "no memory is left");
		goto out;
	}
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		n = read_all(fd, text, MAX_MANIFEST);
	if (n < 0) {
		status = gbm_error_set(err, GBM_EIO,
				       "%s cannot be read: %s: samples need "
				       "their manifest beside them",
				       gbm_shown(name).text, strerror(errno));
		goto out;
	}
	wrong = n == MAX_MANIFEST ? "it is too long"
				  : gbm_manifest_parse(m, text, (size_t)n, crc);
	if (wrong)
		status = gbm_error_set(err, GBM_EFORMAT,
				       "%s is no manifest of samples: %s",
				       gbm_shown(name).text, wrong);
out:
	if (fd >= 0)
		close(fd);
	free(name);
	free(text);
	return status;
}

int gbm_samples_info(const char *file, struct gbm_samples_info *info,
		     struct gbm_error *err)
{
	uint32_t *crc;
	struct gbm_manifest m;
	int status;

	if (!file || !info || info->size != sizeof(*info))
		return gbm_error_set(err, GBM_EINVAL,
				     "file and info: must be given, info set "
				     "up with GBM_SAMPLES_INFO_INIT");
	crc = malloc(GBM_MANIFEST_BLOCKS * sizeof(*crc));
	if (!crc)
		return gbm_error_set(err, GBM_ENOMEM, "no memory is left");
	status = gbm_manifest_read(&m, file, crc, err);
	free(crc);
	if (status)
		return status;
	info->model = m.model;
	info->seed = m.seed;
	info->first_path = m.first_path;
	info->n_paths = m.rows;
	info->save = m.save;
	info->dtype = m.dtype;
	info->complete = m.complete;
	info->stream_version = m.stream_version;
	info->shards = m.shards;
	return GBM_OK;
}

/* ---- making a file */

static int check_limit(const struct gbm_samples *s, struct gbm_error *err)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) != 0 ||
	    limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= s->bytes)
		return GBM_OK;
	return gbm_error_set(err, GBM_ECREATE,
			     "%s would have %s, but RLIMIT_FSIZE allows %s: "
			     "raise it (ulimit -f), or write fewer paths or "
			     "single precision",
			     gbm_shown(s->file).text,
			     gbm_size_text(s->bytes).text,
			     gbm_size_text(limit.rlim_cur).text);
}

/* What the quota of one user or group leaves, in bytes. */
static uint64_t quota_left(const struct dqblk *q)
{
	uint64_t limit = q->dqb_bhardlimit, soft = q->dqb_bsoftlimit, bytes;

	/* Beyond the soft limit, until that time. */
	if (soft && q->dqb_btime && (uint64_t)time(NULL) >= q->dqb_btime &&
	    q->dqb_curspace > soft * QUOTA_UNIT)
		return 0;
	if (!limit || __builtin_mul_overflow(limit, QUOTA_UNIT, &bytes))
		return UINT64_MAX;
	return bytes > q->dqb_curspace ? bytes - q->dqb_curspace : 0;
}

/*
 * The quota of who will own the file; directory is where.  A kernel before
 * 5.14, or a file server, does not tell: then the file's room is asked for, and
 * where that cannot be reserved, a write fails.
 */
static int check_quota(const struct gbm_samples *s, int directory,
		       uint64_t freed, struct gbm_error *err)
{
	struct {
		const char *name;
		int type;
		uint32_t id;
	} owners[] = { { "user", USRQUOTA, geteuid() },
		       { "group", GRPQUOTA, getegid() } };
	struct stat st;

	if (fstat(directory, &st) == 0 && st.st_mode & S_ISGID)
		owners[1].id = st.st_gid;
	for (size_t i = 0; geteuid() && i < 2; i++) {
		struct dqblk q = { .dqb_valid = 0 };
		uint64_t left = UINT64_MAX;

		if (syscall(SYS_quotactl_fd, directory,
			    QCMD(Q_GETQUOTA, owners[i].type), owners[i].id,
			    &q) == 0)
			left = quota_left(&q);
		if (__builtin_add_overflow(left, freed, &left) ||
		    left >= s->bytes)
			continue;
		return gbm_error_set(
			err, GBM_ECREATE,
			"%s needs %s, but the disk quota of %s %u leaves %s: "
			"make room, choose another file system, or write fewer "
			"paths or single precision",
			gbm_shown(s->file).text, gbm_size_text(s->bytes).text,
			owners[i].name, owners[i].id, gbm_size_text(left).text);
	}
	return GBM_OK;
}

/* freed: bytes that a file to be replaced gives back. */
static int check_room(const struct gbm_samples *s, uint64_t freed,
		      struct gbm_error *err)
{
	char *directory = directory_of(s->file);
	int fd = -1, error = ENOMEM, status;
	struct statvfs fs;
	uint64_t there;

	if (directory) {
		fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
		error = fd < 0 || fstatvfs(fd, &fs) != 0 ? errno : 0;
	}
	free(directory);
	status = error ? GBM_OK : check_quota(s, fd, freed, err);
	if (fd >= 0)
		close(fd);
	if (status)
		return status;
	if (error)
		return complain(err, GBM_ECREATE, s->file, "it cannot be made",
				error);
	if (fs.f_flag & ST_RDONLY)
		return complain(err, GBM_ECREATE, s->file, "it cannot be made",
				EROFS);
	there = geteuid() ? fs.f_bavail : fs.f_bfree;
	if (__builtin_mul_overflow(there, fs.f_frsize, &there) ||
	    __builtin_add_overflow(there, freed, &there) || there >= s->bytes)
		return GBM_OK;
	return gbm_error_set(err, GBM_ECREATE,
			     "%s needs %s, but its file system has %s free: "
			     "make room, choose another one, or write fewer "
			     "paths or single precision",
			     gbm_shown(s->file).text,
			     gbm_size_text(s->bytes).text,
			     gbm_size_text(there).text);
}

/* What stands in the way by these names; freed: bytes that it takes. */
static int check_old(const struct gbm_samples *s, const char *manifest,
		     int force, uint64_t *freed, struct gbm_error *err)
{
	const char *names[] = { s->file, manifest };

	for (size_t i = 0; i < 2; i++) {
		struct stat old;

		if (lstat(names[i], &old) != 0) {
			if (errno == ENOENT)
				continue;
			return complain(err, GBM_ECREATE, names[i],
					"it cannot be made", errno);
		}
		if (!S_ISREG(old.st_mode))
			return gbm_error_set(err, GBM_ECREATE,
					     "%s is there and is no regular "
					     "file: give another name",
					     gbm_shown(names[i]).text);
		if (!force)
			return gbm_error_set(err, GBM_ECREATE,
					     "%s is there: give another name, "
					     "or replace it by force (--force)",
					     gbm_shown(names[i]).text);
		*freed += (uint64_t)old.st_blocks * 512;
	}
	return GBM_OK;
}

static void kind_of(struct gbm_samples *s, int *in_memory)
{
	struct statfs fs;

	*in_memory = 0;
	if (fstatfs(s->fd, &fs) != 0)
		return;
	s->server = fs.f_type == NFS_SUPER_MAGIC;
	*in_memory = fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC;
}

/*
 * The final size, and room for it where the file system reserves any: a quota
 * that is too small says so here.  Not in a file system that is memory, where
 * it would be taken at once.  Returns 0 or errno.
 */
static int reserve(struct gbm_samples *s)
{
	int in_memory;

	kind_of(s, &in_memory);
	if (ftruncate(s->fd, (off_t)s->bytes) != 0)
		return errno;
	while (!in_memory && fallocate(s->fd, 0, 0, (off_t)s->bytes) != 0) {
		if (errno == EINTR)
			continue;
		return errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL
			       ? 0
			       : errno;
	}
	return 0;
}

static int put_header(struct gbm_samples *s)
{
	char header[GBM_NPY_DATA];
	ssize_t n;

	gbm_npy_header(header, s->row.float_bytes, s->rows, s->m.columns);
	n = pwrite(s->fd, header, sizeof(header), 0);
	if (n != (ssize_t)sizeof(header))
		return n < 0 ? errno : ENOSPC;
	return fsync(s->fd) == 0 ? 0 : errno;
}

/* Room for it, and its header: 0 or errno. */
static int lay_out(struct gbm_samples *s)
{
	int error = reserve(s);

	return error ? error : put_header(s);
}

static int not_made(const struct gbm_samples *s, int opened, int error,
		    struct gbm_error *err)
{
	if (!opened)
		return complain(err, GBM_ECREATE, s->file, "it cannot be made",
				error);
	return gbm_error_set(
		err, GBM_ECREATE, "%s: its %s cannot be reserved: %s: %s",
		gbm_shown(s->file).text, gbm_size_text(s->bytes).text,
		strerror(error), advice(error));
}

static uint64_t draw_ticket(void)
{
	struct timespec t = { 0, 0 };
	uint64_t ticket;

	if (getrandom(&ticket, sizeof(ticket), GRND_NONBLOCK) ==
	    (ssize_t)sizeof(ticket))
		return ticket;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_nsec << 32 ^ (uint64_t)t.tv_sec << 8 ^
	       (uint64_t)getpid();
}

/* Of the old file or shards, those whose place no new one takes. */
static void remove_others(const struct gbm_samples *s)
{
	struct gbm_samples_info old = GBM_SAMPLES_INFO_INIT;

	if (gbm_samples_info(s->name, &old, NULL) != GBM_OK)
		return;
	if (s->m.shards && !old.shards)
		unlink(s->name);
	for (unsigned i = s->m.shards; i < old.shards; i++) {
		char *file = gbm_manifest_shard_name(s->name, i);

		if (file)
			unlink(file);
		free(file);
	}
}

/*
 * The file, and unless it is another process' business, the manifest.  Whose
 * place they take goes with its checkpoint, unless that is NULL.
 */
static int create(struct gbm_samples *s, int force, int with_manifest,
		  const char *checkpoint, struct gbm_error *err)
{
	char *manifest = with_suffix(with_manifest ? s->name : s->file,
				     with_manifest ? MANIFEST : "");
	uint64_t freed = 0;
	int status, error, made = 0;

	status = manifest ? check_old(s, manifest, force, &freed, err)
			  : gbm_error_set(err, GBM_ENOMEM, "no memory is left");
	if (!status)
		status = check_limit(s, err);
	if (!status)
		status = check_room(s, freed, err);
	if (status)
		goto out;
	error = force && checkpoint ? gbm_checkpoint_remove(checkpoint) : 0;
	if (error) {
		status = gbm_error_set(err, GBM_ECREATE,
				       "%s: the checkpoint cannot be removed: "
				       "%s",
				       gbm_shown(checkpoint).text,
				       strerror(error));
		goto out;
	}
	/* Who reads the old file keeps it: it is not written into. */
	if (force && with_manifest)
		remove_others(s);
	if (force) {
		unlink(manifest);
		unlink(s->file);
	}
	/* Manifest first: a file without one is somebody else's. */
	if (with_manifest) {
		s->m.ticket = draw_ticket();
		status = put_manifest(s, GBM_ECREATE, err);
		if (status)
			goto out;
	}
	s->fd = open(s->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	made = s->fd >= 0;
	error = made ? lay_out(s) : errno;
	if (error)
		status = not_made(s, made, error, err);
	if (error && made)
		unlink(s->file);
	if (error && with_manifest)
		unlink(manifest);
out:
	free(manifest);
	return status;
}

int gbm_samples_create(struct gbm_samples **samples, const char *file,
		       const struct gbm_plan *plan,
		       const struct gbm_samples_options *options,
		       struct gbm_error *err)
{
	int status = gbm_samples_new(samples, file, plan, options, err);

	if (!status)
		status = create(*samples, options && options->force, 1,
				options ? options->checkpoint : NULL, err);
	if (status)
		gbm_samples_close(samples);
	return status;
}

void gbm_samples_remove(struct gbm_samples *s)
{
	char *manifest = s && !s->reads ? with_suffix(s->name, MANIFEST) : NULL;

	if (manifest) {
		unlink(s->file);
		unlink(manifest);
	}
	free(manifest);
}

static int join(struct gbm_samples *s, uint64_t ticket, struct gbm_error *err)
{
	struct gbm_manifest there;
	struct stat st;
	uint32_t *crc;
	int status, in_memory;

	status = check_limit(s, err);
	if (status)
		return status;
	crc = malloc(GBM_MANIFEST_BLOCKS * sizeof(*crc));
	if (!crc)
		return gbm_error_set(err, GBM_ENOMEM, "no memory is left");
	s->fd = open(s->file, O_RDWR | O_CLOEXEC);
	if (s->fd < 0 || fstat(s->fd, &st) != 0 ||
	    (uint64_t)st.st_size != s->bytes ||
	    gbm_manifest_read(&there, s->name, crc, NULL) != GBM_OK ||
	    there.ticket != ticket)
		status = gbm_error_set(err, GBM_ECREATE,
				       "%s is not here what it is where rank 0 "
				       "made it: choose a directory that all "
				       "nodes share",
				       gbm_shown(s->file).text);
	else
		kind_of(s, &in_memory);
	free(crc);
	s->m.ticket = ticket;
	return status;
}

int gbm_samples_join(struct gbm_samples **samples, const char *file,
		     const struct gbm_plan *plan,
		     const struct gbm_samples_options *options, uint64_t ticket,
		     struct gbm_error *err)
{
	int status = gbm_samples_new(samples, file, plan, options, err);

	if (!status && options && options->shards && options->resume)
		(*samples)->m.ticket = ticket; /* opened when it is its turn */
	else if (!status && options && options->shards)
		status = create(*samples, options->force, 0, NULL, err);
	else if (!status)
		status = join(*samples, ticket, err);
	if (status)
		gbm_samples_close(samples);
	return status;
}

/* ---- going on with it */

/* A file or a shard, whose first rows may be there, is opened and has room. */
static int admit(struct gbm_samples *s, struct gbm_error *err)
{
	uint64_t there = s->resumed[s->shard] * s->row.bytes + GBM_NPY_DATA;
	struct stat st = { 0 };
	int status, error;

	s->fd = open(s->file,
		     O_RDWR | O_NOFOLLOW | O_CLOEXEC |
			     (s->resumed[s->shard] ? 0 : O_CREAT),
		     0666);
	if (s->fd < 0)
		return not_made(s, 0, errno, err);
	if (fstat(s->fd, &st) != 0 || !S_ISREG(st.st_mode))
		return gbm_error_set(err, GBM_ECREATE,
				     "%s is no regular file: give another name",
				     gbm_shown(s->file).text);
	if (s->resumed[s->shard] && (uint64_t)st.st_size < there)
		return gbm_error_set(err, GBM_EDAMAGED,
				     "%s has %s, but %s by its checkpoint: "
				     "bring it back, or replace it by force "
				     "(--force)",
				     gbm_shown(s->file).text,
				     gbm_size_text((uint64_t)st.st_size).text,
				     gbm_size_text(there).text);
	status = check_limit(s, err);
	if (!status)
		status = check_room(s, (uint64_t)st.st_blocks * 512, err);
	if (status)
		return status;
	error = reserve(s);
	if (!error)
		return GBM_OK;
	/* What is there stays as it was. */
	(void)!ftruncate(s->fd, st.st_size);
	return not_made(s, 1, error, err);
}

/* All that is missing of a file or a shard. */
static int revive(struct gbm_samples *s, struct gbm_error *err)
{
	int status = admit(s, err), error;

	if (status)
		return status;
	error = put_header(s);
	return error ? not_made(s, 1, error, err) : GBM_OK;
}

int gbm_samples_move(struct gbm_samples *s, unsigned shard,
		     struct gbm_error *err)
{
	int status;

	if (!s || s->reads || shard >= s->n_files)
		return gbm_error_set(err, GBM_EINVAL,
				     "a shard must be one of the file's");
	if (shard == s->shard && s->fd >= 0)
		return GBM_OK;
	status = gbm_samples_sync(s, err);
	if (status)
		return status;
	if (gbm_samples_choose(s, shard) != GBM_OK)
		return gbm_error_set(err, GBM_ENOMEM, "no memory is left");
	return revive(s, err);
}

static int same_number(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

/* In what the file of the manifest is of another run; NULL: in nothing. */
static const char *other_run(const struct gbm_manifest *a,
			     const struct gbm_manifest *b)
{
	const struct gbm_model *m = &a->model, *n = &b->model;

	if (a->stream_version != b->stream_version)
		return "stream version";
	if (a->seed != b->seed)
		return "seed";
	if (m->spot != n->spot || m->horizon != n->horizon || m->vol != n->vol)
		return m->spot != n->spot	  ? "spot"
		       : m->horizon != n->horizon ? "horizon"
						  : "volatility";
	if (m->rate != n->rate || m->dividend != n->dividend ||
	    !same_number(m->drift, n->drift))
		return "rate, dividend or drift";
	if (m->steps != n->steps)
		return "number of steps";
	if (a->save != b->save || a->dtype != b->dtype)
		return a->save != b->save ? "--save" : "--dtype";
	if (a->first_path != b->first_path)
		return "first path";
	return a->shards != b->shards ? "number of shards" : NULL;
}

static int suits(const struct gbm_samples *s, const struct gbm_manifest *there,
		 struct gbm_error *err)
{
	const char *other = other_run(there, &s->m);

	if (other)
		return gbm_error_set(err, GBM_EINVAL,
				     "%s was written with another %s: see its "
				     "manifest, or give another name",
				     gbm_shown(s->name).text, other);
	if (there->rows > s->m.rows)
		return gbm_error_set(err, GBM_EINVAL,
				     "%s has %llu paths, more than this run's "
				     "%llu: give at least as many, or another "
				     "name",
				     gbm_shown(s->name).text,
				     (unsigned long long)there->rows,
				     (unsigned long long)s->m.rows);
	if (there->rows < s->m.rows && s->m.shards)
		return gbm_error_set(err, GBM_EINVAL,
				     "%s has shards for %llu paths, and more "
				     "would move their borders: write the "
				     "further ones into another file (--replay "
				     "%llu:%llu --out)",
				     gbm_shown(s->name).text,
				     (unsigned long long)there->rows,
				     (unsigned long long)there->rows,
				     (unsigned long long)s->m.rows);
	return GBM_OK;
}

/* there: the manifest, of a file that the options suit. */
static int go_on(struct gbm_samples *s, const struct gbm_manifest *there,
		 const char *checkpoint, struct gbm_summary *summary,
		 struct gbm_error *err)
{
	struct gbm_error why = { 0 };
	int error, status = gbm_checkpoint_load_samples(checkpoint, s->plan, s,
							summary, &why);

	if (status == GBM_ENOENT && there->complete)
		return gbm_error_set(err, GBM_ECREATE,
				     "%s is complete, but its checkpoint %s is "
				     "gone: verify it (--verify), or replace "
				     "it by force (--force)",
				     gbm_shown(s->name).text,
				     gbm_shown(checkpoint).text);
	if (status && status != GBM_ENOENT) {
		if (err)
			*err = why;
		return status;
	}
	if (status == GBM_ENOENT)
		s->m.ticket = there->complete ? draw_ticket() : there->ticket;
	else if (!there->complete && there->ticket != s->m.ticket)
		return gbm_error_set(err, GBM_EDAMAGED,
				     "%s: the checkpoint is not of this %s: "
				     "remove one of them",
				     gbm_shown(checkpoint).text,
				     gbm_shown(s->name).text);
	s->m.complete = there->complete && there->rows == s->m.rows;
	if (s->m.complete)
		return GBM_OK;
	if (gbm_samples_choose(s, s->shard) != GBM_OK)
		return gbm_error_set(err, GBM_ENOMEM, "no memory is left");
	status = admit(s, err);
	if (status)
		return status;
	/* What is missing must not look complete, nor wait for its turn. */
	status = put_manifest(s, GBM_ECREATE, err);
	if (status)
		return status;
	error = put_header(s);
	return error ? not_made(s, 1, error, err) : GBM_OK;
}

/* Whether there is a file by this name, of whatever kind. */
static int is_there(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0 || errno != ENOENT;
}

int gbm_samples_resume(struct gbm_samples **samples, const char *file,
		       const struct gbm_plan *plan,
		       const struct gbm_samples_options *options,
		       struct gbm_summary *summary, struct gbm_error *err)
{
	uint32_t *crc = malloc(GBM_MANIFEST_BLOCKS * sizeof(*crc));
	char *manifest = NULL;
	struct gbm_manifest there;
	int status;

	if (samples)
		*samples = NULL;
	if (!samples || !options || options->size != sizeof(*options) ||
	    !options->checkpoint || !summary) {
		status = gbm_error_set(err, GBM_EINVAL,
				       "samples, options with a checkpoint, "
				       "and summary: must be given");
		free(crc);
		return status;
	}
	status = gbm_samples_new(samples, file, plan, options, err);
	if (!status)
		manifest = with_suffix(file, MANIFEST);
	if (!status && (!crc || !manifest))
		status = gbm_error_set(err, GBM_ENOMEM, "no memory is left");
	if (status)
		goto out;
	if (!is_there(manifest)) {
		if (is_there(options->checkpoint))
			status = gbm_error_set(
				err, GBM_EDAMAGED,
				"%s: there is a checkpoint, but no manifest "
				"%s: bring the file back, or begin anew by "
				"force (--force)",
				gbm_shown(options->checkpoint).text,
				gbm_shown(manifest).text);
		else
			status = create(*samples, 0, 1, NULL, err);
		goto out;
	}
	status = gbm_manifest_read(&there, file, crc, err);
	if (!status)
		status = suits(*samples, &there, err);
	if (!status)
		status = go_on(*samples, &there, options->checkpoint, summary,
			       err);
out:
	free(crc);
	free(manifest);
	if (status)
		gbm_samples_close(samples);
	return status;
}

/* ---- completing it */

int gbm_samples_sync(struct gbm_samples *s, struct gbm_error *err)
{
	int status = gbm_samples_settle(s, err);

	if (status || s->fd < 0 || fsync(s->fd) == 0)
		return status;
	return complain(err, GBM_EIO, s->file, "it could not be written",
			errno);
}

/* The checksums of a file that was compared. */
static int compare_checksums(struct gbm_samples *s, struct gbm_error *err)
{
	for (uint32_t i = 0; s->m.complete && i < s->m.n_blocks; i++) {
		uint64_t first = s->m.first_path + i * s->m.block_rows;

		if (s->done[i] == gbm_samples_block_rows(s, i) &&
		    s->crc[i] != s->expected[i])
			return gbm_error_set(
				err, GBM_EDAMAGED,
				"%s: its samples are right, but the manifest's "
				"checksum of paths %llu to %llu is not",
				gbm_shown(s->name).text,
				(unsigned long long)first,
				(unsigned long long)(first + s->done[i] - 1));
	}
	return GBM_OK;
}

int gbm_samples_finish(struct gbm_samples *s, struct gbm_error *err)
{
	int status;

	if (s->reads)
		return compare_checksums(s, err);
	if (s->m.complete)
		return GBM_OK;
	for (uint32_t i = 0; i < s->m.n_blocks; i++)
		if (s->done[i] != gbm_samples_block_rows(s, i))
			return gbm_error_set(err, GBM_EIO,
					     "%s: rows of block %u of %u were "
					     "not written: it is not complete",
					     gbm_shown(s->file).text, i,
					     s->m.n_blocks);
	status = gbm_samples_sync(s, err);
	if (status)
		return status;
	s->m.complete = 1;
	return put_manifest(s, GBM_EIO, err);
}

/* ---- opening it to compare */

static int check_header(struct gbm_samples *s, struct gbm_error *err)
{
	char there[GBM_NPY_DATA], header[GBM_NPY_DATA];
	struct stat st;
	ssize_t n;

	if (fstat(s->fd, &st) != 0)
		return complain(err, GBM_EIO, s->file, "it cannot be read",
				errno);
	if ((uint64_t)st.st_size != s->bytes)
		return gbm_error_set(err, GBM_EDAMAGED,
				     "%s has %llu bytes, but %llu by its "
				     "manifest",
				     gbm_shown(s->file).text,
				     (unsigned long long)st.st_size,
				     (unsigned long long)s->bytes);
	n = pread(s->fd, there, sizeof(there), 0);
	if (n < 0)
		return complain(err, GBM_EIO, s->file, "it cannot be read",
				errno);
	gbm_npy_header(header, s->row.float_bytes, s->rows, s->m.columns);
	if (n != (ssize_t)sizeof(there) ||
	    memcmp(there, header, sizeof(there)) != 0)
		return gbm_error_set(err, GBM_EDAMAGED,
				     "%s: its header is damaged: it is not of "
				     "the shape and type that the manifest has",
				     gbm_shown(s->file).text);
	return GBM_OK;
}

int gbm_samples_look(struct gbm_samples *s, struct gbm_error *err)
{
	int in_memory;

	s->fd = open(s->file, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0)
		return complain(err, GBM_EIO, s->file, "it cannot be read",
				errno);
	kind_of(s, &in_memory);
	return check_header(s, err);
}

int gbm_samples_open(struct gbm_samples **samples, const char *file,
		     const struct gbm_plan *plan, struct gbm_error *err)
{
	struct gbm_samples_options o = GBM_SAMPLES_OPTIONS_INIT;
	struct gbm_manifest m;
	uint32_t *crc;
	int status;

	if (!samples || !file || !plan)
		return gbm_error_set(err, GBM_EINVAL,
				     "samples, file and plan: must be given");
	*samples = NULL;
	crc = malloc(GBM_MANIFEST_BLOCKS * sizeof(*crc));
	if (!crc)
		return gbm_error_set(err, GBM_ENOMEM, "no memory is left");
	status = gbm_manifest_read(&m, file, crc, err);
	if (!status && m.stream_version != GBM_STREAM_VERSION)
		status = gbm_error_set(err, GBM_EFORMAT,
				       "%s was made by stream version %d, this "
				       "is %d: use the release that made it",
				       gbm_shown(file).text, m.stream_version,
				       GBM_STREAM_VERSION);
	if (!status && (m.seed != plan->dynamics.seed ||
			m.model.steps != plan->dynamics.steps ||
			m.first_path + m.rows != plan->n_paths))
		status = gbm_error_set(err, GBM_EINVAL,
				       "%s: the plan is not that of its "
				       "manifest",
				       gbm_shown(file).text);
	o.save = m.save;
	o.dtype = m.dtype;
	o.first_path = m.first_path;
	o.shards = m.shards;
	if (!status)
		status = gbm_samples_new(samples, file, plan, &o, err);
	if (!status) {
		(*samples)->expected = crc;
		(*samples)->reads = 1;
		(*samples)->m.complete = m.complete;
		crc = NULL;
		status = gbm_samples_look(*samples, err);
	}
	free(crc);
	if (status)
		gbm_samples_close(samples);
	return status;
}
