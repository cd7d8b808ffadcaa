-- SPDX-License-Identifier: GPL-3.0-or-later
--
-- /etc/slurm/cli_filter.lua, on every machine where people submit jobs; with
-- CliFilterPlugins=lua in slurm.conf. Gives a job that says --gbm-mem-cap the
-- same --mem, as the user: srun, sbatch and salloc run this. job_submit.lua
-- does so in slurmctld; README.md tells which to use.
--
-- Why: Slurm then gives away what the job can use, no more and no less. And
-- where Slurm writes a job's limit anew, as it does for some milliseconds at
-- the start of each step, that limit is the cap, too.

-- The MB of a size as --gbm-mem-cap and --mem have it: 1500, 1500M, 1.5G.
-- Rounded up, since Slurm knows whole MB only. Nothing for anything else:
-- "80%" and "max" are known on the node alone, and a wrong spelling is for
-- the plugin to refuse.
local function megabytes(text)
	local number, unit = tostring(text):match("^(%d+%.?%d*)([KMGTkmgt]?)$")
	local in_mb = { K = 1 / 1024, M = 1, G = 1024, T = 1024 * 1024 }
	return number and
		math.ceil(tonumber(number) * (in_mb[unit:upper()] or 1))
end

function slurm_cli_pre_submit(options, component)
	-- Also what stands in SLURM_GBM_MEM_CAP or in the script's lines.
	local gbm = options["spank"]["gbm"]
	local cap = gbm and megabytes(gbm["gbm-mem-cap"])
	local mem = options["mem"]

	-- A step takes its part of what its job has.
	if not cap or os.getenv("SLURM_JOB_ID") then
		return slurm.SUCCESS
	end
	-- Somebody who counts by core or GPU knows why.
	if options["mem-per-cpu"] or options["mem-per-gpu"] then
		return slurm.SUCCESS
	end
	-- 0, which reads "0?", is "all of the node", wanted for some other
	-- reason than memory. Less than the cap is the user's to choose: that is
	-- the limit then, and the plugin says so.
	mem = mem and (megabytes(mem) or 0)
	if mem and mem <= cap then
		return slurm.SUCCESS
	end
	-- More than the cap would only be kept from others.
	if mem then
		slurm.log_info("gbm: --mem is lowered to the cap, %dM", cap)
	end
	options["mem"] = string.format("%dM", cap)
	return slurm.SUCCESS
end

-- Slurm wants these two as well.
function slurm_cli_setup_defaults(options, early)
	return slurm.SUCCESS
end

function slurm_cli_post_submit(component, job, step)
	return slurm.SUCCESS
end
