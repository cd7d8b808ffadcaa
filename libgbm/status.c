/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stdio.h>

#include "libgbm/err.h"

#define STR_(a) #a
#define STR(a)	STR_(a)

const char *gbm_version(void)
{
	return STR(GBM_VERSION_MAJOR) "." STR(GBM_VERSION_MINOR) "." STR(
		GBM_VERSION_PATCH);
}

const char *gbm_strerror(int status)
{
	switch (status) {
	case GBM_OK:
		return "success";
	case GBM_EINVAL:
		return "an argument is outside what is accepted";
	case GBM_ENOMEM:
		return "not enough memory";
	case GBM_ECANCELED:
		return "canceled by a callback";
	case GBM_EISA:
		return "GBM_ISA names no instruction set of this CPU";
	case GBM_EFORMAT:
		return "packed statistics are damaged or of another version";
	case GBM_ENOREF:
		return "no closed form exists for this functional";
	case GBM_EMPI:
		return "an MPI call failed";
	case GBM_ECREATE:
		return "a file could not be made";
	case GBM_EIO:
		return "a file could not be read or written";
	case GBM_EDAMAGED:
		return "a file is damaged, or not what it must be";
	case GBM_ENOENT:
		return "there is no checkpoint";
	default:
		return status > 0 ? "success" : "unknown status";
	}
}

int gbm_error_set(struct gbm_error *err, int status, const char *format, ...)
{
	va_list ap;

	if (!err)
		return status;
	err->status = status;
	va_start(ap, format);
	vsnprintf(err->text, sizeof(err->text), format, ap);
	va_end(ap);
	return status;
}
