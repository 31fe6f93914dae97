/* SPDX-License-Identifier: BSD-3-Clause */
/* What destroys data: Format NVM (5.14) and Sanitize (5.24). */

#include <errno.h>
#include <inttypes.h>

#include "base.h"
#include "ctrl.h"

#define FORMAT_TIMEOUT_MS 600000u

/* Protection information takes this much of the metadata at least (NVM command set 5.2). */
#define PI_BYTES 8

/* Identify Namespace of all of them tells what they have in common, where it is supported at all;
 * else the first active one has to stand for them. */
static int identify_formats(struct brg_nvme_ctrl *ctrl, uint32_t nsid, struct nvme_id_ns *id)
{
	uint32_t first;
	int n;

	if (nsid != NVME_NSID_ALL)
		return brg_admin_identify(ctrl, NVME_IDENTIFY_CNS_NS, nsid, id);
	if (!brg_admin_identify(ctrl, NVME_IDENTIFY_CNS_NS, nsid, id))
		return 0;
	n = brg_nvme_ns_list(ctrl, &first, 1);
	if (n < 0)
		return n;
	if (!n)
		return brg_fail(ENOENT, "%s: there is no active namespace to format", ctrl->bdf);
	return brg_admin_identify(ctrl, NVME_IDENTIFY_CNS_NS, first, id);
}

static int check_protection(const struct brg_nvme_ctrl *ctrl, const struct brg_nvme_format *format,
			    const struct nvme_id_ns *id)
{
	unsigned int metadata = id->lbaf[format->lbaf].ms;
	unsigned int place = format->pi_first ? NVME_NS_DPC_PI_FIRST : NVME_NS_DPC_PI_LAST;

	if (!format->pi)
		return 0;
	if (metadata < PI_BYTES)
		return brg_fail(EINVAL,
				"%s: protection information needs %d bytes of metadata, and format "
				"%u has %u",
				ctrl->bdf, PI_BYTES, format->lbaf, metadata);
	if (format->pi > NVME_FORMAT_PI_TYPE3 || !(id->dpc & 1u << (format->pi - 1)) ||
	    !(id->dpc & place))
		return brg_fail(EINVAL,
				"%s: the namespace has no protection information of type %u in the "
				"%s bytes of its metadata (DPC %#x)",
				ctrl->bdf, format->pi, format->pi_first ? "first" : "last",
				id->dpc);
	return 0;
}

/* FNA bits 0 and 1: a format, or an erase, of one namespace is one of all. Whoever names one must
 * not lose others by it. */
static int check_others(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_format *format)
{
	uint8_t of_all = NVME_CTRL_FNA_FMT_ALL_NAMESPACES;
	uint32_t active[2];
	int n;

	if (format->erase != NVME_FORMAT_SES_NONE)
		of_all |= NVME_CTRL_FNA_SEC_ALL_NAMESPACES;
	if (format->nsid == NVME_NSID_ALL || !(ctrl->id.fna & of_all))
		return 0;
	n = brg_nvme_ns_list(ctrl, active, RTE_DIM(active));
	if (n < 0)
		return n;
	if (!n || (n == 1 && active[0] == format->nsid))
		return 0;
	return brg_fail(EINVAL,
			"%s: to format namespace %" PRIu32
			" is to format all of them (FNA %#x), and it is not the only one: %s",
			ctrl->bdf, format->nsid, ctrl->id.fna,
			ctrl->id.fna & NVME_CTRL_FNA_NSID_FFFFFFFF
				? "detach the others, where they need not be kept"
				: "if that is wanted, say NVME_NSID_ALL (barrage format --all)");
}

static int check_format(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_format *format)
{
	unsigned int way = format->extended ? NVME_NS_MC_EXTENDED : NVME_NS_MC_SEPARATE;
	struct nvme_id_ns id;
	int err;

	if (!(ctrl->id.oacs & NVME_CTRL_OACS_FORMAT))
		return brg_admin_unsupported(ctrl, "Format NVM", "OACS", ctrl->id.oacs);
	if (format->nsid == NVME_NSID_ALL && ctrl->id.fna & NVME_CTRL_FNA_NSID_FFFFFFFF)
		return brg_admin_unsupported(ctrl, "to format all namespaces at once", "FNA",
					     ctrl->id.fna);
	if (format->erase == NVME_FORMAT_SES_CRYPTO_ERASE &&
	    !(ctrl->id.fna & NVME_CTRL_FNA_CRYPTO_ERASE))
		return brg_admin_unsupported(ctrl, "cryptographic erase", "FNA", ctrl->id.fna);
	err = check_others(ctrl, format);
	if (err)
		return err;
	err = identify_formats(ctrl, format->nsid, &id);
	if (err)
		return err;
	if (format->lbaf > id.nlbaf + id.nulbaf || format->lbaf >= RTE_DIM(id.lbaf))
		return brg_fail(EINVAL, "%s: the namespace has formats 0 to %u, and no %u",
				ctrl->bdf, id.nlbaf + id.nulbaf, format->lbaf);
	if (id.lbaf[format->lbaf].ms && !(id.mc & way))
		return brg_fail(EINVAL, "%s: the namespace cannot have its metadata %s (MC %#x)",
				ctrl->bdf,
				format->extended ? "behind each block's data"
						 : "in a buffer of "
						   "its own",
				id.mc);
	return check_protection(ctrl, format, &id);
}

int brg_nvme_format(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_format *format)
{
	struct brg_nvme_sqe sqe = {
		.opcode = nvme_admin_format_nvm,
		.nsid = format->nsid,
		.cdw10 = (format->lbaf & 0xfu) | (uint32_t)format->extended << 4 |
			 (uint32_t)format->pi << 5 | (uint32_t)format->pi_first << 8 |
			 (uint32_t)format->erase << 9 | (format->lbaf >> 4 & 3u) << 12,
	};
	int err = check_format(ctrl, format);

	if (err)
		return err;
	return brg_admin_patiently(ctrl, &sqe, NULL, 0,
				   format->timeout_ms ? format->timeout_ms : FORMAT_TIMEOUT_MS,
				   NULL);
}

/* SANICAP has a bit for each action; to leave a failed state takes none. */
static const struct {
	uint32_t capability;
	const char *name;
} actions[] = {
	[NVME_SANITIZE_SANACT_EXIT_FAILURE] = {UINT32_MAX, "sanitize"},
	[NVME_SANITIZE_SANACT_START_BLOCK_ERASE] = {NVME_CTRL_SANICAP_BES,
						    "sanitize by block erase"},
	[NVME_SANITIZE_SANACT_START_OVERWRITE] = {NVME_CTRL_SANICAP_OWS, "sanitize by overwriting"},
	[NVME_SANITIZE_SANACT_START_CRYPTO_ERASE] = {NVME_CTRL_SANICAP_CES,
						     "sanitize by cryptographic erase"},
};

int brg_nvme_sanitize(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_sanitize *how)
{
	struct brg_nvme_sqe sqe = {
		.opcode = nvme_admin_sanitize_nvm,
		.cdw10 = how->action | (uint32_t)how->allow_unrestricted_exit << 3 |
			 (how->passes & 0xfu) << 4 | (uint32_t)how->invert << 8 |
			 (uint32_t)how->no_deallocate << 9,
		.cdw11 = how->pattern,
	};

	if (how->action < NVME_SANITIZE_SANACT_EXIT_FAILURE || how->action >= RTE_DIM(actions))
		return brg_fail(EINVAL, "there is no sanitize action %u", how->action);
	if (!(ctrl->id.sanicap & actions[how->action].capability))
		return brg_admin_unsupported(ctrl, actions[how->action].name, "SANICAP",
					     ctrl->id.sanicap);
	if (how->no_deallocate && ctrl->id.sanicap & NVME_CTRL_SANICAP_NDI)
		return brg_admin_unsupported(ctrl, "to sanitize without deallocating", "SANICAP",
					     ctrl->id.sanicap);
	if (how->action == NVME_SANITIZE_SANACT_START_OVERWRITE &&
	    (how->passes < 1 || how->passes > 16))
		return brg_fail(EINVAL, "to overwrite in %u passes: it takes 1 to 16", how->passes);
	return brg_nvme_admin(ctrl, &sqe, NULL, 0, NULL);
}
