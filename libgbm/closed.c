/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Closed forms: references for the estimates and controls for them. */
#include <gsl/gsl_cdf.h>

#include "libgbm/model.h"

/*
 * exp(-rate T) E max(+-(X - K), 0) of a log-normal X with mean fwd and
 * standard deviation sd of its logarithm: Black (1976).
 */
static double black(int call, double fwd, double strike, double sd,
		    double discount)
{
	double sign = call ? 1 : -1, d1;

	if (sd == 0 || strike == 0 || isinf(fwd))
		return discount * fmax(sign * (fwd - strike), 0);
	d1 = log(fwd / strike) / sd + sd / 2;
	return discount * sign *
	       (fwd * gsl_cdf_ugaussian_P(sign * d1) -
		strike * gsl_cdf_ugaussian_P(sign * (d1 - sd)));
}

static int check(const struct gbm_model *model,
		 const struct gbm_functional *functional, const double *value)
{
	if (!value || gbm_model_check(model, NULL) ||
	    gbm_functional_check(functional, NULL))
		return GBM_EINVAL;
	return functional->fn ? GBM_ENOREF : GBM_OK;
}

int gbm_reference(const struct gbm_model *model,
		  const struct gbm_functional *functional, double *value)
{
	int status = check(model, functional, value);
	double fwd, sd, discount;

	if (status)
		return status;
	fwd = model->spot * exp(gbm_model_drift(model) * model->horizon);
	sd = model->vol * sqrt(model->horizon);
	discount = exp(-model->rate * model->horizon);
	switch (functional->payoff) {
	case GBM_TERMINAL:
		*value = fwd;
		return GBM_OK;
	case GBM_ASIAN_CALL:
	case GBM_ASIAN_PUT:
		if (model->steps > 1)
			return GBM_ENOREF;
		break;
	case GBM_CALL:
	case GBM_PUT:
		break;
	}
	*value = black(functional->payoff == GBM_CALL ||
			       functional->payoff == GBM_ASIAN_CALL,
		       fwd, functional->strike, sd, discount);
	return GBM_OK;
}

/*
 * The mean of log S over the steps is normal with mean
 * log S(0) + (mu - sigma^2/2) T (m + 1) / (2 m) and variance
 * sigma^2 T (m + 1) (2 m + 1) / (6 m^2).
 */
int gbm_geometric_asian(const struct gbm_model *model,
			const struct gbm_functional *functional, double *value)
{
	int status = check(model, functional, value);
	double m, mean, var;

	if (status)
		return status;
	if (functional->payoff != GBM_ASIAN_CALL &&
	    functional->payoff != GBM_ASIAN_PUT)
		return GBM_ENOREF;
	m = (double)model->steps;
	mean = (gbm_model_drift(model) - model->vol * model->vol / 2) *
	       model->horizon * (m + 1) / (2 * m);
	var = model->vol * model->vol * model->horizon * (m + 1) *
	      (2 * m + 1) / (6 * m * m);
	*value = black(functional->payoff == GBM_ASIAN_CALL,
		       model->spot * exp(mean + var / 2), functional->strike,
		       sqrt(var), exp(-model->rate * model->horizon));
	return GBM_OK;
}
