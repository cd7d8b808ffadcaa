/* SPDX-License-Identifier: GPL-3.0-or-later */
#define SCALE_MPI
#include "bench/scale.c"
