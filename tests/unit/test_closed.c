/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Closed forms against published values, and against one another. */
#include <float.h>

#include <gbm-mc/gbm.h>

#include "tests/unit/check_main.h"
#include "tests/unit/values.h"

static struct gbm_model model(double spot, double rate, double dividend,
			      double vol, double horizon, uint64_t steps)
{
	struct gbm_model m = GBM_MODEL_INIT;

	m.spot = spot;
	m.rate = rate;
	m.dividend = dividend;
	m.vol = vol;
	m.horizon = horizon;
	m.steps = steps;
	return m;
}

static double price(const struct gbm_model *m, enum gbm_payoff payoff,
		    double strike)
{
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;
	double value = NAN;

	f.payoff = payoff;
	f.strike = strike;
	ck_assert_int_eq(gbm_reference(m, &f, &value), GBM_OK);
	return value;
}

static double geometric(const struct gbm_model *m, enum gbm_payoff payoff,
			double strike)
{
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;
	double value = NAN;

	f.payoff = payoff;
	f.strike = strike;
	ck_assert_int_eq(gbm_geometric_asian(m, &f, &value), GBM_OK);
	return value;
}

static void check_row(const struct value *row, double got)
{
	ck_assert_msg(fabs(got - row->value) <= row->tolerance,
		      "%s: %.10g, not %.10g", row->id, got, row->value);
}

static void check_near(double got, double want, double allowed)
{
	ck_assert_msg(got == want || fabs(got - want) <= allowed,
		      "%.17g, not %.17g", got, want);
}

START_TEST(published_europeans)
{
	static const char *const products[] = { "european_call",
						"european_put" };
	unsigned rows = 0, dividends = 0;

	for (unsigned p = 0; p < 2; p++)
		for (const struct value *v = NULL;
		     (v = value_next(v, products[p])); rows++) {
			struct gbm_model m = model(
				value_number(v, "S"), value_number(v, "r"),
				value_number(v, "q"), value_number(v, "sigma"),
				value_number(v, "T"), 1 + rows);

			check_row(v, price(&m, p ? GBM_PUT : GBM_CALL,
					   value_number(v, "K")));
			dividends += m.dividend != 0 && m.dividend != m.rate;
		}
	ck_assert_uint_eq(rows, 33);
	ck_assert_uint_ge(dividends, 2);
}
END_TEST

/* A futures price has no drift. */
START_TEST(published_option_on_futures)
{
	const struct value *v = value_next(NULL, "european_put_on_futures");
	struct gbm_model m =
		model(value_number(v, "F"), value_number(v, "r"), 0,
		      value_number(v, "sigma"), value_number(v, "T"), 1);

	m.drift = 0;
	check_row(v, price(&m, GBM_PUT, value_number(v, "K")));
}
END_TEST

START_TEST(published_terminal_mean)
{
	const struct value *v = value_next(NULL, "gbm_terminal_mean");
	struct gbm_model m =
		model(value_number(v, "S"), 0, 0, value_number(v, "sigma"),
		      value_number(v, "T"), 3);

	m.drift = value_number(v, "mu");
	check_row(v, price(&m, GBM_TERMINAL, 100));
}
END_TEST

START_TEST(published_geometric_asians)
{
	const struct value *v =
		value_next(NULL, "asian_geometric_discrete_call");
	struct gbm_model m = model(
		value_number(v, "S"), value_number(v, "r"),
		value_number(v, "q"), value_number(v, "sigma"),
		value_number(v, "T"), (uint64_t)value_number(v, "n_fixings"));

	ck_assert(value_number(v, "t_first") * (double)m.steps == 1);
	ck_assert(value_number(v, "t_last") == m.horizon);
	check_row(v, geometric(&m, GBM_ASIAN_CALL, value_number(v, "K")));

	/* Continuous averaging is the limit of many steps. */
	v = value_next(NULL, "asian_geometric_continuous_put");
	m = model(value_number(v, "S"), value_number(v, "r"),
		  value_number(v, "q"), value_number(v, "sigma"),
		  value_number(v, "T"), UINT64_C(1) << 30);
	check_row(v, geometric(&m, GBM_ASIAN_PUT, value_number(v, "K")));
}
END_TEST

/* C - P = exp(-r T) (E S - K), whatever the drift. */
START_TEST(parity)
{
	for (unsigned i = 0; i < 500; i++) {
		double strike = 20.0 * (1 + i % 17);
		struct gbm_model m =
			model(100, 0.01 * (i % 7) - 0.02, 0.01 * (i % 5),
			      0.05 * (i % 13), 0.3 * (i % 11), 1);
		double discount = exp(-m.rate * m.horizon), forward, put;

		if (i % 3 == 0)
			m.drift = 0.1 * (i % 4) - 0.2;
		forward = price(&m, GBM_TERMINAL, 0);
		check_near(price(&m, GBM_CALL, strike) -
				   price(&m, GBM_PUT, strike),
			   discount * (forward - strike), 1e-11);
		check_near(geometric(&m, GBM_ASIAN_CALL, strike) -
				   geometric(&m, GBM_ASIAN_PUT, strike),
			   discount * (forward - strike), 1e-11);
		/* One step: all of them are European. */
		put = price(&m, GBM_PUT, strike);
		check_near(price(&m, GBM_ASIAN_PUT, strike), put, 0);
		check_near(geometric(&m, GBM_ASIAN_PUT, strike), put, 1e-11);
		ck_assert(put >= 0);
	}
}
END_TEST

START_TEST(drift_override)
{
	struct gbm_model m = model(100, 0.05, 0.02, 0.2, 2, 1), plain = m;

	m.drift = 0.05 - 0.02;
	check_near(price(&m, GBM_CALL, 90), price(&plain, GBM_CALL, 90), 1e-12);
	/* Under drift mu the discount is still that of the rate. */
	m.drift = 0.11;
	plain.rate = 0.11;
	plain.dividend = 0;
	check_near(price(&m, GBM_CALL, 90) * exp(0.05 * 2),
		   price(&plain, GBM_CALL, 90) * exp(0.11 * 2), 1e-11);
	check_near(price(&m, GBM_TERMINAL, 0), 100 * exp(0.22), 1e-11);
}
END_TEST

START_TEST(limits)
{
	struct gbm_model m = model(100, 0.05, 0.01, 0, 2, 1);
	double fwd = 100 * exp(0.04 * 2), df = exp(-0.05 * 2);

	/* Without volatility, the payoff of the forward. */
	check_near(price(&m, GBM_CALL, 90), df * (fwd - 90), 1e-12);
	check_near(price(&m, GBM_PUT, 90), 0, 0);
	check_near(price(&m, GBM_PUT, 120), df * (120 - fwd), 1e-12);
	m.vol = 1e-12;
	check_near(price(&m, GBM_CALL, 90), df * (fwd - 90), 1e-9);
	check_near(price(&m, GBM_PUT, 90), 0, 1e-300);
	m.steps = 2;
	m.vol = 0;
	check_near(geometric(&m, GBM_ASIAN_CALL, 90),
		   df * (100 * exp(0.04 * 1.5) - 90), 1e-12);

	/* At once. */
	m = model(100, 0.05, 0.01, 0.3, 0, 1);
	check_near(price(&m, GBM_CALL, 90), 10, 0);
	check_near(price(&m, GBM_PUT, 90), 0, 0);
	check_near(price(&m, GBM_TERMINAL, 0), 100, 0);

	/* A strike of 0 is the asset itself. */
	m = model(100, 0.05, 0.01, 0.3, 2, 1);
	check_near(price(&m, GBM_CALL, 0), 100 * exp(-0.02), 1e-12);
	check_near(price(&m, GBM_PUT, 0), 0, 0);
	check_near(price(&m, GBM_CALL, 1e-300), 100 * exp(-0.02), 1e-12);
	check_near(price(&m, GBM_PUT, 1e300), 1e300 * df, 1e285);

	/* Volatility without end: the call becomes the asset. */
	m.vol = 100;
	check_near(price(&m, GBM_CALL, 90), 100 * exp(-0.02), 1e-12);
	check_near(price(&m, GBM_PUT, 90), 90 * df, 1e-12);

	/* A forward beyond the doubles. */
	m = model(100, 0, 0, 0.3, 1, 1);
	m.drift = 1000;
	ck_assert(isinf(price(&m, GBM_CALL, 90)));
	check_near(price(&m, GBM_PUT, 90), 0, 0);
	m.drift = -1000;
	check_near(price(&m, GBM_CALL, 90), 0, 0);
	check_near(price(&m, GBM_CALL, 0), 0, 0);
	check_near(price(&m, GBM_PUT, 90), 90, 0);
}
END_TEST

static int callback(const struct gbm_block *block, void *user, double *out)
{
	(void)block;
	(void)user;
	(void)out;
	return 1;
}

START_TEST(no_closed_form)
{
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;
	struct gbm_model m = model(100, 0.05, 0.01, 0.3, 2, 2);
	double value = -7;

	f.payoff = GBM_ASIAN_CALL;
	ck_assert_int_eq(gbm_reference(&m, &f, &value), GBM_ENOREF);
	f.payoff = GBM_ASIAN_PUT;
	ck_assert_int_eq(gbm_reference(&m, &f, &value), GBM_ENOREF);
	f.payoff = GBM_CALL;
	ck_assert_int_eq(gbm_geometric_asian(&m, &f, &value), GBM_ENOREF);
	f.fn = callback;
	ck_assert_int_eq(gbm_reference(&m, &f, &value), GBM_ENOREF);
	f.payoff = GBM_ASIAN_CALL;
	ck_assert_int_eq(gbm_geometric_asian(&m, &f, &value), GBM_ENOREF);
	ck_assert(value == -7);
	f.fn = NULL;
	ck_assert_int_eq(gbm_reference(&m, &f, NULL), GBM_EINVAL);
	ck_assert_int_eq(gbm_reference(&m, NULL, &value), GBM_EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("closed");
	TCase *t = tcase_create("closed");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, published_europeans);
	tcase_add_test(t, published_option_on_futures);
	tcase_add_test(t, published_terminal_mean);
	tcase_add_test(t, published_geometric_asians);
	tcase_add_test(t, parity);
	tcase_add_test(t, drift_override);
	tcase_add_test(t, limits);
	tcase_add_test(t, no_closed_form);
	suite_add_tcase(s, t);
	return gbm_check_main(s);
}
