/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * /proc/PID/mountinfo, and after an '@' a cgroup path to be found in what is
 * mounted there.
 */
#include "plugin/procfs.h"

#include "fuzz.h"

static void must_be_path(const char path[PROCFS_PATH_MAX])
{
	must(length(path, PROCFS_PATH_MAX) > 0 && path[0] == '/');
}

static void check_join(const struct procfs_mount *mount, struct span path)
{
	size_t root = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);
	const char *point = mount->point + strspn(mount->point, "/");
	size_t size = strlen(point) + path.len + 1;
	char *out = malloc(size), *small;
	size_t len;

	must(out);
	memset(out, 'x', size);
	len = procfs_join(mount, path, out, size);
	if (len > 0) {
		must(len < size && strlen(out) == len && out[0] != '/');
		must(memcmp(out, point, strlen(point)) == 0);
		/* Only what is below the mount's root, whole components. */
		must(path.len >= root &&
		     memcmp(path.at, mount->root, root) == 0);
		must(path.len == root || path.at[root] == '/');
		must(len == strlen(point) + path.len - root);
		must(memcmp(out + strlen(point), path.at + root,
			    path.len - root) == 0);
		must(!strstr(out + strlen(point), "/../"));
		must(len < 3 || strcmp(out + len - 3, "/..") != 0 ||
		     path.len == root);
		/* It takes what it needs, and not a byte more. */
		small = malloc(len + 1);
		must(small);
		must(procfs_join(mount, path, small, len + 1) == len);
		must(strcmp(small, out) == 0);
		must(procfs_join(mount, path, small, len) == 0);
		free(small);
	}
	free(out);
}

static void check_line(const char *line, size_t len, const char *controller,
		       struct span path)
{
	static const char below[] = "/uid_0/job_17";
	static char joined[2 * PROCFS_PATH_MAX],
		path_below[2 * PROCFS_PATH_MAX];
	struct procfs_mount mount;
	struct span inside;
	size_t root;

	if (!procfs_mount(line, len, controller, &mount))
		return;
	must_be_path(mount.root);
	must_be_path(mount.point);
	check_join(&mount, path);
	/* What is mounted is found, wherever that is. */
	root = strcmp(mount.root, "/") == 0 ? 0 : strlen(mount.root);
	memcpy(path_below, mount.root, root);
	memcpy(path_below + root, below, sizeof(below));
	inside.at = path_below;
	inside.len = root + sizeof(below) - 1;
	if (!strstr(mount.root, "..") &&
	    mount.point[strspn(mount.point, "/")] != '\0')
		must(procfs_join(&mount, inside, joined, sizeof(joined)) > 0);
	check_join(&mount, inside);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	size_t len = find_byte(text, size, '@');
	struct span path = { "", 0 };

	if (len < size) {
		path.at = text + len + 1;
		path.len = size - len - 1;
	}
	while (len > 0) {
		size_t end = find_byte(text, len, '\n');
		char *line = exact_copy(text, end);

		check_line(line, end, "memory", path);
		check_line(line, end, NULL, path);
		free(line);
		text += end + (end < len);
		len -= end + (end < len);
	}
	return 0;
}
