/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "libgbm/err.h"
#include "libgbm/model.h"

double gbm_model_drift(const struct gbm_model *model)
{
	return isnan(model->drift) ? model->rate - model->dividend :
				     model->drift;
}

void gbm_model_dynamics(const struct gbm_model *model, uint64_t seed,
			struct gbm_dynamics *dynamics)
{
	double dt = model->horizon / (double)model->steps;
	double mu = gbm_model_drift(model);

	dynamics->seed = seed;
	dynamics->steps = model->steps;
	dynamics->spot = model->spot;
	dynamics->drift2 = (mu - model->vol * model->vol / 2) * dt * GBM_LOG2E;
	dynamics->vol2 = model->vol * sqrt(dt) * GBM_LOG2E;
}

static int finite(const char *name, double value, struct gbm_error *err)
{
	if (isfinite(value))
		return GBM_OK;
	return gbm_error_set(err, GBM_EINVAL, "%s = %g: must be finite", name,
			     value);
}

static int not_negative(const char *name, double value, struct gbm_error *err)
{
	if (isfinite(value) && value >= 0)
		return GBM_OK;
	return gbm_error_set(err, GBM_EINVAL,
			     "%s = %g: must be finite and not negative", name,
			     value);
}

int gbm_model_check(const struct gbm_model *m, struct gbm_error *err)
{
	struct gbm_dynamics d;
	double reach;

	if (!m || m->size != sizeof(*m))
		return gbm_error_set(err, GBM_EINVAL,
				     "model: set it up with GBM_MODEL_INIT");
	if (!isfinite(m->spot) || m->spot <= 0)
		return gbm_error_set(err, GBM_EINVAL,
				     "spot = %g: must be finite and positive",
				     m->spot);
	if (finite("rate", m->rate, err) ||
	    finite("dividend", m->dividend, err))
		return GBM_EINVAL;
	if (!isnan(m->drift) && finite("drift", m->drift, err))
		return GBM_EINVAL;
	if (not_negative("vol", m->vol, err) ||
	    not_negative("horizon", m->horizon, err))
		return GBM_EINVAL;
	if (m->steps < 1 || m->steps > UINT64_C(1) << 40)
		return gbm_error_set(err, GBM_EINVAL,
				     "steps = %llu: must be 1 to 2^40",
				     (unsigned long long)m->steps);
	/* exp(-rate T) and its inverse are then finite, and neither is 0. */
	if (!(fabs(m->rate * m->horizon) <= 700))
		return gbm_error_set(err, GBM_EINVAL,
				     "rate = %g, horizon = %g: their product "
				     "must be from -700 to 700",
				     m->rate, m->horizon);
	/* No normal of ours is beyond 14: a path's logarithm stays finite. */
	gbm_model_dynamics(m, 0, &d);
	reach = (fabs(d.drift2) + 14 * d.vol2) * (double)m->steps;
	if (!isfinite(reach))
		return gbm_error_set(
			err, GBM_EINVAL,
			"drift = %g, vol = %g, horizon = %g: too large together",
			gbm_model_drift(m), m->vol, m->horizon);
	return GBM_OK;
}

int gbm_functional_check(const struct gbm_functional *f, struct gbm_error *err)
{
	if (!f || f->size != sizeof(*f))
		return gbm_error_set(
			err, GBM_EINVAL,
			"functional: set it up with GBM_FUNCTIONAL_INIT");
	if (f->fn)
		return GBM_OK;
	if ((int)f->payoff < GBM_TERMINAL || f->payoff > GBM_ASIAN_PUT)
		return gbm_error_set(err, GBM_EINVAL,
				     "payoff = %d: is none of enum gbm_payoff",
				     (int)f->payoff);
	if (f->payoff == GBM_TERMINAL)
		return GBM_OK;
	return not_negative("strike", f->strike, err);
}
