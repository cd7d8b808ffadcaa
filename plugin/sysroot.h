/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files below a root directory that the caller names by a descriptor: the real
 * root in slurmstepd, a fixture in a test. Nothing here reads the environment.
 *
 * Paths are relative (leading slashes are dropped) and are walked one component
 * at a time with O_NOFOLLOW: a symbolic link anywhere in one, "." or ".." is an
 * error, so that nobody's directory can lead a write elsewhere. Every
 * descriptor is O_CLOEXEC and none is kept. Functions return -errno upon
 * failure.
 */
#ifndef GBM_PLUGIN_SYSROOT_H
#define GBM_PLUGIN_SYSROOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The real root, as a descriptor that only serves as ROOT; caller closes. */
int sysroot_real(void);

/* openat(2) with FLAGS for an existing file; returns a descriptor. */
int sysroot_open(int root, const char *path, int flags);

/*
 * Reads a whole file and terminates it; returns its length. A file of SIZE
 * bytes or more is -EFBIG: half a file must not pass for one.
 */
ssize_t sysroot_read(int root, const char *path, char *buf, size_t size);

/* Reads a file that holds one number, as procfs_u64() has it. */
int sysroot_read_u64(int root, const char *path, uint64_t *value);

/* Replaces the file's content by VALUE in one write(2), as cgroups want it. */
int sysroot_write_u64(int root, const char *path, uint64_t value);

/*
 * Calls FN with each line (without its newline) until it returns true, and
 * returns 1 then, else 0. Lines longer than a few KiB are left out whole.
 */
typedef bool sysroot_line(const char *line, size_t len, void *ctx);
int sysroot_lines(int root, const char *path, sysroot_line *fn, void *ctx);

/*
 * Calls FN with the name of each entry of the directory DIR (a descriptor), or
 * of each directory in it, but not "." and "..", until it returns true; returns
 * 1 then, else 0. FN may remove the entry.
 */
typedef bool sysroot_name(const char *name, void *ctx);
int sysroot_names(int dir, bool dirs_only, sysroot_name *fn, void *ctx);

#endif
