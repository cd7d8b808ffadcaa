/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The note that a node keeps of a job: as text of any kind, and what is noted
 * read back.
 */
#include "plugin/state.h"

#include "fuzz.h"

static void must_survive(const struct state *s)
{
	char text[STATE_TEXT_MAX], again[STATE_TEXT_MAX];
	size_t len = state_format(s, text);
	struct state back;

	must(len > 0 && len < sizeof(text));
	must(state_parse(text, len, &back));
	must(back.job == s->job && back.uid == s->uid);
	must(back.refused == s->refused);
	if (s->refused) {
		must(strcmp(back.reason.text, s->reason.text) == 0);
	} else {
		must(back.limits.cap == s->limits.cap);
		must(back.report == s->report);
		must(back.limits.swap.mode == s->limits.swap.mode);
		must(back.limits.swap.mode != SWAP_SIZE ||
		     back.limits.swap.bytes == s->limits.swap.bytes);
	}
	must(state_format(&back, again) == len);
	must(memcmp(text, again, len) == 0);
	/* Half a note, or one with something behind it, is none. */
	for (size_t i = 0; i < len; i++)
		must(!state_parse(text, i, &back));
	text[len] = '\n';
	must(!state_parse(text, len + 1, &back));
}

static uint64_t take(const uint8_t **data, size_t *size)
{
	uint64_t value = 0;
	size_t n = *size < sizeof(value) ? *size : sizeof(value);

	memcpy(&value, *data, n);
	*data += n;
	*size -= n;
	return value;
}

/* A note of anything that the policy may have decided. */
static void make(const uint8_t *data, size_t size, struct state *s)
{
	char quoted[ERR_QUOTE_MAX];
	uint64_t bits = take(&data, &size);

	memset(s, 0, sizeof(*s));
	s->job = (uint32_t)bits;
	s->uid = (uint32_t)(bits >> 32);
	bits = take(&data, &size);
	s->refused = bits & 1;
	if (s->refused) {
		err_set(&s->reason, "--gbm-mem-cap=%s is not a size",
			err_quote(quoted, (const char *)data, size));
		must_be_sentence(&s->reason);
		return;
	}
	s->limits.cap = take(&data, &size) >> 1;
	s->limits.cap -= s->limits.cap % SIZE_ROUND;
	if (s->limits.cap == 0)
		s->limits.cap = bits & 4 ? NO_CAP : SIZE_ROUND;
	s->report = (bits >> 3) % (REPORT_JSON + 1);
	s->limits.swap.bytes = take(&data, &size) >> 1;
	s->limits.swap.bytes -= s->limits.swap.bytes % SIZE_ROUND;
	s->limits.swap.mode = bits & 2			 ? SWAP_ALLOW
			      : s->limits.swap.bytes > 0 ? SWAP_SIZE
							 : SWAP_NONE;
	if (s->limits.swap.mode != SWAP_SIZE)
		s->limits.swap.bytes = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state s;

	if (state_parse((const char *)data, size, &s)) {
		must(s.limits.cap == NO_CAP || s.limits.cap % SIZE_ROUND == 0);
		must(s.limits.swap.bytes % SIZE_ROUND == 0);
		must(s.refused == (s.limits.cap == 0));
		must_survive(&s);
	}
	make(data, size, &s);
	must_survive(&s);
	return 0;
}
