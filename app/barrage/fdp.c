/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage fdp: a namespace's placement identifiers, with flexible data placement. */

#include <err.h>
#include <rte_common.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "options.h"
#include "pages.h"
#include "session.h"

static const char doc[] =
	"Show the placement identifiers of a namespace, which reclaim unit handle each stands for, "
	"and how much can be written before its reclaim unit is full; or update handles: they go "
	"on with an empty unit each, and what the old one had left stays unwritten. What the "
	"endurance group has, and what came of it, tells barrage log fdp-configs, fdp-usage, "
	"fdp-stats and fdp-events.\v"
	"Examples:\n"
	"  barrage fdp status 0000:00:04.0\n"
	"  barrage fdp update --namespace-id 2 --pids 0,3 0000:00:04.0";

static const char question[] = "what to do? status or update";

#define MOST_BYTES 65536u /* more than 2,000 identifiers */

static struct {
	const char *words[2]; /* what to do, device */
	const char *pids;
	uint64_t nsid;
	bool json;
} opt = {.nsid = 1};

static const struct option_spec options[] = {
	NSID_NUMBER(&opt.nsid),
	TEXT("pids", 'p', "LIST", "to update: placement identifiers, separated by commas",
	     &opt.pids),
	JSON_FLAG(&opt.json),
	{0},
};

struct placement {
	struct brg_nvme_ns ns;
	struct brg_nvme_qpair *qp;
	void *data; /* for commands: MOST_BYTES, of which one takes */
	uint32_t bytes;
};

static int status(struct placement *f)
{
	const struct nvme_fdp_ruh_status *answer = f->data;
	const struct page_of p = {.bdf = opt.words[1], .page = f->data, .len = f->bytes};
	size_t room = (f->bytes - sizeof(*answer)) / sizeof(answer->ruhss[0]);
	struct session_command command = {0};
	int rc = session_wait(
		opt.words[1], f->qp, &command,
		brg_nvme_ruh_status(f->qp, &f->ns, f->data, f->bytes, session_done, &command));

	if (rc)
		return rc;
	if (answer->nruhsd > room)
		warnx("%s: the first %zu of %u: one command cannot return more", opt.words[1], room,
		      answer->nruhsd);
	return page_show(&p, ruh_status_json, ruh_status_print, opt.json, false);
}

static unsigned int parse_pids(uint16_t *pids)
{
	char *copy = strdup(opt.pids), *rest = copy, *word;
	unsigned int n = 0;

	if (!copy)
		err(EXIT_FAILURE, "--pids");
	while ((word = strsep(&rest, ","))) {
		if (n == BRG_NVME_MOST_PLACEMENTS)
			errx(CLI_USAGE, "--pids: %d at most", BRG_NVME_MOST_PLACEMENTS);
		pids[n++] = (uint16_t)parse_number("--pids", word, 0, UINT16_MAX);
	}
	free(copy);
	return n;
}

static int update(struct placement *f)
{
	struct session_command command = {0};
	unsigned int n = parse_pids(f->data);
	int rc = session_wait(
		opt.words[1], f->qp, &command,
		brg_nvme_ruh_update(f->qp, &f->ns, f->data, n, session_done, &command));

	if (rc)
		return rc;
	if (opt.json)
		return print_json(json_pack("{s:s, s:I, s:s, s:s}", "bdf", opt.words[1], "nsid",
					    (json_int_t)opt.nsid, "done", "update", "pids",
					    opt.pids));
	printf("%s: the handles of %s go on with empty reclaim units\n", opt.words[1], opt.pids);
	return 0;
}

static int work(struct brg_nvme_ctrl *ctrl, void *arg)
{
	int (*act)(struct placement *) = opt.pids ? update : status;
	struct placement f = {0};
	int rc = brg_nvme_ns_get(ctrl, (uint32_t)opt.nsid, &f.ns);

	if (!rc)
		rc = brg_nvme_qpair_create(ctrl, NULL, &f.qp);
	if (rc)
		return rc;
	f.bytes = (uint32_t)RTE_MIN(brg_nvme_max_transfer(ctrl), MOST_BYTES);
	f.data = rte_zmalloc("fdp", MOST_BYTES, 4096);
	if (!f.data)
		errx(EXIT_FAILURE, "EAL has not %u bytes of memory left", MOST_BYTES);
	rc = act(&f);
	rte_free(f.data);
	brg_nvme_qpair_free(f.qp);
	return rc;
}

int cmd_fdp(int argc, char **argv)
{
	static const struct command_line line = {doc, "status|update BDF", question, options};
	bool updating;

	parse_line(&line, argc, argv, opt.words);
	updating = !strcmp(opt.words[0], "update");
	if (!updating && strcmp(opt.words[0], "status") != 0)
		errx(CLI_USAGE, "fdp %s: %s", opt.words[0], question);
	if (updating && !opt.pids)
		errx(CLI_USAGE, "fdp update: which handles? Name their identifiers with --pids");
	if (!updating && opt.pids)
		errx(CLI_USAGE, "fdp status: --pids goes with update");
	return session_run(opt.words[1], work, NULL);
}
