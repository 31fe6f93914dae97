/* SPDX-License-Identifier: BSD-3-Clause */
/* What Identify returns (Base 5.17, NVM command set 4.1.5, zoned 4.1.5). */

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "brg_nvme.h"
#include "fields.h"
#include "pages.h"
#include "table.h"

#define CTRL(member, kind) FIELD(nvme_id_ctrl, member, kind)

static const struct field id_ctrl[] = {
	CTRL(vid, FIELD_HEX),	       CTRL(ssvid, FIELD_HEX),
	CTRL(sn, FIELD_TEXT),	       CTRL(mn, FIELD_TEXT),
	CTRL(fr, FIELD_TEXT),	       CTRL(rab, FIELD_NUMBER),
	CTRL(ieee, FIELD_HEX),	       CTRL(cmic, FIELD_HEX),
	CTRL(mdts, FIELD_NUMBER),      CTRL(cntlid, FIELD_HEX),
	CTRL(ver, FIELD_HEX),	       CTRL(rtd3r, FIELD_HEX),
	CTRL(rtd3e, FIELD_HEX),	       CTRL(oaes, FIELD_HEX),
	CTRL(ctratt, FIELD_HEX),       CTRL(rrls, FIELD_HEX),
	CTRL(cntrltype, FIELD_NUMBER), CTRL(fguid, FIELD_UUID),
	CTRL(crdt1, FIELD_NUMBER),     CTRL(crdt2, FIELD_NUMBER),
	CTRL(crdt3, FIELD_NUMBER),     CTRL(nvmsr, FIELD_NUMBER),
	CTRL(vwci, FIELD_NUMBER),      CTRL(mec, FIELD_NUMBER),
	CTRL(oacs, FIELD_HEX),	       CTRL(acl, FIELD_NUMBER),
	CTRL(aerl, FIELD_NUMBER),      CTRL(frmw, FIELD_HEX),
	CTRL(lpa, FIELD_HEX),	       CTRL(elpe, FIELD_NUMBER),
	CTRL(npss, FIELD_NUMBER),      CTRL(avscc, FIELD_HEX),
	CTRL(apsta, FIELD_HEX),	       CTRL(wctemp, FIELD_KELVIN),
	CTRL(cctemp, FIELD_KELVIN),    CTRL(mtfa, FIELD_NUMBER),
	CTRL(hmpre, FIELD_NUMBER),     CTRL(hmmin, FIELD_NUMBER),
	CTRL(tnvmcap, FIELD_BIG),      CTRL(unvmcap, FIELD_BIG),
	CTRL(rpmbs, FIELD_HEX),	       CTRL(edstt, FIELD_NUMBER),
	CTRL(dsto, FIELD_NUMBER),      CTRL(fwug, FIELD_NUMBER),
	CTRL(kas, FIELD_NUMBER),       CTRL(hctma, FIELD_HEX),
	CTRL(mntmt, FIELD_NUMBER),     CTRL(mxtmt, FIELD_NUMBER),
	CTRL(sanicap, FIELD_HEX),      CTRL(hmminds, FIELD_NUMBER),
	CTRL(hmmaxd, FIELD_NUMBER),    CTRL(nsetidmax, FIELD_NUMBER),
	CTRL(endgidmax, FIELD_NUMBER), CTRL(anatt, FIELD_NUMBER),
	CTRL(anacap, FIELD_NUMBER),    CTRL(anagrpmax, FIELD_NUMBER),
	CTRL(nanagrpid, FIELD_NUMBER), CTRL(pels, FIELD_NUMBER),
	CTRL(domainid, FIELD_NUMBER),  CTRL(megcap, FIELD_BIG),
	CTRL(sqes, FIELD_HEX),	       CTRL(cqes, FIELD_HEX),
	CTRL(maxcmd, FIELD_NUMBER),    CTRL(nn, FIELD_NUMBER),
	CTRL(oncs, FIELD_HEX),	       CTRL(fuses, FIELD_HEX),
	CTRL(fna, FIELD_HEX),	       CTRL(vwc, FIELD_HEX),
	CTRL(awun, FIELD_NUMBER),      CTRL(awupf, FIELD_NUMBER),
	CTRL(icsvscc, FIELD_NUMBER),   CTRL(nwpc, FIELD_NUMBER),
	CTRL(acwu, FIELD_NUMBER),      CTRL(ocfs, FIELD_HEX),
	CTRL(sgls, FIELD_HEX),	       CTRL(mnan, FIELD_NUMBER),
	CTRL(maxdna, FIELD_BIG),       CTRL(maxcna, FIELD_NUMBER),
	CTRL(subnqn, FIELD_TEXT),      CTRL(ioccsz, FIELD_NUMBER),
	CTRL(iorcsz, FIELD_NUMBER),    CTRL(icdoff, FIELD_NUMBER),
	CTRL(fcatt, FIELD_NUMBER),     CTRL(msdbd, FIELD_NUMBER),
	CTRL(ofcs, FIELD_NUMBER),      {0},
};

#define PSD(member, name) FIELD_AS(nvme_id_psd, member, name, FIELD_NUMBER)

/* Scales and their reserved bits share bytes: those three are added by hand. */
static const struct field id_psd[] = {
	PSD(mp, "max_power"),	PSD(flags, "flags"),	   PSD(enlat, "entry_lat"),
	PSD(exlat, "exit_lat"), PSD(rrt, "read_tput"),	   PSD(rrl, "read_lat"),
	PSD(rwt, "write_tput"), PSD(rwl, "write_lat"),	   PSD(idlp, "idle_power"),
	PSD(ips, "idle_scale"), PSD(actp, "active_power"), {0},
};

static unsigned int power_states(const struct nvme_id_ctrl *id)
{
	unsigned int n = id->npss + 1u;

	return n < 32 ? n : 32;
}

json_t *id_ctrl_json(const struct page_of *p)
{
	const struct nvme_id_ctrl *id = p->page;
	json_t *json = json_object(), *states = json_array();

	fields_to_json(json, id_ctrl, id);
	for (unsigned int i = 0; i < power_states(id); i++) {
		json_t *state = json_object();

		fields_to_json(state, id_psd, &id->psd[i]);
		json_object_set_new(state, "idle_scale", json_integer(id->psd[i].ips >> 6));
		json_object_set_new(state, "active_power_work", json_integer(id->psd[i].apws & 7));
		json_object_set_new(state, "active_scale", json_integer(id->psd[i].apws >> 6));
		json_array_append_new(states, state);
	}
	json_object_set_new(json, "psds", states);
	return json;
}

/* Power is in hundredths of a watt, or in tenths of a milliwatt (5.17.2.1, MXPS). */
static double watts(const struct nvme_id_psd *psd)
{
	return psd->mp * (psd->flags & 1 ? 0.0001 : 0.01);
}

void id_ctrl_print(FILE *out, const struct page_of *p)
{
	static const char *const heads[] = {">ps",	">max W",     "operational", ">entry us",
					    ">exit us", ">read tput", ">lat",	     ">write tput",
					    ">lat",	NULL};
	const struct nvme_id_ctrl *id = p->page;
	struct table *t = table_new(heads);

	fields_print(out, id_ctrl, id);
	fprintf(out, "\n");
	for (unsigned int i = 0; i < power_states(id); i++) {
		const struct nvme_id_psd *psd = &id->psd[i];

		table_cell(t, "%u", i);
		table_cell(t, "%.2f", watts(psd));
		table_cell(t, "%s", psd->flags & 2 ? "no" : "yes");
		table_cell(t, "%" PRIu32, psd->enlat);
		table_cell(t, "%" PRIu32, psd->exlat);
		table_cell(t, "%u", psd->rrt);
		table_cell(t, "%u", psd->rrl);
		table_cell(t, "%u", psd->rwt);
		table_cell(t, "%u", psd->rwl);
	}
	table_print(t, out);
	table_free(t);
}

#define NS(member, kind) FIELD(nvme_id_ns, member, kind)

static const struct field id_ns[] = {
	NS(nsze, FIELD_NUMBER),
	NS(ncap, FIELD_NUMBER),
	NS(nuse, FIELD_NUMBER),
	NS(nsfeat, FIELD_HEX),
	NS(nlbaf, FIELD_NUMBER),
	NS(flbas, FIELD_HEX),
	NS(mc, FIELD_HEX),
	NS(dpc, FIELD_HEX),
	NS(dps, FIELD_HEX),
	NS(nmic, FIELD_HEX),
	NS(rescap, FIELD_HEX),
	NS(fpi, FIELD_HEX),
	NS(dlfeat, FIELD_NUMBER),
	NS(nawun, FIELD_NUMBER),
	NS(nawupf, FIELD_NUMBER),
	NS(nacwu, FIELD_NUMBER),
	NS(nabsn, FIELD_NUMBER),
	NS(nabo, FIELD_NUMBER),
	NS(nabspf, FIELD_NUMBER),
	NS(noiob, FIELD_NUMBER),
	NS(nvmcap, FIELD_BIG),
	NS(npwg, FIELD_NUMBER),
	NS(npwa, FIELD_NUMBER),
	NS(npdg, FIELD_NUMBER),
	NS(npda, FIELD_NUMBER),
	NS(nows, FIELD_NUMBER),
	NS(mssrl, FIELD_NUMBER),
	NS(mcl, FIELD_NUMBER),
	NS(msrc, FIELD_NUMBER),
	NS(nulbaf, FIELD_NUMBER),
	NS(anagrpid, FIELD_NUMBER),
	NS(nsattr, FIELD_NUMBER),
	NS(nvmsetid, FIELD_NUMBER),
	NS(endgid, FIELD_NUMBER),
	NS(nguid, FIELD_BYTES),
	NS(eui64, FIELD_BYTES),
	{0},
};

static unsigned int formats(const struct nvme_id_ns *id)
{
	unsigned int n = id->nlbaf + id->nulbaf + 1u;

	return n < 64 ? n : 64;
}

json_t *id_ns_json(const struct page_of *p)
{
	const struct nvme_id_ns *id = p->page;
	json_t *json = json_object(), *list = json_array();

	fields_to_json(json, id_ns, id);
	for (unsigned int i = 0; i < formats(id); i++)
		json_array_append_new(list, json_pack("{s:i, s:i, s:i}", "ms", id->lbaf[i].ms, "ds",
						      id->lbaf[i].ds, "rp", id->lbaf[i].rp & 3));
	json_object_set_new(json, "lbafs", list);
	return json;
}

void id_ns_print(FILE *out, const struct page_of *p)
{
	static const char *const heads[] = {">lbaf",	   ">bytes of data", ">of metadata",
					    "performance", "in use",	     NULL};
	static const char *const performance[] = {"best", "better", "good", "degraded"};
	const struct nvme_id_ns *id = p->page;
	struct table *t = table_new(heads);

	fields_print(out, id_ns, id);
	fprintf(out, "\n");
	for (unsigned int i = 0; i < formats(id); i++) {
		table_cell(t, "%u", i);
		table_cell(t, "%" PRIu64, id->lbaf[i].ds < 64 ? UINT64_C(1) << id->lbaf[i].ds : 0);
		table_cell(t, "%u", id->lbaf[i].ms);
		table_cell(t, "%s", performance[id->lbaf[i].rp & 3]);
		table_cell(t, "%s", i == brg_nvme_format_in_use(id) ? "yes" : "-");
	}
	table_print(t, out);
	table_free(t);
}

json_t *ns_list_json(const struct page_of *p)
{
	const struct nvme_ns_list *list = p->page;
	json_t *array = json_array();

	for (unsigned int i = 0; i < NVME_ID_NS_LIST_MAX && list->ns[i]; i++)
		json_array_append_new(array, json_pack("{s:I}", "nsid", (json_int_t)list->ns[i]));
	return json_pack("{s:o}", "nsid_list", array);
}

void ns_list_print(FILE *out, const struct page_of *p)
{
	const struct nvme_ns_list *list = p->page;

	for (unsigned int i = 0; i < NVME_ID_NS_LIST_MAX && list->ns[i]; i++)
		fprintf(out, "[%4u]:%#" PRIx32 "\n", i, list->ns[i]);
}

/* Namespace Identification Descriptors (5.17.2.3): a type, a length, and an identifier each. */
static const struct {
	const char *type;
	enum field_kind kind;
} desc_types[] = {
	[NVME_NIDT_EUI64] = {"eui64", FIELD_BYTES},
	[NVME_NIDT_NGUID] = {"nguid", FIELD_BYTES},
	[NVME_NIDT_UUID] = {"uuid", FIELD_UUID},
	[NVME_NIDT_CSI] = {"csi", FIELD_NUMBER},
};

/* One of them, taken apart: a length that is not a multiple of 4 leaves the next one unaligned. */
struct descriptor {
	uint8_t type, length;
	const uint8_t *id;
};

static bool next_desc(const struct page_of *p, size_t *at, struct descriptor *desc)
{
	const size_t head = sizeof(struct nvme_ns_id_desc);
	const uint8_t *bytes = (const uint8_t *)p->page + *at;

	if (*at + head > p->len || !bytes[1] || *at + head + bytes[1] > p->len)
		return false;
	*desc = (struct descriptor){bytes[0], bytes[1], bytes + head};
	*at += head + bytes[1];
	return true;
}

static json_t *desc_json(const struct descriptor *desc)
{
	bool known = desc->type < sizeof(desc_types) / sizeof(desc_types[0]) &&
		     desc_types[desc->type].type;
	const char *type = known ? desc_types[desc->type].type : "unknown";
	enum field_kind kind = known ? desc_types[desc->type].kind : FIELD_BYTES;
	const struct field value[] = {
		{type, 0, desc->length, desc->length > 16 ? FIELD_BYTES : kind},
		{0},
	};
	json_t *json = json_pack("{s:i, s:i, s:s}", "nidt", desc->type, "nidl", desc->length,
				 "type", type);

	fields_to_json(json, value, desc->id);
	if (desc->type == NVME_NIDT_CSI)
		json_object_set_new(json, type, json_sprintf("%#x", desc->id[0]));
	return json;
}

json_t *ns_descs_json(const struct page_of *p)
{
	struct descriptor desc;
	json_t *array = json_array();

	for (size_t at = 0, loc = 0; next_desc(p, &at, &desc); loc = at) {
		json_t *json = desc_json(&desc);

		json_object_set_new(json, "loc", json_integer((json_int_t)loc));
		json_array_append_new(array, json);
	}
	return json_pack("{s:o}", "ns-descs", array);
}

void ns_descs_print(FILE *out, const struct page_of *p)
{
	json_t *json = ns_descs_json(p), *desc;
	size_t i;

	json_array_foreach (json_object_get(json, "ns-descs"), i, desc) {
		const char *type = json_string_value(json_object_get(desc, "type"));

		fprintf(out, "%-5s : %s\n", type, json_string_value(json_object_get(desc, type)));
	}
	json_decref(json);
}

static unsigned int controllers(const struct nvme_ctrl_list *list)
{
	return list->num < NVME_ID_CTRL_LIST_MAX ? list->num : NVME_ID_CTRL_LIST_MAX;
}

json_t *ctrl_list_json(const struct page_of *p)
{
	const struct nvme_ctrl_list *list = p->page;
	json_t *array = json_array();

	for (unsigned int i = 0; i < controllers(list); i++)
		json_array_append_new(array, json_pack("{s:i}", "ctrl_id", list->identifier[i]));
	return json_pack("{s:i, s:o}", "num_ctrl", list->num, "ctrl_list", array);
}

void ctrl_list_print(FILE *out, const struct page_of *p)
{
	const struct nvme_ctrl_list *list = p->page;

	for (unsigned int i = 0; i < controllers(list); i++)
		fprintf(out, "[%4u]:%#x\n", i, list->identifier[i]);
}

static const struct field nvm_id_ctrl[] = {
	FIELD(nvme_id_ctrl_nvm, vsl, FIELD_NUMBER),
	FIELD(nvme_id_ctrl_nvm, wzsl, FIELD_NUMBER),
	FIELD(nvme_id_ctrl_nvm, wusl, FIELD_NUMBER),
	FIELD(nvme_id_ctrl_nvm, dmrl, FIELD_NUMBER),
	FIELD(nvme_id_ctrl_nvm, dmrsl, FIELD_NUMBER),
	FIELD(nvme_id_ctrl_nvm, dmsl, FIELD_NUMBER),
	{0},
};

json_t *nvm_id_ctrl_json(const struct page_of *p)
{
	json_t *json = json_object();

	fields_to_json(json, nvm_id_ctrl, p->page);
	return json;
}

void nvm_id_ctrl_print(FILE *out, const struct page_of *p)
{
	fields_print(out, nvm_id_ctrl, p->page);
}

static const struct field zns_id_ctrl[] = {FIELD(nvme_zns_id_ctrl, zasl, FIELD_NUMBER), {0}};

json_t *zns_id_ctrl_json(const struct page_of *p)
{
	json_t *json = json_object();

	fields_to_json(json, zns_id_ctrl, p->page);
	return json;
}

void zns_id_ctrl_print(FILE *out, const struct page_of *p)
{
	fields_print(out, zns_id_ctrl, p->page);
}

#define ZNS(member) FIELD(nvme_zns_id_ns, member, FIELD_NUMBER)

static const struct field zns_id_ns[] = {
	ZNS(zoc),     ZNS(ozcs),   ZNS(mar),	ZNS(mor),     ZNS(rrl),	 ZNS(frl),
	ZNS(rrl1),    ZNS(rrl2),   ZNS(rrl3),	ZNS(frl1),    ZNS(frl2), ZNS(frl3),
	ZNS(numzrwa), ZNS(zrwafg), ZNS(zrwasz), ZNS(zrwacap), {0},
};

/* How many there are is in Identify Namespace, and the unused ones are zeroes. */
static unsigned int zone_formats(const struct nvme_zns_id_ns *id)
{
	unsigned int n = 64;

	while (n && !id->lbafe[n - 1].zsze)
		n--;
	return n;
}

json_t *zns_id_ns_json(const struct page_of *p)
{
	const struct nvme_zns_id_ns *id = p->page;
	json_t *json = json_object(), *list = json_array();

	fields_to_json(json, zns_id_ns, id);
	for (unsigned int i = 0; i < zone_formats(id); i++)
		json_array_append_new(list,
				      json_pack("{s:I, s:i}", "zsze", (json_int_t)id->lbafe[i].zsze,
						"zdes", id->lbafe[i].zdes));
	json_object_set_new(json, "lbafe", list);
	return json;
}

void zns_id_ns_print(FILE *out, const struct page_of *p)
{
	static const char *const heads[] = {">lbaf", ">zone size in blocks",
					    ">descriptor extension bytes", NULL};
	const struct nvme_zns_id_ns *id = p->page;
	struct table *t = table_new(heads);

	fields_print(out, zns_id_ns, id);
	fprintf(out, "\n");
	for (unsigned int i = 0; i < zone_formats(id); i++) {
		table_cell(t, "%u", i);
		table_cell(t, "%" PRIu64, (uint64_t)id->lbafe[i].zsze);
		table_cell(t, "%u", id->lbafe[i].zdes * 64u);
	}
	table_print(t, out);
	table_free(t);
}

#define PRIMARY(member) FIELD(nvme_primary_ctrl_cap, member, FIELD_NUMBER)

static const struct field primary_ctrl[] = {
	PRIMARY(cntlid), PRIMARY(portid), PRIMARY(crt),	   PRIMARY(vqfrt),
	PRIMARY(vqrfa),	 PRIMARY(vqrfap), PRIMARY(vqprt),  PRIMARY(vqfrsm),
	PRIMARY(vqgran), PRIMARY(vifrt),  PRIMARY(virfa),  PRIMARY(virfap),
	PRIMARY(viprt),	 PRIMARY(vifrsm), PRIMARY(vigran), {0},
};

json_t *primary_ctrl_json(const struct page_of *p)
{
	json_t *json = json_object();

	fields_to_json(json, primary_ctrl, p->page);
	return json;
}

void primary_ctrl_print(FILE *out, const struct page_of *p)
{
	fields_print(out, primary_ctrl, p->page);
}

static unsigned int secondaries(const struct nvme_secondary_ctrl_list *list)
{
	return list->num < NVME_ID_SECONDARY_CTRL_MAX ? list->num : NVME_ID_SECONDARY_CTRL_MAX;
}

json_t *secondary_ctrls_json(const struct page_of *p)
{
	const struct nvme_secondary_ctrl_list *list = p->page;
	json_t *array = json_array();

	for (unsigned int i = 0; i < secondaries(list); i++) {
		const struct nvme_secondary_ctrl *s = &list->sc_entry[i];

		json_array_append_new(array, json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}",
						       "secondary-controller-identifier", s->scid,
						       "primary-controller-identifier", s->pcid,
						       "secondary-controller-state", s->scs & 1,
						       "virtual-function-number", s->vfn,
						       "num-virtual-queues", s->nvq,
						       "num-virtual-interrupts", s->nvi));
	}
	return json_pack("{s:i, s:o}", "num", list->num, "secondary-controllers", array);
}

void secondary_ctrls_print(FILE *out, const struct page_of *p)
{
	static const char *const heads[] = {">controller", ">primary",	  "state", ">function",
					    ">queues",	   ">interrupts", NULL};
	const struct nvme_secondary_ctrl_list *list = p->page;
	struct table *t = table_new(heads);

	for (unsigned int i = 0; i < secondaries(list); i++) {
		const struct nvme_secondary_ctrl *s = &list->sc_entry[i];

		table_cell(t, "%#x", s->scid);
		table_cell(t, "%#x", s->pcid);
		table_cell(t, "%s", s->scs & 1 ? "online" : "offline");
		table_cell(t, "%u", s->vfn);
		table_cell(t, "%u", s->nvq);
		table_cell(t, "%u", s->nvi);
	}
	table_print(t, out);
	table_free(t);
}

json_t *iocs_json(const struct page_of *p)
{
	const struct nvme_id_iocs *iocs = p->page;
	json_t *array = json_array();
	unsigned int n = sizeof(iocs->iocsc) / sizeof(iocs->iocsc[0]);

	while (n && !iocs->iocsc[n - 1])
		n--;
	for (unsigned int i = 0; i < n; i++)
		json_array_append_new(array, json_sprintf("%" PRIx64, (uint64_t)iocs->iocsc[i]));
	return json_pack("{s:o}", "iocsc", array);
}

void iocs_print(FILE *out, const struct page_of *p)
{
	static const char *const names[] = {"NVM", "key value", "zoned"};
	const struct nvme_id_iocs *iocs = p->page;

	for (unsigned int i = 0; i < sizeof(iocs->iocsc) / sizeof(iocs->iocsc[0]); i++) {
		if (!iocs->iocsc[i])
			continue;
		fprintf(out, "combination %u: %#" PRIx64, i, (uint64_t)iocs->iocsc[i]);
		for (unsigned int set = 0; set < 3; set++)
			if (iocs->iocsc[i] & 1u << set)
				fprintf(out, ", %s", names[set]);
		fprintf(out, "\n");
	}
}
