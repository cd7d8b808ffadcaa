/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_TOPO_H
#define GBM_TOPO_H

/* What hwloc says about the cores and caches that this process may use. */

#include <stdint.h>

struct gbm_topo {
	unsigned cores;	       /* in the process's binding, >= 1 */
	uint64_t cache_bytes;  /* of the core's own cache, or its share of L2 */
	uint64_t memory_bytes; /* of the NUMA nodes allowed; 0: all are */
};

/* Never fails: where hwloc knows nothing, 1 core and a cache of 512 KiB. */
void gbm_topo_read(struct gbm_topo *topo);

#endif
