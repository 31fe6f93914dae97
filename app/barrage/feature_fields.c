/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the bits of features mean (Base 5.27.1, NVM command set 4.1.4): dword 0 of the answer to Get
 * Features, and of some their data. Names are those of nvme get-feature -H.
 */

#include <inttypes.h>
#include <string.h>

#include "fields.h"
#include "pages.h"

enum bits_kind {
	BITS_NUMBER,
	BITS_FROM_1,   /* 0's based */
	BITS_HUNDREDS, /* of the unit that is printed */
	BITS_BURST,    /* a power of two; all-ones: no limit */
	BITS_KELVIN,
	BITS_HEX,
	BITS_FLAG,
};

struct bits {
	uint8_t fid;
	const char *name; /* NULL ends the table */
	uint8_t shift;
	uint32_t mask;
	enum bits_kind kind;
	const char *unit;
};

#define BITS(fid, field, name, kind, unit)                                                      \
	{                                                                                       \
		NVME_FEAT_FID_##fid, name, NVME_FEAT_##field##_SHIFT, NVME_FEAT_##field##_MASK, \
			kind, unit                                                              \
	}
#define NUMBER(fid, field, name) BITS(fid, field, name, BITS_NUMBER, "")
#define FROM_1(fid, field, name) BITS(fid, field, name, BITS_FROM_1, "")
#define KELVIN(fid, field, name) BITS(fid, field, name, BITS_KELVIN, "")
#define FLAG(fid, field, name)	 BITS(fid, field, name, BITS_FLAG, "")

static const struct bits fields[] = {
	FROM_1(ARBITRATION, ARBITRATION_HPW, "High Priority Weight (HPW)"),
	FROM_1(ARBITRATION, ARBITRATION_MPW, "Medium Priority Weight (MPW)"),
	FROM_1(ARBITRATION, ARBITRATION_LPW, "Low Priority Weight (LPW)"),
	BITS(ARBITRATION, ARBITRATION_BURST, "Arbitration Burst (AB)", BITS_BURST, ""),
	NUMBER(POWER_MGMT, PWRMGMT_WH, "Workload Hint (WH)"),
	NUMBER(POWER_MGMT, PWRMGMT_PS, "Power State (PS)"),
	NUMBER(TEMP_THRESH, TT_THSEL, "Threshold Type Select (THSEL)"),
	NUMBER(TEMP_THRESH, TT_TMPSEL, "Threshold Temperature Select (TMPSEL)"),
	KELVIN(TEMP_THRESH, TT_TMPTH, "Temperature Threshold (TMPTH)"),
	FLAG(ERR_RECOVERY, ERROR_RECOVERY_DULBE,
	     "Deallocated or Unwritten Logical Block Error Enable (DULBE)"),
	BITS(ERR_RECOVERY, ERROR_RECOVERY_TLER, "Time Limited Error Recovery (TLER)", BITS_HUNDREDS,
	     " ms"),
	FLAG(VOLATILE_WC, VWC_WCE, "Volatile Write Cache Enable (WCE)"),
	FROM_1(NUM_QUEUES, NRQS_NCQR, "Number of IO Completion Queues Allocated (NCQA)"),
	FROM_1(NUM_QUEUES, NRQS_NSQR, "Number of IO Submission Queues Allocated (NSQA)"),
	BITS(IRQ_COALESCE, IRQC_TIME, "Aggregation Time (TIME)", BITS_HUNDREDS, " usec"),
	FROM_1(IRQ_COALESCE, IRQC_THR, "Aggregation Threshold (THR)"),
	FLAG(IRQ_CONFIG, ICFG_CD, "Coalescing Disable (CD)"),
	NUMBER(IRQ_CONFIG, ICFG_IV, "Interrupt Vector (IV)"),
	FLAG(WRITE_ATOMIC, WA_DN, "Disable Normal (DN)"),
	/* libnvme has no name for this one (Base 5.27.1.8). */
	{NVME_FEAT_FID_ASYNC_EVENT, "Discovery Log Page Change Notices", 31, 1, BITS_FLAG, ""},
	FLAG(ASYNC_EVENT, AE_EGA, "Endurance Group Event Aggregate Log Change Notices"),
	FLAG(ASYNC_EVENT, AE_LBAS, "LBA Status Information Notices"),
	FLAG(ASYNC_EVENT, AE_PLA, "Predictable Latency Event Aggregate Log Change Notices"),
	FLAG(ASYNC_EVENT, AE_ANA, "Asymmetric Namespace Access Change Notices"),
	FLAG(ASYNC_EVENT, AE_TELEM, "Telemetry Log Notices"),
	FLAG(ASYNC_EVENT, AE_FW, "Firmware Activation Notices"),
	FLAG(ASYNC_EVENT, AE_NAN, "Namespace Attribute Notices"),
	BITS(ASYNC_EVENT, AE_SMART, "SMART / Health Critical Warnings", BITS_HEX, ""),
	{NVME_FEAT_FID_KATO, "Keep Alive Timeout (KATO)", 0, UINT32_MAX, BITS_NUMBER, " ms"},
	KELVIN(HCTM, HCTM_TMT1, "Thermal Management Temperature 1 (TMT1)"),
	KELVIN(HCTM, HCTM_TMT2, "Thermal Management Temperature 2 (TMT2)"),
	FLAG(NOPSC, NOPS_NOPPME, "Non-Operational Power State Permissive Mode Enable (NOPPME)"),
	NUMBER(SANITIZE, SC_NODRM, "No-Deallocate Response Mode (NODRM)"),
	NUMBER(SW_PROGRESS, SPM_PBSLC, "Pre-boot Software Load Count (PBSLC)"),
	{0},
};

static uint32_t number(const struct bits *b, uint32_t value)
{
	uint32_t raw = value >> b->shift & b->mask;

	switch (b->kind) {
	case BITS_FROM_1:
		return raw + 1;
	case BITS_HUNDREDS:
		return raw * 100;
	case BITS_BURST:
		return 1u << raw;
	default:
		return raw;
	}
}

static bool unlimited(const struct bits *b, uint32_t value)
{
	return b->kind == BITS_BURST && (value >> b->shift & b->mask) == b->mask;
}

static json_t *bits_json(const struct bits *b, uint32_t value)
{
	if (unlimited(b, value))
		return json_string("No limit");
	if (b->kind == BITS_FLAG)
		return json_boolean(number(b, value));
	return json_integer(number(b, value));
}

static void bits_print(FILE *out, const struct bits *b, uint32_t value)
{
	uint32_t n = number(b, value);

	if (unlimited(b, value))
		fprintf(out, "%s : no limit\n", b->name);
	else if (b->kind == BITS_FLAG)
		fprintf(out, "%s : %s\n", b->name, n ? "yes" : "no");
	else if (b->kind == BITS_KELVIN)
		fprintf(out, "%s : %d °C (%" PRIu32 " K)\n", b->name, (int)n - 273, n);
	else if (b->kind == BITS_HEX)
		fprintf(out, "%s : %#" PRIx32 "\n", b->name, n);
	else
		fprintf(out, "%s : %" PRIu32 "%s\n", b->name, n, b->unit);
}

/* Base 5.27.1.14, and 5.27.1.25 with 64 and 128 bits. */
static const struct field timestamp[] = {
	{"Timestamp", 0, 6, FIELD_NUMBER},
	{"Timestamp Origin", 6, 1, FIELD_NUMBER},
	{"Synch", 7, 1, FIELD_NUMBER},
	{0},
};
static const struct field host_id[] = {{"Host Identifier (HOSTID)", 0, 8, FIELD_BYTES}, {0}};
static const struct field long_host_id[] = {{"Host Identifier (HOSTID)", 0, 16, FIELD_BYTES}, {0}};

/* Data as fields of whole bytes: the timestamp's attributes are bits. NULL: not described here. */
static const struct field *describe(uint8_t fid, const void *data, size_t len, uint8_t page[16])
{
	const struct nvme_timestamp *ts = data;

	if (fid == NVME_FEAT_FID_TIMESTAMP && len >= sizeof(*ts)) {
		memcpy(page, ts->timestamp, sizeof(ts->timestamp));
		page[6] = ts->attr >> 1 & 7;
		page[7] = ts->attr & 1;
		return timestamp;
	}
	if (fid != NVME_FEAT_FID_HOST_ID || (len != 8 && len != 16))
		return NULL;
	memcpy(page, data, len);
	return len == 8 ? host_id : long_host_id;
}

json_t *feature_fields_json(uint8_t fid, uint32_t value, const void *data, size_t len)
{
	json_t *json = json_object();
	uint8_t page[16];
	const struct field *described = describe(fid, data, len, page);

	if (described)
		fields_to_json(json, described, page);
	for (const struct bits *b = fields; b->name; b++)
		if (b->fid == fid)
			json_object_set_new(json, b->name, bits_json(b, value));
	if (json_object_size(json))
		return json;
	json_decref(json);
	return json_null();
}

bool feature_fields_print(FILE *out, uint8_t fid, uint32_t value, const void *data, size_t len)
{
	uint8_t page[16];
	const struct field *described = describe(fid, data, len, page);
	bool any = described;

	if (described)
		fields_print(out, described, page);
	for (const struct bits *b = fields; b->name; b++) {
		if (b->fid != fid)
			continue;
		bits_print(out, b, value);
		any = true;
	}
	return any;
}
