/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_CHECK_MAIN_H
#define GBM_CHECK_MAIN_H

#include <check.h>

/* Runs S, prints TAP on stdout and returns the program's exit status. */
static inline int gbm_check_main(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_set_tap(sr, "-");
	srunner_run_all(sr, CK_SILENT);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}

#endif
