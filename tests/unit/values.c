/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/values.h"

#define MAX_ROWS 128

static struct value rows[MAX_ROWS];
static size_t n_rows;

static void die(const char *what, const char *where)
{
	fprintf(stderr, "tests/kat/values.csv: %s: %s\n", what, where);
	abort();
}

/* Cuts the next field off *rest; only the last one is ever quoted. */
static void take(char **rest, char *to, size_t size)
{
	size_t n = strcspn(*rest, ",");

	if ((*rest)[n] != ',' || n >= size)
		die("malformed row", *rest);
	memcpy(to, *rest, n);
	to[n] = '\0';
	*rest += n + 1;
}

static void read_rows(void)
{
	FILE *f = fopen(GBM_SRCDIR "/tests/kat/values.csv", "r");
	char line[1024], tolerance[48];

	if (!f)
		die("cannot be opened", GBM_SRCDIR);
	while (fgets(line, sizeof(line), f)) {
		struct value *v = rows + n_rows;
		char *rest = line, *end;

		if (line[0] == '#' || !strncmp(line, "id,", 3))
			continue;
		if (n_rows == MAX_ROWS || !strchr(line, '\n'))
			die("too many rows, or too long", line);
		take(&rest, v->id, sizeof(v->id));
		take(&rest, v->product, sizeof(v->product));
		take(&rest, v->params, sizeof(v->params));
		take(&rest, v->text, sizeof(v->text));
		take(&rest, tolerance, sizeof(tolerance));
		v->value = strtod(v->text, NULL);
		v->tolerance = strtod(tolerance, &end);
		v->relative = !strcmp(end, " relative");
		if (end == tolerance || (*end && !v->relative))
			die("tolerance is no number", v->id);
		n_rows++;
	}
	fclose(f);
}

const struct value *value_next(const struct value *after, const char *product)
{
	if (!n_rows)
		read_rows();
	for (const struct value *v = after ? after + 1 : rows;
	     v < rows + n_rows; v++)
		if (!strcmp(v->product, product))
			return v;
	if (!after)
		die("no such product", product);
	return NULL;
}

const char *value_text(const struct value *v, const char *name)
{
	static char text[sizeof(v->params)];
	size_t len = strlen(name);

	for (const char *p = v->params; p; p = strchr(p, ';')) {
		p += *p == ';';
		if (strncmp(p, name, len) != 0 || p[len] != '=')
			continue;
		p += len + 1;
		memcpy(text, p, strcspn(p, ";"));
		text[strcspn(p, ";")] = '\0';
		return text;
	}
	return NULL;
}

double value_number(const struct value *v, const char *name)
{
	const char *text = value_text(v, name);
	char *end;
	double x;

	if (!text)
		die("parameter is absent", name);
	x = strtod(text, &end);
	if (end == text || *end)
		die("parameter is no number", v->params);
	return x;
}
