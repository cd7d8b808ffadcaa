-- SPDX-License-Identifier: GPL-3.0-or-later
--
-- /etc/slurm/job_submit.lua, on the machine that runs slurmctld; with
-- JobSubmitPlugins=lua in slurm.conf. Gives a job that says --gbm-mem-cap the
-- same --mem, whatever it was submitted with. cli_filter.lua does so at the
-- user's end, and tells why it is a good thing; README.md, which to use.

-- It also keeps a user from taking nodes away from everybody. slurmd starts a
-- job's prolog with the options of Slurm's plugins as variables; the kernel
-- starts nothing with one of 128 KiB, or with some MiB of them together, and
-- Slurm drains a node whose prolog fails, then the next. srun and sbatch do not
-- let such options pass, but a program of the user's own need not ask them.
local OPTIONS_MAX = 32768

local function has_too_many_options(job)
	local bytes = 0
	for i = 0, (job.spank_job_env_size or 0) - 1 do
		bytes = bytes + #(job.spank_job_env[i] or "") + 16
		if bytes > OPTIONS_MAX then
			return true
		end
	end
	return false
end

-- The MB of a size as --gbm-mem-cap has it: 1500, 1500M, 1.5G. Rounded up,
-- since Slurm knows whole MB only. Nothing for anything else: "80%" and "max"
-- are known on the node alone, and a wrong spelling is for the node to refuse.
local function megabytes(text)
	local number, unit = tostring(text):match("^(%d+%.?%d*)([KMGTkmgt]?)$")
	local in_mb = { K = 1 / 1024, M = 1, G = 1024, T = 1024 * 1024 }
	return number and
		math.ceil(tonumber(number) * (in_mb[unit:upper()] or 1))
end

-- The plugin's options travel with the job as variables of its prolog; they
-- are numbered from 0.
local function cap_of(job)
	local start = "_SLURM_SPANK_OPTION_gbm_gbm_mem_cap="
	for i = 0, (job.spank_job_env_size or 0) - 1 do
		local variable = job.spank_job_env[i] or ""
		if variable:sub(1, #start) == start then
			return megabytes(variable:sub(#start + 1))
		end
	end
end

function slurm_job_submit(job, partitions, uid)
	if has_too_many_options(job) then
		slurm.log_user("gbm: the options of Slurm's plugins are longer " ..
			"than any can be")
		return slurm.ERROR
	end

	local cap, mem = cap_of(job), job.min_mem_per_node

	-- Somebody who counts by core knows why.
	if not cap or job.min_mem_per_cpu then
		return slurm.SUCCESS
	end
	-- 0 is "all of the node", wanted for some other reason than memory. Less
	-- than the cap is the user's to choose: that is the limit then, and the
	-- plugin says so.
	if mem and mem <= cap then
		return slurm.SUCCESS
	end
	-- More than the cap would only be kept from others.
	if mem then
		slurm.log_user("gbm: --mem is lowered to the cap, %dM", cap)
	end
	job.min_mem_per_node = cap
	return slurm.SUCCESS
end

-- Slurm wants this as well. A running job keeps what it has.
function slurm_job_modify(change, job, partitions, uid)
	return slurm.SUCCESS
end
