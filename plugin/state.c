/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_PATH */
#endif

#include "plugin/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/procfs.h"
#include "plugin/sysroot.h"

#include "plugin/banned.h"

#define VERSION	 "gbm-state 1\n"
#define NAME_LEN 32

size_t state_format(const struct state *s, char out[STATE_TEXT_MAX])
{
	int n;

	if (s->refused) {
		n = snprintf(out, STATE_TEXT_MAX,
			     VERSION "job %" PRIu32 "\nuid %" PRIu32
				     "\nrefused %s\n",
			     s->job, s->uid, s->reason.text);
	} else {
		char swap[24] = "none", cap[24] = "none";

		if (s->limits.swap.mode == SWAP_ALLOW)
			snprintf(swap, sizeof(swap), "allow");
		else if (s->limits.swap.mode == SWAP_SIZE)
			snprintf(swap, sizeof(swap), "%" PRIu64,
				 s->limits.swap.bytes);
		if (s->limits.cap != NO_CAP)
			snprintf(cap, sizeof(cap), "%" PRIu64, s->limits.cap);
		n = snprintf(out, STATE_TEXT_MAX,
			     VERSION "job %" PRIu32 "\nuid %" PRIu32
				     "\ncap %s\nswap %s\nreport %s\n",
			     s->job, s->uid, cap, swap,
			     conf_report_text(s->report));
	}
	return n > 0 && n < STATE_TEXT_MAX ? (size_t)n : 0;
}

/* Takes the line "KEY value\n" off the text; VALUE is without the newline. */
static bool take(struct span *text, const char *key, struct span *value)
{
	size_t key_len = strlen(key);
	const char *end;

	if (text->len <= key_len || memcmp(text->at, key, key_len) != 0 ||
	    text->at[key_len] != ' ')
		return false;
	end = memchr(text->at, '\n', text->len);
	if (!end)
		return false;
	value->at = text->at + key_len + 1;
	value->len = (size_t)(end - value->at);
	text->len -= (size_t)(end + 1 - text->at);
	text->at = end + 1;
	return true;
}

static bool take_u64(struct span *text, const char *key, uint64_t most,
		     uint64_t *value)
{
	struct span s;

	/* A value has no newline left, so "max" is all that is to be kept out
	 * beside what procfs_u64() refuses. */
	return take(text, key, &s) && procfs_u64(s.at, s.len, value) &&
	       s.at[0] != 'm' && *value <= most;
}

static bool parse_cap(struct span s, uint64_t *cap)
{
	if (s.len == 4 && memcmp(s.at, "none", 4) == 0) {
		*cap = NO_CAP;
		return true;
	}
	return procfs_u64(s.at, s.len, cap) && *cap > 0 && *cap <= INT64_MAX &&
	       *cap % SIZE_ROUND == 0;
}

static bool parse_swap(struct span s, struct swap *swap)
{
	swap->bytes = 0;
	if (s.len == 4 && memcmp(s.at, "none", 4) == 0) {
		swap->mode = SWAP_NONE;
		return true;
	}
	if (s.len == 5 && memcmp(s.at, "allow", 5) == 0) {
		swap->mode = SWAP_ALLOW;
		return true;
	}
	swap->mode = SWAP_SIZE;
	return procfs_u64(s.at, s.len, &swap->bytes) && swap->bytes > 0 &&
	       swap->bytes <= INT64_MAX && swap->bytes % SIZE_ROUND == 0;
}

bool state_parse(const char *text, size_t len, struct state *s)
{
	static const char version[] = VERSION;
	struct span rest = { text, len }, value;
	uint64_t job, uid;

	memset(s, 0, sizeof(*s));
	if (len < sizeof(version) - 1 ||
	    memcmp(text, version, sizeof(version) - 1) != 0)
		return false;
	rest.at += sizeof(version) - 1;
	rest.len -= sizeof(version) - 1;
	if (!take_u64(&rest, "job", UINT32_MAX, &job) ||
	    !take_u64(&rest, "uid", UINT32_MAX, &uid))
		return false;
	s->job = (uint32_t)job;
	s->uid = (uint32_t)uid;
	if (take(&rest, "refused", &value)) {
		if (value.len == 0 || value.len >= sizeof(s->reason.text))
			return false;
		for (size_t i = 0; i < value.len; i++)
			if (value.at[i] < ' ' || value.at[i] > '~')
				return false;
		memcpy(s->reason.text, value.at, value.len);
		s->refused = true;
		return rest.len == 0;
	}
	return take(&rest, "cap", &value) && parse_cap(value, &s->limits.cap) &&
	       take(&rest, "swap", &value) &&
	       parse_swap(value, &s->limits.swap) &&
	       take(&rest, "report", &value) &&
	       conf_report_word(value.at, value.len, &s->report) &&
	       rest.len == 0;
}

/* Root's, or this test's; writable by nobody else, unless like /tmp. */
static bool dir_is_safe(const struct stat *st, uid_t owner, bool last)
{
	if (!S_ISDIR(st->st_mode) ||
	    (st->st_uid != owner && (last || st->st_uid != 0)))
		return false;
	return !(st->st_mode & (S_IWGRP | S_IWOTH)) ||
	       (!last && (st->st_mode & S_ISVTX));
}

/* Steps from DIR (closed, unless it is ROOT) into NAME. */
static int enter(int root, int dir, const char *name, bool create, bool last,
		 uid_t owner, const char *path, struct err *e)
{
	int flags = (last ? O_RDONLY : O_PATH) | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC;
	int fd = openat(dir, name, flags), error = errno;
	struct stat st;

	if (fd < 0 && error == ENOENT && create) {
		if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
			error = errno;
		else
			fd = openat(dir, name, flags), error = errno;
	}
	if (dir != root)
		close(dir);
	if (fd < 0 && error == ENOENT && !create)
		return STATE_NONE;
	if (fd < 0)
		return err_set(e, "the state directory %s cannot be %s: %s",
			       path, create ? "made" : "opened",
			       err_cause(error));
	if (fstat(fd, &st) < 0 || !dir_is_safe(&st, owner, last)) {
		close(fd);
		return err_set(e,
			       "the state directory %s is not root's alone: "
			       "%s must belong to root and be writable by "
			       "nobody else",
			       path, name);
	}
	return fd;
}

int state_open_dir(int root, const char *state_dir, const char *node,
		   bool create, uid_t owner, struct err *e)
{
	char path[CONF_STATE_DIR_MAX + 1 + NAME_MAX + 1];
	char name[NAME_MAX + 1];
	const char *at = path;
	int dir = root;
	int n = snprintf(path, sizeof(path), "%s/%s", state_dir, node);

	if (n < 0 || (size_t)n >= sizeof(path) || node[0] == '\0' ||
	    node[0] == '.' || strchr(node, '/'))
		return err_set(e, "the node's name cannot be a file name");
	for (;;) {
		size_t len;
		bool last;

		at += strspn(at, "/");
		len = strcspn(at, "/");
		last = at[len] == '\0';
		if (len == 0 || len > NAME_MAX)
			n = err_set(e, "the state directory %s is no path",
				    path);
		if (len == 0 || len > NAME_MAX) {
			if (dir != root)
				close(dir);
			return n;
		}
		memcpy(name, at, len);
		name[len] = '\0';
		dir = enter(root, dir, name, create, last, owner, path, e);
		if (dir < 0 || last)
			return dir;
		at += len;
	}
}

static void file_name(char out[NAME_LEN], const char *prefix, uint32_t job)
{
	snprintf(out, NAME_LEN, "%sjob_%" PRIu32, prefix, job);
}

int state_load(int dir, uint32_t job, uint32_t uid, uid_t owner,
	       struct state *s, struct err *e)
{
	char name[NAME_LEN], text[STATE_TEXT_MAX];
	struct stat st;
	ssize_t n;
	int fd;

	file_name(name, "", job);
	fd = sysroot_open(dir, name, O_RDONLY);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return err_set(e,
			       "what this node noted of the job's cap cannot "
			       "be read (%s): tell the administrator",
			       err_cause(-fd));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != owner ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) || st.st_nlink != 1)
		n = -1;
	else
		do
			n = read(fd, text, sizeof(text));
		while (n < 0 && errno == EINTR);
	close(fd);
	/* The file is replaced as a whole, so one read gets all of it. */
	if (n < 0 || n == sizeof(text) || !state_parse(text, (size_t)n, s) ||
	    s->job != job)
		return err_set(e, "what this node noted of the job's cap is "
				  "damaged or not root's own: tell the "
				  "administrator");
	return s->uid == uid;
}

int state_save(int dir, const struct state *s, struct err *e)
{
	char name[NAME_LEN], temp[NAME_LEN], text[STATE_TEXT_MAX];
	size_t len = state_format(s, text);
	ssize_t n = -1;
	int fd, error;

	file_name(name, "", s->job);
	file_name(temp, ".new_", s->job);
	if (unlinkat(dir, temp, 0) < 0 && errno != ENOENT)
		return err_set(e, "cannot remove %s: %s", temp,
			       err_cause(errno));
	fd = openat(dir, temp,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(e, "cannot make %s: %s", temp, err_cause(errno));
	errno = 0;
	if (len > 0)
		n = write(fd, text, len);
	error = errno;
	if (n != (ssize_t)len || fchmod(fd, 0644) < 0) {
		error = error ? error : EIO;
	} else {
		error = 0;
		/* A block of an earlier job with this id is a directory. */
		if (renameat(dir, temp, dir, name) < 0 &&
		    (errno != EISDIR || unlinkat(dir, name, AT_REMOVEDIR) < 0 ||
		     renameat(dir, temp, dir, name) < 0))
			error = errno;
	}
	close(fd);
	if (!error)
		return 0;
	unlinkat(dir, temp, 0);
	return err_set(e, "cannot write %s: %s", name, err_cause(error));
}

int state_block(int dir, uint32_t job)
{
	char name[NAME_LEN];

	file_name(name, "", job);
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT && errno != EISDIR)
		return -errno;
	if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

int state_remove(int dir, uint32_t job)
{
	char name[NAME_LEN];

	file_name(name, ".new_", job);
	unlinkat(dir, name, 0);
	file_name(name, "", job);
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno == EISDIR && unlinkat(dir, name, AT_REMOVEDIR) == 0)
		return 0;
	return -errno;
}
