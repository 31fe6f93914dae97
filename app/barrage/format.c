/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage format: give a namespace another format, or erase it. */

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "options.h"
#include "progress.h"
#include "session.h"

static const char doc[] =
	"Format a namespace of an NVMe device: its block size, metadata and protection "
	"information. ALL ITS DATA IS LOST. barrage identify --cns ns shows the formats. Where a "
	"controller can only format all namespaces at once, one of several is refused.\v"
	"Examples:\n"
	"  barrage format --lbaf 4 0000:00:04.0\n"
	"  barrage format --block-size 4096 --yes 0000:00:04.0\n"
	"  barrage format --ses user-data --namespace-id 2 0000:00:04.0";

static const struct choice erases[] = {
	{"none", NVME_FORMAT_SES_NONE},
	{"user-data", NVME_FORMAT_SES_USER_DATA_ERASE},
	{"crypto", NVME_FORMAT_SES_CRYPTO_ERASE},
	{0},
};

#define NOT_GIVEN UINT64_MAX

static struct {
	const char *bdf;
	uint64_t nsid, lbaf, block_size, erase, pi, timeout_s;
	bool all, pi_first, extended, yes, json;
} opt = {.nsid = 1, .lbaf = NOT_GIVEN, .timeout_s = 600};

static const struct option_spec options[] = {
	NSID_NUMBER(&opt.nsid),
	FLAG("all", 'a', "every namespace, instead", &opt.all),
	NUMBER("lbaf", 'l', "N", "which of its formats (default: the one it has)", &opt.lbaf, 0,
	       63),
	SIZE("block-size", 'b', "SIZE", "the format without metadata that has blocks of this size",
	     &opt.block_size, 512, 1 << 30),
	CHOICE("ses", 's', "ERASE", "none (default), user-data or crypto", &opt.erase, 2, erases),
	NUMBER("pi", 'i', "TYPE", "protection information of type 1, 2 or 3 (default 0: none)",
	       &opt.pi, 0, 3),
	FLAG("pil", 'p', "protection information in the first bytes of the metadata",
	     &opt.pi_first),
	FLAG("ms", 'm', "metadata behind each block's data, not in a buffer of its own",
	     &opt.extended),
	NUMBER("timeout", 't', "SECONDS", "give it so long (default 600)", &opt.timeout_s, 1,
	       UINT32_MAX / 1000),
	YES_FLAG(&opt.yes),
	JSON_FLAG(&opt.json),
	{0},
};

/* The format that --block-size asks for, or 0. */
static int find_format(const struct nvme_id_ns *id, uint8_t *lbaf)
{
	for (unsigned int i = 0; i <= id->nlbaf && i < 64; i++) {
		if (id->lbaf[i].ds < 9 || id->lbaf[i].ms ||
		    UINT64_C(1) << id->lbaf[i].ds != opt.block_size)
			continue;
		*lbaf = (uint8_t)i;
		return 0;
	}
	warnx("%s: the namespace has no format with blocks of %" PRIu64 " bytes and no metadata; "
	      "barrage identify --cns ns %s shows those it has",
	      session_bdf(), opt.block_size, session_bdf());
	return 1;
}

static int choose_format(const struct nvme_id_ns *id, uint8_t *lbaf)
{
	if (opt.block_size)
		return find_format(id, lbaf);
	*lbaf = opt.lbaf != NOT_GIVEN ? (uint8_t)opt.lbaf : (uint8_t)brg_nvme_format_in_use(id);
	return 0;
}

/* What the namespace now says of itself. */
static int report(const struct nvme_id_ns *id)
{
	const struct nvme_lbaf *lbaf = &id->lbaf[brg_nvme_format_in_use(id)];
	uint64_t bytes = UINT64_C(1) << (lbaf->ds & 63);

	if (opt.json)
		return print_json(json_pack("{s:s, s:I, s:i, s:I, s:i, s:i}", "bdf", session_bdf(),
					    "nsid", (json_int_t)opt.nsid, "lbaf",
					    brg_nvme_format_in_use(id), "SectorSize",
					    (json_int_t)bytes, "ms", lbaf->ms, "dps", id->dps));
	printf("%s: formatted, blocks of %" PRIu64 " bytes and %u of metadata\n", session_bdf(),
	       bytes, lbaf->ms);
	return 0;
}

static int identify_ns(struct brg_nvme_ctrl *ctrl, uint32_t nsid, struct nvme_id_ns *id)
{
	const struct brg_nvme_identify what = {.cns = NVME_IDENTIFY_CNS_NS, .nsid = nsid};

	return brg_nvme_identify(ctrl, &what, id);
}

static int format(struct brg_nvme_ctrl *ctrl, void *arg)
{
	struct brg_nvme_format how = {
		.nsid = opt.all ? NVME_NSID_ALL : (uint32_t)opt.nsid,
		.erase = (enum nvme_cmd_format_ses)opt.erase,
		.pi = (enum nvme_cmd_format_pi)opt.pi,
		.pi_first = opt.pi_first,
		.extended = opt.extended,
		.timeout_ms = (uint32_t)opt.timeout_s * 1000,
	};
	struct nvme_id_ns id;
	int rc = identify_ns(ctrl, (uint32_t)opt.nsid, &id);

	if (!rc)
		rc = choose_format(&id, &how.lbaf);
	if (rc)
		return rc;
	if (opt.all ? !session_confirm(opt.yes, "format all namespaces of %s; all data is lost",
				       session_bdf())
		    : !session_confirm(opt.yes,
				       "format namespace %" PRIu64 " of %s; all its data "
				       "is lost",
				       opt.nsid, session_bdf()))
		return 1;
	progress("formatting");
	rc = brg_nvme_format(ctrl, &how);
	progress_clear();
	if (!rc)
		rc = identify_ns(ctrl, (uint32_t)opt.nsid, &id);
	return rc ? rc : report(&id);
}

int cmd_format(int argc, char **argv)
{
	static const struct command_line line = {doc, "BDF", "", options};

	parse_line(&line, argc, argv, &opt.bdf);
	if (opt.block_size && opt.lbaf != NOT_GIVEN)
		errx(CLI_USAGE, "--lbaf and --block-size exclude each other");
	return session_run(opt.bdf, format, NULL);
}
