/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_MC_VERSION_H
#define GBM_MC_VERSION_H

/*
 * The version of these headers, and the only place where the version is
 * written: configure and the Makefile read it from here.  Before 1.0.0 a new
 * minor version may break the API; the number in the soname then rises.
 */
#define GBM_VERSION_MAJOR 0
#define GBM_VERSION_MINOR 1
#define GBM_VERSION_PATCH 0

#endif
