/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <hwloc.h>

#include "libgbm/topo.h"

#define DEFAULT_CACHE (UINT64_C(512) << 10)

/* The first cache of a type inside set, divided by the cores that share it. */
static uint64_t cache_share(hwloc_topology_t topology, hwloc_const_cpuset_t set,
			    hwloc_obj_type_t type)
{
	hwloc_obj_t core = hwloc_get_next_obj_covering_cpuset_by_type(
		topology, set, type, NULL);
	int sharers;

	if (!core)
		core = hwloc_get_obj_inside_cpuset_by_type(topology, set, type,
							   0);
	if (!core || !core->attr || !core->attr->cache.size)
		return 0;
	sharers = hwloc_get_nbobjs_inside_cpuset_by_type(
		topology, core->cpuset, HWLOC_OBJ_CORE);
	return core->attr->cache.size / (uint64_t)(sharers > 1 ? sharers : 1);
}

static void read_binding(hwloc_topology_t topology, hwloc_cpuset_t set,
			 struct gbm_topo *topo)
{
	int n;

	if (hwloc_get_cpubind(topology, set, HWLOC_CPUBIND_PROCESS) < 0 ||
	    hwloc_bitmap_iszero(set))
		hwloc_bitmap_copy(set,
				  hwloc_topology_get_allowed_cpuset(topology));
	n = hwloc_get_nbobjs_inside_cpuset_by_type(topology, set,
						   HWLOC_OBJ_CORE);
	if (n < 1) /* bound to a part of a core, or cores are not known */
		n = hwloc_get_nbobjs_inside_cpuset_by_type(topology, set,
							   HWLOC_OBJ_PU);
	if (n >= 1)
		topo->cores = (unsigned)n;
	topo->cache_bytes = cache_share(topology, set, HWLOC_OBJ_L2CACHE);
	if (!topo->cache_bytes)
		topo->cache_bytes = DEFAULT_CACHE;
}

void gbm_topo_read(struct gbm_topo *topo)
{
	hwloc_topology_t topology;
	hwloc_cpuset_t set;

	*topo = (struct gbm_topo){ 1, DEFAULT_CACHE, 0 };
	if (hwloc_topology_init(&topology) < 0)
		return;
	set = hwloc_bitmap_alloc();
	if (set && hwloc_topology_load(topology) == 0) {
		read_binding(topology, set, topo);
		/* Virtual machines with added memory count it in no node. */
		if (!hwloc_bitmap_isequal(
			    hwloc_topology_get_allowed_nodeset(topology),
			    hwloc_topology_get_complete_nodeset(topology)))
			topo->memory_bytes =
				hwloc_get_root_obj(topology)->total_memory;
	}
	hwloc_bitmap_free(set);
	hwloc_topology_destroy(topology);
}
