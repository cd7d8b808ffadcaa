/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/procfs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "plugin/banned.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool span_is(struct span s, const char *word)
{
	return strlen(word) == s.len && memcmp(s.at, word, s.len) == 0;
}

static bool span_starts(struct span s, const char *word)
{
	size_t n = strlen(word);

	return s.len >= n && memcmp(s.at, word, n) == 0;
}

/*
 * Cuts the part before the first SEP off REST. Returns false once REST has been
 * used up (at == NULL); "a" and "" still give one part each.
 */
static bool cut(struct span *rest, char sep, struct span *part)
{
	const char *end;

	if (!rest->at)
		return false;
	*part = *rest;
	end = rest->len ? memchr(rest->at, sep, rest->len) : NULL;
	if (!end) {
		rest->at = NULL;
		rest->len = 0;
		return true;
	}
	part->len = (size_t)(end - rest->at);
	rest->at = end + 1;
	rest->len -= part->len + 1;
	return true;
}

static bool list_has(struct span list, const char *word)
{
	struct span item;

	while (cut(&list, ',', &item))
		if (span_is(item, word))
			return true;
	return false;
}

int procfs_cgroup(const char *text, size_t len, const char *controller,
		  struct span *path)
{
	struct span rest = { text, len }, line;
	int found = 0;

	while (cut(&rest, '\n', &line)) {
		struct span id, list;

		if (!cut(&line, ':', &id) || !cut(&line, ':', &list) ||
		    !line.at)
			continue;
		if (controller ? !list_has(list, controller)
			       : !(span_is(id, "0") && list.len == 0))
			continue;
		if (found || line.len == 0 || line.at[0] != '/')
			return -1;
		*path = line;
		found = 1;
	}
	return found;
}

static bool is_step(struct span name)
{
	static const char prefix[] = "step_";
	size_t i = sizeof(prefix) - 1;

	if (!span_starts(name, prefix) || i == name.len)
		return false;
	/* 0, batch, extern, interactive, and 0+1 in heterogeneous jobs. */
	for (; i < name.len; i++)
		if (!is_digit(name.at[i]) && name.at[i] != '+' &&
		    !(name.at[i] >= 'a' && name.at[i] <= 'z'))
			return false;
	return true;
}

/* As Slurm 26.05 names a job's directory: 's' and 13 digits of base 32. */
static bool is_sluid(struct span name)
{
	static const char digit[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

	if (name.len != 14 || name.at[0] != 's')
		return false;
	for (size_t i = 1; i < name.len; i++)
		if (!memchr(digit, name.at[i], sizeof(digit) - 1))
			return false;
	return true;
}

bool procfs_split(struct span path, uint32_t job, size_t *job_len,
		  size_t *step_len)
{
	struct span rest = path, name, parent = { "", 0 };
	char wanted[16];

	snprintf(wanted, sizeof(wanted), "job_%" PRIu32, job);
	for (; cut(&rest, '/', &name); parent = name) {
		if (!is_step(name) ||
		    !(span_starts(parent, "job_") || is_sluid(parent)))
			continue;
		*job_len = (size_t)(name.at - path.at) - 1;
		*step_len = *job_len + 1 + name.len;
		return span_is(parent, wanted) || is_sluid(parent);
	}
	return false;
}

bool procfs_is_in(const char *line, size_t len, const char *dir)
{
	struct span rest = { line, len }, field;
	size_t dir_len = strlen(dir), above = procfs_above(dir, dir_len, 1, 2);
	const char *tail = dir + above;
	size_t tail_len = dir_len - above;

	if (above == 0 || !cut(&rest, ':', &field) || !cut(&rest, ':', &field))
		return false;
	for (; rest.at && rest.len >= tail_len; rest.at++, rest.len--)
		if (memcmp(rest.at, tail, tail_len) == 0 &&
		    (rest.len == tail_len || rest.at[tail_len] == '/'))
			return true;
	return false;
}

/* The kernel writes space, tab, newline and backslash as \ooo. */
static bool unescape(struct span in, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		unsigned c = (unsigned char)in.at[i];

		if (c == '\\') {
			if (in.len - i < 4)
				return false;
			c = 0;
			for (size_t d = 1; d <= 3; d++) {
				if (in.at[i + d] < '0' || in.at[i + d] > '7')
					return false;
				c = c * 8 + (unsigned)(in.at[i + d] - '0');
			}
			i += 3;
		}
		if (c == 0 || c > 255 || n + 1 >= size)
			return false;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return n > 0 && out[0] == '/';
}

bool procfs_mount(const char *line, size_t len, const char *controller,
		  struct procfs_mount *mount)
{
	struct span rest = { line, len }, field, root, point, type;

	/* id, parent, major:minor, root, point, options, then any number of
	 * optional fields up to "-", then type, source and its options. */
	for (int i = 0; i < 3; i++)
		if (!cut(&rest, ' ', &field))
			return false;
	if (!cut(&rest, ' ', &root) || !cut(&rest, ' ', &point))
		return false;
	do {
		if (!cut(&rest, ' ', &field))
			return false;
	} while (!span_is(field, "-"));
	if (!cut(&rest, ' ', &type) || !cut(&rest, ' ', &field) || !rest.at)
		return false;
	if (controller ? !span_is(type, "cgroup") || !list_has(rest, controller)
		       : !span_is(type, "cgroup2"))
		return false;
	return unescape(root, mount->root, sizeof(mount->root)) &&
	       unescape(point, mount->point, sizeof(mount->point));
}

size_t procfs_join(const struct procfs_mount *mount, struct span path,
		   char *out, size_t size)
{
	struct span rest = path, name;
	size_t root_len = strlen(mount->root), point_len;
	const char *point = mount->point;

	while (cut(&rest, '/', &name))
		if (span_is(name, ".."))
			return 0;
	if (memchr(path.at, '\0', path.len))
		return 0;
	if (root_len == 1)
		root_len = 0;
	if (path.len < root_len ||
	    memcmp(path.at, mount->root, root_len) != 0 ||
	    (path.len > root_len && path.at[root_len] != '/'))
		return 0;
	path.at += root_len;
	path.len -= root_len;
	while (*point == '/')
		point++;
	point_len = strlen(point);
	if (point_len == 0 || path.len >= size || point_len >= size - path.len)
		return 0;
	memcpy(out, point, point_len);
	memcpy(out + point_len, path.at, path.len);
	out[point_len + path.len] = '\0';
	return point_len + path.len;
}

size_t procfs_above(const char *path, size_t len, size_t least, int levels)
{
	for (; levels > 0; levels--) {
		while (len > least && path[len - 1] != '/')
			len--;
		if (len <= least)
			return 0;
		len--;
	}
	return len < least ? 0 : len;
}

/* Digits at the start of S; returns how many, or 0 if none or too large. */
static size_t digits(struct span s, uint64_t *value)
{
	uint64_t v = 0;
	size_t i = 0;

	for (; i < s.len && is_digit(s.at[i]); i++) {
		uint64_t digit = (uint64_t)(s.at[i] - '0');

		if (v > (UINT64_MAX - digit) / 10)
			return 0;
		v = v * 10 + digit;
	}
	if (i > 0)
		*value = v;
	return i;
}

bool procfs_u64(const char *text, size_t len, uint64_t *value)
{
	struct span s = { text, len };
	uint64_t v;
	size_t n;

	if (s.len > 0 && s.at[s.len - 1] == '\n')
		s.len--;
	if (span_is(s, "max")) {
		*value = UINT64_MAX;
		return true;
	}
	n = digits(s, &v);
	if (n == 0 || n != s.len)
		return false;
	*value = v;
	return true;
}

bool procfs_key_u64(const char *text, size_t len, const char *key,
		    uint64_t *value)
{
	struct span rest = { text, len }, line, name;

	while (cut(&rest, '\n', &line))
		if (cut(&line, ' ', &name) && span_is(name, key) && line.at)
			return procfs_u64(line.at, line.len, value);
	return false;
}

/* Numbers as in Linux's sched.h and signal.h; proc(5) counts fields from 1 and
 * has the state third. */
#define PF_EXITING    0x4
#define SIGKILL_BIT   (1 << (9 - 1))
#define FIELD_STATE   3
#define FIELD_FLAGS   9
#define FIELD_PENDING 31

bool procfs_dying(const char *text, size_t len)
{
	struct span rest = { text, len }, field;
	uint64_t n;

	/* The name before it is the program's choice, parentheses included. */
	while (rest.len > 0 && rest.at[rest.len - 1] != ')')
		rest.len--;
	if (rest.len == 0)
		return false;
	rest.at += rest.len;
	rest.len = len - rest.len;
	if (!cut(&rest, ' ', &field) || field.len != 0)
		return false;
	for (int i = FIELD_STATE; cut(&rest, ' ', &field); i++) {
		if (i == FIELD_STATE &&
		    (span_is(field, "Z") || span_is(field, "X")))
			return true;
		if ((i != FIELD_FLAGS && i != FIELD_PENDING) ||
		    !procfs_u64(field.at, field.len, &n))
			continue;
		if (n & (i == FIELD_FLAGS ? PF_EXITING : SIGKILL_BIT))
			return true;
	}
	return false;
}

static bool meminfo(const char *text, size_t len, const char *key,
		    uint64_t *bytes)
{
	struct span rest = { text, len }, line;
	size_t key_len = strlen(key);
	uint64_t kib;
	size_t n;

	while (cut(&rest, '\n', &line)) {
		if (!span_starts(line, key))
			continue;
		line.at += key_len;
		line.len -= key_len;
		while (line.len > 0 && line.at[0] == ' ') {
			line.at++;
			line.len--;
		}
		n = digits(line, &kib);
		line.at += n;
		line.len -= n;
		if (n == 0 || !span_is(line, " kB") || kib > UINT64_MAX / 1024)
			return false;
		*bytes = kib * 1024;
		return true;
	}
	return false;
}

bool procfs_mem_total(const char *text, size_t len, uint64_t *bytes)
{
	return meminfo(text, len, "MemTotal:", bytes);
}

bool procfs_swap_total(const char *text, size_t len, uint64_t *bytes)
{
	return meminfo(text, len, "SwapTotal:", bytes);
}

static void skip_blanks(struct span *s)
{
	while (s->len > 0 && (s->at[0] == ' ' || s->at[0] == '\t')) {
		s->at++;
		s->len--;
	}
}

/* The next number of a line with blanks between its fields. */
static bool next_u64(struct span *s, uint64_t *value)
{
	size_t n;

	skip_blanks(s);
	n = digits(*s, value);
	s->at += n;
	s->len -= n;
	return n > 0 && (s->len == 0 || s->at[0] == ' ' || s->at[0] == '\t');
}

/* What follows "KEY:" at the start of a line of TEXT. */
static bool status_line(const char *text, size_t len, const char *key,
			struct span *value)
{
	struct span rest = { text, len }, name;

	while (cut(&rest, '\n', value))
		if (cut(value, ':', &name) && value->at && span_is(name, key))
			return true;
	return false;
}

bool procfs_uids(const char *text, size_t len, uint64_t uids[4])
{
	struct span value;

	if (!status_line(text, len, "Uid", &value))
		return false;
	for (int i = 0; i < 4; i++)
		if (!next_u64(&value, &uids[i]))
			return false;
	return true;
}

bool procfs_is_zombie(const char *text, size_t len)
{
	struct span value;

	if (!status_line(text, len, "State", &value))
		return false;
	skip_blanks(&value);
	return value.len > 0 && (value.at[0] == 'Z' || value.at[0] == 'X');
}

bool procfs_shm(const char *line, size_t len, struct procfs_shm *shm)
{
	/* key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime
	 * ctime, and more */
	struct span rest = { line, len };
	uint64_t field[14];

	skip_blanks(&rest);
	if (rest.len > 0 && rest.at[0] == '-') { /* the key is signed */
		rest.at++;
		rest.len--;
	}
	for (int i = 0; i < 14; i++)
		if (!next_u64(&rest, &field[i]))
			return false;
	if (field[1] > INT32_MAX)
		return false;
	shm->id = (int)field[1];
	shm->bytes = field[3];
	shm->attached = field[6];
	shm->uid = field[7];
	shm->cuid = field[9];
	shm->ctime = field[13];
	return true;
}
