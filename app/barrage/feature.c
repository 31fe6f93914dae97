/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage feature: list, get and set what a controller can be told about how to work. */

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "options.h"
#include "pages.h"
#include "session.h"
#include "table.h"

static const char doc[] =
	"Get or set a feature of an NVMe controller, or list those it has.\v"
	"A value that is not saved is lost when the command ends, since the controller is then "
	"shut "
	"down and given back: set one with --save, or not at all. The answer to --sel supported "
	"says whether a feature can be saved.\n\n"
	"Examples:\n"
	"  barrage feature list 0000:00:04.0\n"
	"  barrage feature get --feature-id volatile-write-cache 0000:00:04.0\n"
	"  barrage feature get --feature-id 0x4 --sel default 0000:00:04.0\n"
	"  barrage feature get --feature-id fdp --value 1 0000:00:04.0\n"
	"  barrage feature set --feature-id temp-thresh --value 340 --save 0000:00:04.0";

static const struct choice features[] = {
	{"arbitration", NVME_FEAT_FID_ARBITRATION},
	{"power-mgmt", NVME_FEAT_FID_POWER_MGMT},
	{"lba-range", NVME_FEAT_FID_LBA_RANGE},
	{"temp-thresh", NVME_FEAT_FID_TEMP_THRESH},
	{"error-recovery", NVME_FEAT_FID_ERR_RECOVERY},
	{"volatile-write-cache", NVME_FEAT_FID_VOLATILE_WC},
	{"num-queues", NVME_FEAT_FID_NUM_QUEUES},
	{"irq-coalesce", NVME_FEAT_FID_IRQ_COALESCE},
	{"irq-config", NVME_FEAT_FID_IRQ_CONFIG},
	{"write-atomic", NVME_FEAT_FID_WRITE_ATOMIC},
	{"async-event", NVME_FEAT_FID_ASYNC_EVENT},
	{"auto-pst", NVME_FEAT_FID_AUTO_PST},
	{"host-mem-buf", NVME_FEAT_FID_HOST_MEM_BUF},
	{"timestamp", NVME_FEAT_FID_TIMESTAMP},
	{"kato", NVME_FEAT_FID_KATO},
	{"hctm", NVME_FEAT_FID_HCTM},
	{"nopsc", NVME_FEAT_FID_NOPSC},
	{"rrl", NVME_FEAT_FID_RRL},
	{"plm-config", NVME_FEAT_FID_PLM_CONFIG},
	{"plm-window", NVME_FEAT_FID_PLM_WINDOW},
	{"host-behavior", NVME_FEAT_FID_HOST_BEHAVIOR},
	{"sanitize", NVME_FEAT_FID_SANITIZE},
	{"iocs-profile", NVME_FEAT_FID_IOCS_PROFILE},
	{"fdp", NVME_FEAT_FID_FDP},
	{"fdp-events", NVME_FEAT_FID_FDP_EVENTS},
	{"sw-progress", NVME_FEAT_FID_SW_PROGRESS},
	{"host-id", NVME_FEAT_FID_HOST_ID},
	{"write-protect", NVME_FEAT_FID_WRITE_PROTECT},
	{0},
};

static const struct choice selects[] = {
	{"current", NVME_GET_FEATURES_SEL_CURRENT},
	{"default", NVME_GET_FEATURES_SEL_DEFAULT},
	{"saved", NVME_GET_FEATURES_SEL_SAVED},
	{"supported", NVME_GET_FEATURES_SEL_SUPPORTED},
	{0},
};

#define NOT_GIVEN UINT64_MAX
#define MOST_DATA 4096

static struct {
	const char *words[2]; /* get, set or list; device */
	uint64_t fid, select, nsid, value, cdw12, len;
	const char *file;
	bool save, json;
} opt = {.fid = NOT_GIVEN, .value = NOT_GIVEN, .len = NOT_GIVEN};

static const struct option_spec options[] = {
	CHOICE("feature-id", 'f', "FEATURE", "a name that list prints, or a number", &opt.fid,
	       UINT8_MAX, features),
	CHOICE("sel", 's', "WHICH", "current (default), default, saved or supported", &opt.select,
	       3, selects),
	NUMBER("namespace-id", 'n', "N", "of one namespace", &opt.nsid, 0, UINT32_MAX),
	NUMBER("value", 'v', "N", "to set: the value, command dword 11; to get: what that selects",
	       &opt.value, 0, UINT32_MAX),
	NUMBER("cdw12", 'c', "N", "to set: command dword 12", &opt.cdw12, 0, UINT32_MAX),
	TEXT("data", 'd', "FILE", "to set: data of the feature", &opt.file),
	SIZE("data-len", 'l', "SIZE", "its bytes (default: what the feature has)", &opt.len, 0,
	     MOST_DATA),
	FLAG("save", 'S', "keep the value over resets and power cycles", &opt.save),
	JSON_FLAG(&opt.json),
	{0},
};

static json_t *name_json(uint64_t fid)
{
	const char *name = choice_name(features, fid);

	return name ? json_string(name) : json_null();
}

/* Dword 0 of the answer to "supported" (5.15). */
static json_t *capabilities_json(uint32_t value)
{
	json_t *array = json_array();

	if (value & 1)
		json_array_append_new(array, json_string("saveable"));
	if (value & 2)
		json_array_append_new(array, json_string("per-namespace"));
	if (value & 4)
		json_array_append_new(array, json_string("changeable"));
	return array;
}

static json_t *feature_json(uint64_t fid, uint64_t select, uint32_t value, const uint8_t *data,
			    size_t len)
{
	bool supported = select == NVME_GET_FEATURES_SEL_SUPPORTED;
	json_t *json =
		json_pack("{s:i, s:o, s:s, s:I}", "feature-id", (int)fid, "name", name_json(fid),
			  "sel", choice_name(selects, select), "value", (json_int_t)value);
	json_t *bytes = json_array();

	if (supported)
		json_object_set_new(json, "Feature", capabilities_json(value));
	else
		json_object_set_new(json, "fields",
				    feature_fields_json((uint8_t)fid, value, data, len));
	for (size_t i = 0; i < len; i++)
		json_array_append_new(bytes, json_integer(data[i]));
	json_object_set_new(json, "data", len ? bytes : json_null());
	if (!len)
		json_decref(bytes);
	return json;
}

static void print_capabilities(uint32_t value)
{
	printf("  saveable       %s\n  per namespace  %s\n  changeable     %s\n",
	       value & 1 ? "yes" : "no", value & 2 ? "yes" : "no", value & 4 ? "yes" : "no");
}

static int print_feature(uint64_t fid, uint64_t select, uint32_t value, const uint8_t *data,
			 size_t len)
{
	const struct page_of p = {session_bdf(), data, len};
	const char *name = choice_name(features, fid);

	if (opt.json)
		return print_json(feature_json(fid, select, value, data, len));
	printf("feature 0x%02x (%s), %s value: 0x%08" PRIx32 "\n", (unsigned int)fid,
	       name ? name : "unknown", choice_name(selects, select), value);
	if (select == NVME_GET_FEATURES_SEL_SUPPORTED)
		print_capabilities(value);
	else if (!feature_fields_print(stdout, (uint8_t)fid, value, data, len) && len)
		raw_print(stdout, &p);
	return 0;
}

static uint32_t given(uint64_t value)
{
	return value == NOT_GIVEN ? 0 : (uint32_t)value;
}

/* "Supported" returns capabilities, and no data. */
static size_t data_bytes(void)
{
	if (opt.select == NVME_GET_FEATURES_SEL_SUPPORTED)
		return 0;
	return opt.len == NOT_GIVEN ? brg_nvme_feature_bytes((uint8_t)opt.fid) : opt.len;
}

static int get(struct brg_nvme_ctrl *ctrl, void *arg)
{
	uint8_t data[MOST_DATA];
	const struct brg_nvme_feature feature = {
		.fid = (uint8_t)opt.fid,
		.select = (uint8_t)opt.select,
		.nsid = (uint32_t)opt.nsid,
		.cdw11 = given(opt.value),
		.data = data,
		.len = data_bytes(),
	};
	uint32_t value;
	int err = brg_nvme_feature_get(ctrl, &feature, &value);

	return err ? err : print_feature(opt.fid, opt.select, value, data, feature.len);
}

static void read_file(uint8_t *data, size_t len)
{
	FILE *file = fopen(opt.file, "r");
	size_t got;

	if (!file)
		err(EXIT_FAILURE, "%s", opt.file);
	got = fread(data, 1, len, file);
	if (got != len || fgetc(file) != EOF)
		errx(EXIT_FAILURE, "%s: the feature has %zu bytes of data, this has %s", opt.file,
		     len, got != len ? "fewer" : "more");
	fclose(file);
}

/* What it is afterwards need not be what was asked for. */
static int set(struct brg_nvme_ctrl *ctrl, void *arg)
{
	const struct brg_nvme_feature feature = {
		.fid = (uint8_t)opt.fid,
		.save = opt.save,
		.nsid = (uint32_t)opt.nsid,
		.cdw11 = given(opt.value),
		.cdw12 = (uint32_t)opt.cdw12,
		.data = arg,
		.len = arg ? data_bytes() : 0,
	};
	int err = brg_nvme_feature_set(ctrl, &feature, NULL);

	opt.value = NOT_GIVEN;
	opt.select = NVME_GET_FEATURES_SEL_CURRENT;
	return err ? err : get(ctrl, NULL);
}

/* What a controller does not have it refuses: those are left out. */
static int list(struct brg_nvme_ctrl *ctrl, void *arg)
{
	static const char *const heads[] = {">feature", "name",	      ">value",
					    "saveable", "changeable", NULL};
	struct table *t = table_new(heads);
	json_t *array = json_array();

	for (const struct choice *c = features; c->name; c++) {
		uint8_t data[MOST_DATA];
		struct brg_nvme_feature feature = {
			.fid = (uint8_t)c->value,
			.nsid = (uint32_t)opt.nsid,
			.data = data,
			.len = brg_nvme_feature_bytes((uint8_t)c->value),
		};
		uint32_t value, can;

		if (brg_nvme_feature_get(ctrl, &feature, &value))
			continue;
		json_array_append_new(array, feature_json(c->value, 0, value, data, feature.len));
		feature.select = NVME_GET_FEATURES_SEL_SUPPORTED;
		feature.len = 0;
		if (brg_nvme_feature_get(ctrl, &feature, &can))
			can = 0;
		table_cell(t, "0x%02x", (unsigned int)c->value);
		table_cell(t, "%s", c->name);
		table_cell(t, "0x%08" PRIx32, value);
		table_cell(t, "%s", can & 1 ? "yes" : "no");
		table_cell(t, "%s", can & 4 ? "yes" : "no");
	}
	if (opt.json)
		print_json(json_incref(array));
	else
		table_print(t, stdout);
	json_decref(array);
	table_free(t);
	return 0;
}

static int run_set(void)
{
	uint8_t data[MOST_DATA];

	if (opt.value == NOT_GIVEN && !opt.file)
		errx(CLI_USAGE, "feature set: to what? Say so with --value or --data");
	if (!opt.file)
		return session_run(opt.words[1], set, NULL);
	if (!data_bytes())
		errx(CLI_USAGE, "feature set: how long is the data? Say so with --data-len");
	read_file(data, data_bytes());
	return session_run(opt.words[1], set, data);
}

int cmd_feature(int argc, char **argv)
{
	static const struct command_line line = {doc, "get|set|list BDF",
						 "what to do? get, set or list", options};

	parse_line(&line, argc, argv, opt.words);
	if (!strcmp(opt.words[0], "list"))
		return session_run(opt.words[1], list, NULL);
	if (strcmp(opt.words[0], "get") != 0 && strcmp(opt.words[0], "set") != 0)
		errx(CLI_USAGE, "feature %s: what to do? get, set or list", opt.words[0]);
	if (opt.fid == NOT_GIVEN)
		errx(CLI_USAGE,
		     "feature %s: which one? Name it with --feature-id; barrage feature "
		     "list shows them",
		     opt.words[0]);
	if (!strcmp(opt.words[0], "get"))
		return session_run(opt.words[1], get, NULL);
	return run_set();
}
