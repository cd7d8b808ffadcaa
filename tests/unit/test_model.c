/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What models and functionals are accepted, and what callers are told. */
#include <float.h>
#include <string.h>

#include <gbm-mc/gbm.h>

#include "libgbm/model.h"
#include "tests/unit/check_main.h"

static const struct gbm_model good_model = GBM_MODEL_INIT;
static const struct gbm_functional good_functional = GBM_FUNCTIONAL_INIT;

/* One sentence that begins with the offending member. */
static void check_sentence(const struct gbm_error *err, const char *member)
{
	size_t len = strlen(member);

	ck_assert_int_eq(err->status, GBM_EINVAL);
	ck_assert_msg(!strncmp(err->text, member, len) &&
			      strchr(" :", err->text[len]),
		      "'%s' does not name %s", err->text, member);
	ck_assert_msg(!strchr(err->text, '\n') && strstr(err->text, ": "),
		      "'%s'", err->text);
	ck_assert_uint_lt(strlen(err->text), sizeof(err->text) - 1);
}

static void refused(const struct gbm_model *m, const char *member)
{
	struct gbm_functional f = good_functional;
	struct gbm_plan *plan = (struct gbm_plan *)&f;
	struct gbm_error err;
	double value;

	memset(&err, 0, sizeof(err));
	ck_assert_msg(gbm_model_check(m, &err) == GBM_EINVAL, "%s", member);
	check_sentence(&err, member);
	ck_assert_int_eq(gbm_model_check(m, NULL), GBM_EINVAL);
	/* All that take a model check it. */
	memset(&err, 0, sizeof(err));
	ck_assert_int_eq(gbm_plan_create(&plan, m, &f, 1, NULL, &err),
			 GBM_EINVAL);
	ck_assert_ptr_null(plan);
	check_sentence(&err, member);
	ck_assert_int_eq(gbm_reference(m, &f, &value), GBM_EINVAL);
	f.payoff = GBM_ASIAN_CALL;
	ck_assert_int_eq(gbm_geometric_asian(m, &f, &value), GBM_EINVAL);
}

#define REFUSED(member, value)                                                 \
	do {                                                                   \
		struct gbm_model m_ = good_model;                              \
                                                                               \
		m_.member = (value);                                           \
		refused(&m_, #member);                                         \
	} while (0)

START_TEST(bad_models)
{
	struct gbm_model m = good_model;

	ck_assert_int_eq(gbm_model_check(&m, NULL), GBM_OK);
	refused(NULL, "model");
	m.size--;
	refused(&m, "model");
	REFUSED(spot, 0);
	REFUSED(spot, -1);
	REFUSED(spot, INFINITY);
	REFUSED(spot, NAN);
	REFUSED(rate, INFINITY);
	REFUSED(rate, NAN);
	REFUSED(dividend, -INFINITY);
	REFUSED(dividend, NAN);
	REFUSED(drift, INFINITY);
	REFUSED(drift, -INFINITY);
	REFUSED(vol, -1e-9);
	REFUSED(vol, INFINITY);
	REFUSED(vol, NAN);
	REFUSED(horizon, -1);
	REFUSED(horizon, INFINITY);
	REFUSED(horizon, NAN);
	REFUSED(steps, 0);
	REFUSED(steps, (UINT64_C(1) << 40) + 1);
	REFUSED(steps, UINT64_MAX);
	/* Each finite, but not together. */
	REFUSED(rate, 701);
	REFUSED(rate, -701);
	REFUSED(rate, 1e308);
	m = good_model;
	m.vol = 1e200;
	refused(&m, "drift");
	m = good_model;
	m.drift = 1e300;
	m.horizon = 1e9;
	m.rate = 0;
	refused(&m, "drift");
	m = good_model;
	m.dividend = -DBL_MAX;
	m.horizon = 3;
	refused(&m, "drift");
}
END_TEST

#define ACCEPTED(member, value)                                                \
	do {                                                                   \
		struct gbm_model m_ = good_model;                              \
                                                                               \
		m_.member = (value);                                           \
		ck_assert_int_eq(gbm_model_check(&m_, NULL), GBM_OK);          \
	} while (0)

START_TEST(extreme_models)
{
	ACCEPTED(spot, 0x1p-1074);
	ACCEPTED(spot, DBL_MAX);
	ACCEPTED(rate, -700);
	ACCEPTED(rate, 700);
	ACCEPTED(dividend, 1e9);
	ACCEPTED(drift, NAN);
	ACCEPTED(drift, -1e300);
	ACCEPTED(vol, 0);
	ACCEPTED(vol, 1e100);
	ACCEPTED(horizon, 0);
	ACCEPTED(horizon, 0x1p-1074);
	ACCEPTED(horizon, 1e4);
	ACCEPTED(steps, UINT64_C(1) << 40);
}
END_TEST

START_TEST(bad_functionals)
{
	struct gbm_functional f = good_functional;
	struct gbm_error err;
	double value;

	ck_assert_int_eq(gbm_functional_check(&f, NULL), GBM_OK);
	ck_assert_int_eq(gbm_functional_check(NULL, &err), GBM_EINVAL);
	check_sentence(&err, "functional");
	f.size++;
	ck_assert_int_eq(gbm_functional_check(&f, &err), GBM_EINVAL);
	check_sentence(&err, "functional");

	for (int bad = -1; bad <= 5; bad += 6) {
		struct gbm_plan *plan;

		f = good_functional;
		f.payoff = (enum gbm_payoff)bad;
		memset(&err, 0, sizeof(err));
		ck_assert_int_eq(gbm_functional_check(&f, &err), GBM_EINVAL);
		check_sentence(&err, "payoff");
		ck_assert_int_eq(
			gbm_plan_create(&plan, &good_model, &f, 1, NULL, &err),
			GBM_EINVAL);
		ck_assert_int_eq(gbm_reference(&good_model, &f, &value),
				 GBM_EINVAL);
	}
	for (int i = 0; i < 3; i++) {
		static const double bad[] = { -0.5, INFINITY, NAN };

		f = good_functional;
		f.strike = bad[i];
		/* Not used, hence not looked at. */
		ck_assert_int_eq(gbm_functional_check(&f, NULL), GBM_OK);
		for (f.payoff = GBM_CALL; f.payoff <= GBM_ASIAN_PUT;
		     f.payoff++) {
			memset(&err, 0, sizeof(err));
			ck_assert_int_eq(gbm_functional_check(&f, &err),
					 GBM_EINVAL);
			check_sentence(&err, "strike");
		}
	}
	f.strike = 0;
	f.payoff = GBM_PUT;
	ck_assert_int_eq(gbm_functional_check(&f, NULL), GBM_OK);
}
END_TEST

START_TEST(dynamics)
{
	const double log2e = 1.4426950408889634;
	struct gbm_model m = good_model;
	struct gbm_dynamics d;

	m.spot = 7;
	m.rate = 0.07;
	m.dividend = 0.03;
	m.vol = 0.3;
	m.horizon = 2;
	m.steps = 8;
	ck_assert(fabs(gbm_model_drift(&m) - 0.04) < 1e-17);
	gbm_model_dynamics(&m, 99, &d);
	ck_assert_uint_eq(d.seed, 99);
	ck_assert_uint_eq(d.steps, 8);
	ck_assert(d.spot == 7);
	ck_assert(fabs(d.drift2 - (0.04 - 0.045) * 0.25 * log2e) < 1e-17);
	ck_assert(fabs(d.vol2 - 0.3 * 0.5 * log2e) < 1e-16);
	m.drift = -0.5;
	ck_assert(gbm_model_drift(&m) == -0.5);
	gbm_model_dynamics(&m, 99, &d);
	ck_assert(fabs(d.drift2 - (-0.5 - 0.045) * 0.25 * log2e) < 1e-16);
}
END_TEST

/* Every status has a sentence of its own. */
START_TEST(status_texts)
{
	for (int i = GBM_ENOENT; i <= 0; i++) {
		ck_assert_uint_gt(strlen(gbm_strerror(i)), 3);
		for (int j = GBM_ENOENT; j < i; j++)
			ck_assert_str_ne(gbm_strerror(i), gbm_strerror(j));
	}
	ck_assert_str_eq(gbm_strerror(17), gbm_strerror(0));
	ck_assert_str_eq(gbm_strerror(-99), gbm_strerror(-1000));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("model");
	TCase *t = tcase_create("model");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, bad_models);
	tcase_add_test(t, extreme_models);
	tcase_add_test(t, bad_functionals);
	tcase_add_test(t, dynamics);
	tcase_add_test(t, status_texts);
	suite_add_tcase(s, t);
	return gbm_check_main(s);
}
