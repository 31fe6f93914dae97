/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Administration against a controller made of a thread: what is sent, in which pieces, what is
 * refused before anything is sent, and what an answer is made into.
 */

#include "unit.h"

#include <errno.h>
#include <rte_malloc.h>
#include <stdio.h>

#include "fake_admin.h"

/* Byte n of every log page is this. */
static uint8_t log_byte(uint8_t lid, uint64_t n)
{
	return (uint8_t)(lid + n * 7 + n / 4096);
}

static size_t log_len(const struct brg_nvme_sqe *sqe)
{
	return (((sqe->cdw11 & 0xffff) << 16 | sqe->cdw10 >> 16) + 1) * sizeof(uint32_t);
}

static uint16_t get_log(const struct brg_nvme_sqe *sqe)
{
	uint64_t offset = (uint64_t)sqe->cdw13 << 32 | sqe->cdw12;
	uint8_t lid = sqe->cdw10 & 0xff;
	size_t len = log_len(sqe);

	if (lid == 0x55)
		return NVME_SC_DNR | NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_INVALID_LOG_PAGE;
	for (size_t i = 0; i < len; i++)
		*fake_data(sqe, len, i) = log_byte(lid, offset + i);
	return 0;
}

static uint16_t logs_only(struct fake_admin *f, const struct brg_nvme_sqe *sqe, uint32_t *dw0)
{
	return sqe->opcode == nvme_admin_get_log_page ? get_log(sqe) : NVME_SC_INVALID_OPCODE;
}

static void check_log(const uint8_t *data, uint8_t lid, uint64_t offset, size_t len)
{
	for (size_t i = 0; i < len; i++)
		assert_int_equal(data[i], log_byte(lid, offset + i));
}

static void long_log_in_pieces(void **state)
{
	const struct brg_nvme_log log = {.lid = 0x42, .nsid = 3, .lsi = 9, .lsp = 5, .offset = 64};
	struct fake_admin *f = fake_admin_new(logs_only);
	size_t len = 2 * 4096 + 100;
	uint8_t *data = calloc(1, len);

	f->ctrl.id.lpa = NVME_CTRL_LPA_EXTENDED;
	assert_int_equal(brg_nvme_log_read(&f->ctrl, &log, data, len), 0);
	check_log(data, 0x42, 64, len);
	assert_int_equal(f->nseen, 3);
	for (unsigned int i = 0; i < 3; i++) {
		const struct brg_nvme_sqe *sqe = &f->seen[i];

		assert_int_equal(sqe->nsid, 3);
		assert_int_equal(sqe->cdw11 >> 16, 9);
		assert_int_equal(sqe->cdw10 >> 8 & 0x7f, 5);
		assert_int_equal(sqe->cdw12, 64 + 4096 * i);
		/* Only the last may clear the event. */
		assert_int_equal(sqe->cdw10 >> 15 & 1, i < 2);
		assert_int_equal(log_len(sqe), i < 2 ? 4096 : 100);
	}
	free(data);
	fake_admin_free(f);
}

/* Without offsets it has to be one command, with a PRP list. */
static void long_log_at_once(void **state)
{
	const struct brg_nvme_log log = {.lid = NVME_LOG_LID_ERROR};
	struct fake_admin *f = fake_admin_new(logs_only);
	uint8_t *data = calloc(1, 20000);

	f->ctrl.id.elpe = 199;
	assert_int_equal(brg_nvme_log_bytes(&f->ctrl, NVME_LOG_LID_ERROR), 200 * 64);
	assert_int_equal(brg_nvme_log_read(&f->ctrl, &log, data, 200 * 64), 0);
	check_log(data, NVME_LOG_LID_ERROR, 0, 200 * 64);
	assert_int_equal(f->nseen, 1);
	assert_int_equal(f->seen[0].nsid, NVME_NSID_ALL);
	assert_int_equal(brg_nvme_log_read(&f->ctrl, &log, data, 8192), 0);
	check_log(data, NVME_LOG_LID_ERROR, 0, 8192);
	assert_fails(brg_nvme_log_read(&f->ctrl, &log, data, 20000), ENOTSUP, "LPA 0");
	free(data);
	fake_admin_free(f);
}

static void bad_logs(void **state)
{
	struct brg_nvme_log log = {.lid = 0x55};
	struct fake_admin *f = fake_admin_new(logs_only);
	uint8_t data[64];

	assert_fails(brg_nvme_log_read(&f->ctrl, &log, data, 64), EINVAL, "no log page 0x55");
	assert_fails(brg_nvme_log_read(&f->ctrl, &log, data, 63), EINVAL, "63 bytes");
	assert_fails(brg_nvme_log_read(&f->ctrl, &log, data, 0), EINVAL, "0 bytes");
	log.offset = 2;
	assert_fails(brg_nvme_log_read(&f->ctrl, &log, data, 64), EINVAL, "offset 2");
	log.offset = 4;
	assert_fails(brg_nvme_log_read(&f->ctrl, &log, data, 64), ENOTSUP, "LPA");
	assert_int_equal(f->nseen, 1);
	fake_admin_free(f);
}

/* Data areas of 3, 3 and 9 blocks; the generation changes when the test says so. */
static uint8_t new_generation_after;

static uint16_t telemetry(struct fake_admin *f, const struct brg_nvme_sqe *sqe, uint32_t *dw0)
{
	struct nvme_telemetry_log header = {.dalb1 = 3, .dalb2 = 3, .dalb3 = 9};
	uint64_t offset = (uint64_t)sqe->cdw13 << 32 | sqe->cdw12;
	uint16_t status = get_log(sqe);

	header.hostdgn = f->nseen > new_generation_after ? 8 : 7;
	if (!offset)
		memcpy(fake_data(sqe, log_len(sqe), 0), &header, sizeof(header));
	return status;
}

static void telemetry_is_whole(void **state)
{
	struct fake_admin *f = fake_admin_new(telemetry);
	uint8_t *data;
	size_t len;

	assert_fails(brg_nvme_telemetry(&f->ctrl, NVME_LOG_LID_TELEMETRY_HOST, true, 3,
					(void **)&data, &len),
		     ENOTSUP, "telemetry");
	f->ctrl.id.lpa = NVME_CTRL_LPA_EXTENDED | NVME_CTRL_LPA_TELEMETRY;
	assert_fails(brg_nvme_telemetry(&f->ctrl, NVME_LOG_LID_TELEMETRY_HOST, true, 4,
					(void **)&data, &len),
		     EINVAL, "area 4");
	assert_int_equal(f->nseen, 0);
	new_generation_after = 255;
	assert_int_equal(brg_nvme_telemetry(&f->ctrl, NVME_LOG_LID_TELEMETRY_HOST, true, 3,
					    (void **)&data, &len),
			 0);
	assert_int_equal(len, 10 * 512);
	check_log(data + 512, NVME_LOG_LID_TELEMETRY_HOST, 512, len - 512);
	free(data);
	/* Collected once, by the first command. */
	assert_int_equal(f->seen[0].cdw10 >> 8 & 0x7f, 1);
	for (unsigned int i = 1; i < f->nseen; i++)
		assert_int_equal(f->seen[i].cdw10 >> 8 & 0x7f, 0);
	assert_int_equal(brg_nvme_telemetry(&f->ctrl, NVME_LOG_LID_TELEMETRY_HOST, false, 1,
					    (void **)&data, &len),
			 0);
	assert_int_equal(len, 4 * 512);
	free(data);
	/* After the header, of which the length is; after the data. */
	for (unsigned int commands = 1; commands <= 2; commands++) {
		new_generation_after = (uint8_t)(f->nseen + commands);
		assert_fails(brg_nvme_telemetry(&f->ctrl, NVME_LOG_LID_TELEMETRY_HOST, false, 1,
						(void **)&data, &len),
			     EAGAIN, "replaced");
	}
	fake_admin_free(f);
}

static uint64_t stored_timestamp;

static uint16_t features(struct fake_admin *f, const struct brg_nvme_sqe *sqe, uint32_t *dw0)
{
	uint8_t fid = sqe->cdw10 & 0xff;

	if (fid == 0x55)
		return NVME_SC_DNR | NVME_SC_INVALID_FIELD;
	*dw0 = 0x1234;
	if (fid != NVME_FEAT_FID_TIMESTAMP)
		return 0;
	if (sqe->opcode == nvme_admin_set_features)
		memcpy(&stored_timestamp, fake_data(sqe, 8, 0), 8);
	else
		memcpy(fake_data(sqe, 8, 0), &stored_timestamp, 8);
	return 0;
}

static void features_are_built(void **state)
{
	struct brg_nvme_feature feature = {.fid = 4, .cdw11 = 0x77, .cdw12 = 0x88, .nsid = 2};
	struct fake_admin *f = fake_admin_new(features);
	uint32_t value;

	assert_int_equal(brg_nvme_feature_set(&f->ctrl, &feature, &value), 0);
	assert_int_equal(value, 0x1234);
	assert_int_equal(f->seen[0].opcode, nvme_admin_set_features);
	assert_int_equal(f->seen[0].cdw10, 4);
	assert_int_equal(f->seen[0].cdw11, 0x77);
	assert_int_equal(f->seen[0].cdw12, 0x88);
	assert_int_equal(f->seen[0].nsid, 2);
	feature.save = true;
	assert_fails(brg_nvme_feature_set(&f->ctrl, &feature, NULL), ENOTSUP, "ONCS");
	feature.select = NVME_GET_FEATURES_SEL_DEFAULT;
	assert_fails(brg_nvme_feature_get(&f->ctrl, &feature, NULL), ENOTSUP, "ONCS");
	f->ctrl.id.oncs = NVME_CTRL_ONCS_SAVE_FEATURES;
	assert_int_equal(brg_nvme_feature_set(&f->ctrl, &feature, NULL), 0);
	assert_true(f->seen[1].cdw10 == (UINT32_C(1) << 31 | 4));
	assert_int_equal(brg_nvme_feature_get(&f->ctrl, &feature, NULL), 0);
	assert_int_equal(f->seen[2].cdw10, 1 << 8 | 4);
	feature.fid = 0x55;
	assert_fails(brg_nvme_feature_get(&f->ctrl, &feature, NULL), EINVAL, "no feature 0x55");
	feature.fid = NVME_FEAT_FID_NUM_QUEUES;
	assert_fails(brg_nvme_feature_set(&f->ctrl, &feature, NULL), EINVAL, "is opened");
	/* Its data would go to address 0. */
	feature.fid = NVME_FEAT_FID_TIMESTAMP;
	assert_fails(brg_nvme_feature_get(&f->ctrl, &feature, NULL), EINVAL, "8 bytes of data");
	feature.fid = NVME_FEAT_FID_FDP_EVENTS;
	assert_fails(brg_nvme_feature_get(&f->ctrl, &feature, NULL), EINVAL, "510 bytes of data");
	assert_int_equal(f->nseen, 4);
	fake_admin_free(f);
}

/* Those that would be written to address 0, or read from there, or from what was there before. */
static void data_of_features(void **state)
{
	const struct {
		uint8_t fid;
		uint32_t cdw11;
		size_t get, set;
	} cases[] = {
		{NVME_FEAT_FID_LBA_RANGE, 0, 4096, 64},
		{NVME_FEAT_FID_LBA_RANGE, 63, 4096, 4096},
		{NVME_FEAT_FID_AUTO_PST, 1, 256, 256},
		{NVME_FEAT_FID_TIMESTAMP, 0, 8, 8},
		{NVME_FEAT_FID_HOST_BEHAVIOR, 0, 512, 512},
		{NVME_FEAT_FID_CTRL_METADATA, 0, 4096, 4096},
		{NVME_FEAT_FID_HOST_ID, 0, 8, 8},
		{NVME_FEAT_FID_HOST_ID, 1, 16, 16},
	};
	struct fake_admin *f = fake_admin_new(features);
	uint8_t data[4096] = {0};

	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		struct brg_nvme_feature feature = {
			.fid = cases[i].fid, .cdw11 = cases[i].cdw11, .data = data};

		feature.len = cases[i].get - 1;
		assert_fails(brg_nvme_feature_get(&f->ctrl, &feature, NULL), EINVAL, "room for");
		feature.len = cases[i].set - 1;
		assert_fails(brg_nvme_feature_set(&f->ctrl, &feature, NULL), EINVAL, "are given");
		assert_int_equal(f->nseen, 2 * i);
		feature.len = cases[i].get;
		assert_int_equal(brg_nvme_feature_get(&f->ctrl, &feature, NULL), 0);
		feature.len = cases[i].set;
		assert_int_equal(brg_nvme_feature_set(&f->ctrl, &feature, NULL), 0);
		assert_true(f->seen[2 * i].prp1 && f->seen[2 * i + 1].prp1);
	}
	fake_admin_free(f);
}

/* What has been given to it, a page, and not set by this. */
static void feature_of_a_host_memory_buffer(void **state)
{
	struct fake_admin *f = fake_admin_new(features);
	struct nvme_host_mem_buf_attrs attrs;
	struct brg_nvme_feature feature = {.fid = NVME_FEAT_FID_HOST_MEM_BUF};

	f->ctrl.id.oncs = NVME_CTRL_ONCS_SAVE_FEATURES;
	assert_int_equal(brg_nvme_feature_bytes(NVME_FEAT_FID_HOST_MEM_BUF), 4096);
	assert_fails(brg_nvme_feature_get(&f->ctrl, &feature, NULL), EINVAL, "4096 bytes of data");
	feature.select = NVME_GET_FEATURES_SEL_SUPPORTED; /* has no data */
	assert_int_equal(brg_nvme_feature_get(&f->ctrl, &feature, NULL), 0);
	feature = (struct brg_nvme_feature){.fid = NVME_FEAT_FID_HOST_MEM_BUF,
					    .cdw11 = 1,
					    .data = &attrs,
					    .len = sizeof(attrs)};
	assert_int_equal(brg_nvme_feature_get(&f->ctrl, &feature, NULL), 0);
	assert_true(f->seen[1].prp1 != 0);
	assert_fails(brg_nvme_feature_set(&f->ctrl, &feature, NULL), EINVAL,
		     "brg_nvme_hmb_enable()");
	assert_int_equal(f->nseen, 2);
	fake_admin_free(f);
}

static void timestamps(void **state)
{
	struct fake_admin *f = fake_admin_new(features);
	uint64_t ms;

	assert_fails(brg_nvme_timestamp_get(&f->ctrl, &ms), ENOTSUP, "ONCS");
	f->ctrl.id.oncs = NVME_CTRL_ONCS_TIMESTAMP;
	assert_int_equal(brg_nvme_timestamp_set(&f->ctrl, UINT64_C(0x123456789abc)), 0);
	assert_true(stored_timestamp == UINT64_C(0x123456789abc));
	stored_timestamp |= UINT64_C(0xffff) << 48; /* attributes, not time */
	assert_int_equal(brg_nvme_timestamp_get(&f->ctrl, &ms), 0);
	assert_true(ms == UINT64_C(0x123456789abc));
	assert_fails(brg_nvme_timestamp_set(&f->ctrl, UINT64_C(1) << 48), EINVAL, "48 bits");
	fake_admin_free(f);
}

/* Events wait until a log page is read: the test's way to make them happen in mid-command. */
static struct {
	uint16_t cids[8];
	unsigned int waiting, requests;
} aer;

static uint16_t events(struct fake_admin *f, const struct brg_nvme_sqe *sqe, uint32_t *dw0)
{
	switch (sqe->opcode) {
	case nvme_admin_async_event:
		aer.cids[aer.waiting++] = sqe->cid;
		aer.requests++;
		return NEVER;
	case nvme_admin_get_log_page:
		while (aer.waiting) {
			aer.waiting--;
			fake_complete(f, aer.cids[aer.waiting], 0,
				      NVME_LOG_LID_SMART << 16 | aer.waiting << 8 | NVME_AER_SMART);
		}
		return get_log(sqe);
	default:
		return 0;
	}
}

struct listener {
	struct brg_nvme_ctrl *ctrl;
	unsigned int calls, infos;
};

/* Reading the page that the event names, from the callback. */
static void on_event(void *arg, const struct brg_nvme_event *event)
{
	const struct brg_nvme_log log = {.lid = 0x81};
	struct listener *l = arg;
	uint8_t data[64];

	assert_int_equal(event->type, NVME_AER_SMART);
	assert_int_equal(event->lid, NVME_LOG_LID_SMART);
	l->infos |= 1u << event->info;
	if (!l->calls++)
		assert_int_equal(brg_nvme_log_read(l->ctrl, &log, data, sizeof(data)), 0);
}

static void events_are_told_later(void **state)
{
	const struct brg_nvme_log log = {.lid = NVME_LOG_LID_SMART};
	struct fake_admin *f = fake_admin_new(events);
	struct listener l = {.ctrl = &f->ctrl};
	uint8_t data[512];

	memset(&aer, 0, sizeof(aer));
	f->ctrl.id.aerl = 2; /* 0's based */
	f->ctrl.id.oaes = NVME_CTRL_OAES_NS;
	assert_int_equal(brg_nvme_events_listen(&f->ctrl, 0, on_event, &l), 0);
	assert_int_equal(f->seen[0].cdw11, NVME_CTRL_OAES_NS | 0x1f);
	assert_fails(brg_nvme_events_listen(&f->ctrl, 0, on_event, &l), EBUSY, "already");
	assert_int_equal(brg_nvme_events_poll(&f->ctrl), 0);

	assert_int_equal(brg_nvme_log_read(&f->ctrl, &log, data, sizeof(data)), 0);
	assert_int_equal(l.calls, 0);
	assert_int_equal(brg_nvme_events_poll(&f->ctrl), 3);
	assert_int_equal(l.infos, 7);
	/* Each was requested anew, and so there are three more. */
	assert_int_equal(brg_nvme_log_read(&f->ctrl, &log, data, sizeof(data)), 0);
	assert_int_equal(aer.requests, 6);
	assert_int_equal(brg_nvme_events_poll(&f->ctrl), 3);
	assert_int_equal(l.calls, 6);
	fake_admin_free(f);
}

static void event_names(void **state)
{
	struct brg_nvme_event event = {.type = NVME_AER_SMART, .info = 1};

	assert_string_equal(brg_nvme_event_str(&event), "temperature beyond a threshold");
	for (unsigned int i = 0; i < 65536; i++) {
		event.type = i & 0xff;
		event.info = i >> 8;
		assert_non_null(brg_nvme_event_str(&event));
	}
}

/* A command of many pages that is never completed: its memory stays until the end. */
static uint16_t deaf(struct fake_admin *f, const struct brg_nvme_sqe *sqe, uint32_t *dw0)
{
	return NEVER;
}

static void memory_of_a_lost_command_is_kept(void **state)
{
	const struct brg_nvme_log log = {.lid = 1};
	struct fake_admin *f = fake_admin_new(deaf);
	static uint8_t data[8192];

	f->ctrl.admin_timeout_ms = 50;
	assert_fails(brg_nvme_log_read(&f->ctrl, &log, data, sizeof(data)), ETIMEDOUT, "50 ms");
	assert_true((uintptr_t)f->ctrl.admin_page == f->seen[0].prp1);
	assert_fails(brg_nvme_log_read(&f->ctrl, &log, data, 64), EIO, "open it again");
	fake_admin_free(f);
}

static void identify_anything(void **state)
{
	const struct brg_nvme_identify what = {
		.cns = 0x1c, .csi = 2, .cntid = 0x1234, .nsid = 5, .cns_specific = 6};
	struct fake_admin *f = fake_admin_new(logs_only);
	uint8_t page[4096];

	assert_int_equal(brg_nvme_identify(&f->ctrl, &what, page), -EOPNOTSUPP);
	assert_int_equal(f->seen[0].cdw10, 0x1234001c);
	assert_int_equal(f->seen[0].cdw11, 0x02000006);
	assert_int_equal(f->seen[0].nsid, 5);
	fake_admin_free(f);
}

static int start_eal(void **state)
{
	const struct brg_env_opts opts = {.hugepages = BRG_ENV_HUGEPAGES_OFF, .memory_mib = 16};

	return brg_env_init(&opts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_log_in_pieces),
		cmocka_unit_test(long_log_at_once),
		cmocka_unit_test(bad_logs),
		cmocka_unit_test(telemetry_is_whole),
		cmocka_unit_test(features_are_built),
		cmocka_unit_test(data_of_features),
		cmocka_unit_test(feature_of_a_host_memory_buffer),
		cmocka_unit_test(timestamps),
		cmocka_unit_test(events_are_told_later),
		cmocka_unit_test(event_names),
		cmocka_unit_test(memory_of_a_lost_command_is_kept),
		cmocka_unit_test(identify_anything),
	};

	return cmocka_run_group_tests(tests, start_eal, NULL);
}
