/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flexible data placement, on a subsystem with four reclaim unit handles and reclaim units of 1
 * MiB: namespace 1 has handle 0, by the controller's choice, and namespace 2 handles 1 to 3, whose
 * placement identifiers are 0 to 2. Then what nvme-cli says of it under the kernel's driver.
 * BARRAGE and NVME in the environment are the paths of the two commands.
 */

#include "disk.h"

#include <errno.h>
#include <rte_common.h>
#include <rte_malloc.h>

#include "command_json.h"
#include "driver.h"
#include "pattern.h"

#define PAGE	    4096
#define UNIT_BLOCKS ((1u << 20) / 512)
#define GROUP	    1 /* QEMU's only endurance group */

static const char *barrage, *nvme, *bdf;
static struct brg_device *dev;
static struct brg_nvme_ctrl *ctrl;
static struct brg_nvme_qpair *qp;
static struct brg_nvme_ns ns;
static uint8_t *buf, *other;
static struct io io;

static int open_all(void **state)
{
	if (brg_device_open(bdf, &dev) || brg_nvme_open(dev, NULL, &ctrl) ||
	    brg_nvme_qpair_create(ctrl, NULL, &qp) || brg_nvme_ns_get(ctrl, 2, &ns)) {
		fprintf(stderr, "%s\n", brg_errmsg());
		return -1;
	}
	buf = rte_malloc(NULL, 64 * PAGE, PAGE);
	other = rte_malloc(NULL, 64 * PAGE, PAGE);
	return buf && other ? 0 : -1;
}

static int close_all(void **state)
{
	rte_free(buf);
	rte_free(other);
	brg_nvme_close(ctrl);
	brg_device_close(dev);
	return 0;
}

/* The status of a command that was submitted with io_done(&io). */
#define status_of(call)                                         \
	({                                                      \
		io = (struct io){0};                            \
		assert_works(call);                             \
		drain(qp);                                      \
		assert_int_equal(io.calls, 1);                  \
		io.status & 0x7ff; /* without the retry bits */ \
	})

/* Blocks that the units of namespace 2's three handles have room for. */
struct left {
	uint64_t blocks[3];
};

static struct left look(void)
{
	const struct nvme_fdp_ruh_status *status = (const void *)other;
	struct left left;

	assert_int_equal(status_of(brg_nvme_ruh_status(qp, &ns, other, PAGE, io_done, &io)), 0);
	assert_int_equal(status->nruhsd, 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(status->ruhss[i].pid, i);
		assert_int_equal(status->ruhss[i].ruhid, i + 1);
		left.blocks[i] = status->ruhss[i].ruamw;
	}
	return left;
}

static void assert_left(uint64_t first, uint64_t second, uint64_t third)
{
	struct left left = look();

	assert_int_equal(left.blocks[0], first);
	assert_int_equal(left.blocks[1], second);
	assert_int_equal(left.blocks[2], third);
}

static void read_log(uint8_t lid, uint8_t lsp, void *page, size_t len)
{
	const struct brg_nvme_log log = {.lid = lid, .lsp = lsp, .lsi = GROUP};

	assert_works(brg_nvme_log_read(ctrl, &log, page, len));
}

/* Bytes by the host, and on the media. */
struct written {
	uint64_t host, media;
};

static struct written written(void)
{
	struct nvme_fdp_stats_log log;
	struct written w;

	assert_int_equal(brg_nvme_log_bytes(ctrl, NVME_LOG_LID_FDP_STATS), sizeof(log));
	read_log(NVME_LOG_LID_FDP_STATS, 0, &log, sizeof(log));
	memcpy(&w.host, log.hbmw, sizeof(w.host));
	memcpy(&w.media, log.mbmw, sizeof(w.media));
	return w;
}

static uint16_t write_placed(uint64_t lba, uint32_t nblocks, uint16_t placement)
{
	return status_of(
		brg_nvme_write_placed(qp, &ns, buf, lba, nblocks, placement, io_done, &io));
}

/* All handles go on with an empty unit. */
static void start_anew(void)
{
	uint16_t *pids = (uint16_t *)other;

	for (uint16_t i = 0; i < 3; i++)
		pids[i] = i;
	assert_int_equal(status_of(brg_nvme_ruh_update(qp, &ns, pids, 3, io_done, &io)), 0);
	assert_left(UNIT_BLOCKS, UNIT_BLOCKS, UNIT_BLOCKS);
}

static void is_such_a_device(void **state)
{
	struct {
		struct nvme_fdp_ruhu_log log;
		struct nvme_fdp_ruhu_desc handles[4];
	} usage;
	const struct brg_nvme_feature enabled = {.fid = NVME_FEAT_FID_FDP, .cdw11 = GROUP};
	uint32_t value;

	assert_works(brg_nvme_feature_get(ctrl, &enabled, &value));
	assert_int_equal(value, 1); /* on, configuration 0 */
	read_log(NVME_LOG_LID_FDP_RUH_USAGE, 0, &usage, sizeof(usage));
	assert_int_equal(usage.log.nruh, 4);
	assert_int_equal(usage.handles[0].ruha, 1 << NVME_FDP_RUHA_CTRL_SHIFT);
	for (unsigned int i = 1; i < 4; i++)
		assert_int_equal(usage.handles[i].ruha, 1 << NVME_FDP_RUHA_HOST_SHIFT);
}

/* The Identify directive's parameters: what there is, and from byte 32 on, what is enabled. */
static void the_directive_is_on(void **state)
{
	uint8_t page[PAGE] = {0};
	const struct brg_nvme_directive identify = {
		.nsid = 2,
		.type = NVME_DIRECTIVE_DTYPE_IDENTIFY,
		.operation = NVME_DIRECTIVE_RECEIVE_IDENTIFY_DOPER_PARAM,
		.data = page,
		.len = sizeof(page),
	};

	assert_works(brg_nvme_directive_receive(ctrl, &identify, NULL));
	assert_true(page[0] & 1 << BRG_NVME_DTYPE_PLACEMENT);
	assert_true(page[32] & 1 << BRG_NVME_DTYPE_PLACEMENT);
}

/* Each write takes room of the handle that it names, and an ordinary one of the first. */
static void writes_go_by_their_handle(void **state)
{
	struct written before, after;

	start_anew();
	before = written();
	pattern_fill(buf, 16 * PAGE, 3, 0);
	assert_int_equal(write_placed(100, 1, 0), 0);
	assert_int_equal(write_placed(200, 16 * PAGE / 512, 1), 0); /* by a PRP list */
	assert_int_equal(write_placed(600, 7, 2), 0);
	assert_int_equal(write_blocks(qp, &ns, buf, 700, 2), 0);
	assert_left(UNIT_BLOCKS - 3, UNIT_BLOCKS - 16 * PAGE / 512, UNIT_BLOCKS - 7);
	after = written();
	assert_int_equal(after.host - before.host, 3 * 512 + 16 * PAGE + 7 * 512);
	assert_int_equal(after.media - before.media, after.host - before.host);
	assert_int_equal(read_blocks(qp, &ns, other, 200, 16 * PAGE / 512), 0);
	assert_true(pattern_is(other, 16 * PAGE, 3, 0));
}

static void built_writes_go_by_their_handle(void **state)
{
	struct brg_nvme_sqe sqe;

	start_anew();
	assert_works(brg_nvme_prepare(ctrl, &ns, nvme_cmd_write, buf, 300, 8, NULL, &sqe));
	for (uint16_t i = 0; i < 6; i++) {
		brg_nvme_place(&sqe, i % 2 + 1);
		assert_int_equal(status_of(brg_nvme_submit(qp, &sqe, io_done, &io)), 0);
	}
	assert_left(UNIT_BLOCKS, UNIT_BLOCKS - 24, UNIT_BLOCKS - 24);
}

/* A unit that is full is followed by another one, in the middle of a write as well. */
static void full_units_are_followed(void **state)
{
	const uint32_t each = 100;

	start_anew();
	for (unsigned int i = 0; i < UNIT_BLOCKS / each + 1; i++)
		assert_int_equal(write_placed(i * each, each, 2), 0);
	assert_left(UNIT_BLOCKS, UNIT_BLOCKS, UNIT_BLOCKS - (each - UNIT_BLOCKS % each));
}

static void enable_events(uint16_t placement, bool on)
{
	static uint8_t types[] = {NVME_FDP_EVENT_RUNFW, NVME_FDP_EVENT_RUTLE, NVME_FDP_EVENT_RESET,
				  NVME_FDP_EVENT_PID};
	const struct brg_nvme_feature feature = {
		.fid = NVME_FEAT_FID_FDP_EVENTS,
		.nsid = 2,
		.cdw11 = sizeof(types) << 16 | placement,
		.cdw12 = on,
		.data = types,
		.len = sizeof(types),
	};

	assert_works(brg_nvme_feature_set(ctrl, &feature, NULL));
}

/* To leave a unit before it is full is an event, and on the media what is left counts as written.
 */
static void a_unit_left_early_is_told(void **state)
{
	static struct nvme_fdp_events_log log;
	uint16_t *pid = (uint16_t *)other;
	struct written before, after;

	start_anew();
	assert_int_equal(write_placed(0, 48, 1), 0);
	enable_events(1, true);
	before = written();
	*pid = 1;
	assert_int_equal(status_of(brg_nvme_ruh_update(qp, &ns, pid, 1, io_done, &io)), 0);
	assert_left(UNIT_BLOCKS, UNIT_BLOCKS, UNIT_BLOCKS);
	after = written();
	assert_int_equal(after.host, before.host);
	assert_int_equal(after.media - before.media, (UNIT_BLOCKS - 48) * 512);
	enable_events(1, false);

	assert_int_equal(brg_nvme_log_bytes(ctrl, NVME_LOG_LID_FDP_EVENTS), sizeof(log));
	read_log(NVME_LOG_LID_FDP_EVENTS, 1, &log, sizeof(log));
	assert_int_equal(log.n, 1);
	assert_int_equal(log.events[0].type, NVME_FDP_EVENT_RUNFW);
	assert_int_equal(log.events[0].pid, 1);
	assert_int_equal(log.events[0].nsid, 2);
	assert_int_equal(log.events[0].ruhid, 2);
}

static void wrong_placements(void **state)
{
	uint16_t *pid = (uint16_t *)other;

	start_anew();
	*pid = 3;
	assert_int_not_equal(status_of(brg_nvme_ruh_update(qp, &ns, pid, 1, io_done, &io)), 0);
	/* Taken for the first one. */
	assert_int_equal(write_placed(0, 5, 3), 0);
	assert_left(UNIT_BLOCKS - 5, UNIT_BLOCKS, UNIT_BLOCKS);
}

static json_t *ours(const char *what, const char *page, const char *option, const char *value)
{
	if (run(barrage, what, page, option, value, "--json", bdf, NULL))
		fail_msg("barrage %s %s: %s", what, page, printed);
	return printed_json();
}

static json_t *theirs(const char *page, const char *device, const char *option, const char *value)
{
	if (run(nvme, "fdp", page, device, option, value, "-o", "json", NULL))
		fail_msg("nvme fdp %s: %s", page, printed);
	return printed_json();
}

/* What nvme-cli has we have, too, and the same. Its times have their attributes in the upper bits.
 */
static void compare(const char *key, const json_t *mine, const json_t *yours)
{
	const json_t *value;
	const char *name;
	size_t i;

	if (json_is_object(yours)) {
		json_object_foreach ((json_t *)(uintptr_t)yours, name, value)
			compare(name, json_object_get(mine, name), value);
	} else if (json_is_array(yours)) {
		assert_int_equal(json_array_size(mine), json_array_size(yours));
		json_array_foreach (yours, i, value)
			compare(key, json_array_get(mine, i), value);
	} else if (!strcmp(key, "timestamp")) {
		assert_int_equal(json_integer_value(mine),
				 json_integer_value(yours) & ((INT64_C(1) << 48) - 1));
	} else if (!json_equal(mine, yours)) {
		fail_msg("\"%s\" is %s to nvme-cli and %s to us", key,
			 json_dumps(yours, JSON_ENCODE_ANY), json_dumps(mine, JSON_ENCODE_ANY));
	}
}

static const struct page {
	const char *ours[4], *theirs[4];
} pages[] = {
	{{"log", "fdp-configs", "--lsi", "1"}, {"configs", "/dev/nvme0", "-e", "1"}},
	{{"log", "fdp-usage", "--lsi", "1"}, {"usage", "/dev/nvme0", "-e", "1"}},
	{{"log", "fdp-stats", "--lsi", "1"}, {"stats", "/dev/nvme0", "-e", "1"}},
	{{"log", "fdp-events", "--lsp", "1"}, {"events", "/dev/nvme0", "-e1", "-E"}},
	{{"fdp", "status", "-n", "1"}, {"status", "/dev/nvme0n1", "-n", "1"}},
	{{"fdp", "status", "-n", "2"}, {"status", "/dev/nvme0n2", "-n", "2"}},
};

static void pages_are_as_nvme_cli_has_them(void **state)
{
	json_t *mine[RTE_DIM(pages)], *yours;

	for (size_t i = 0; i < RTE_DIM(pages); i++) {
		const char *const *p = pages[i].ours;

		mine[i] = ours(p[0], p[1], p[2], p[3]);
	}
	give_to_kernel(barrage, "/dev/nvme0n2");
	for (size_t i = 0; i < RTE_DIM(pages); i++) {
		const char *const *p = pages[i].theirs;

		yours = theirs(p[0], p[1], p[2], p[3]);
		assert_in_range(json_object_size(yours), 1, 10);
		compare("page", mine[i], yours);
		json_decref(yours);
		json_decref(mine[i]);
	}
}

static json_int_t blocks_left(json_t *status, size_t i)
{
	json_t *handle = json_array_get(json_object_get(status, "ruhss"), i);
	json_int_t left = json_integer_value(json_object_get(handle, "ruamw"));

	json_decref(status);
	return left;
}

/* What one writes and updates the other sees, there and back. */
static void updates_are_seen(void **state)
{
	assert_int_equal(run(nvme, "write", "/dev/nvme0n2", "-c", "7", "-z", "4096", "-T", "2",
			     "-S", "2", "-d", nvme, NULL),
			 0);
	give_to_vfio(barrage);
	assert_int_equal(blocks_left(ours("fdp", "status", "-n", "2"), 2), UNIT_BLOCKS - 8);
	assert_int_equal(run(barrage, "fdp", "update", "-n", "2", "--pids", "0,2", bdf, NULL), 0);
	assert_printed("the handles of 0,2 go on");
	assert_int_equal(run(barrage, "fdp", "update", "-n", "2", "--pids", "9", bdf, NULL), 1);
	assert_printed("Invalid");
	give_to_kernel(barrage, "/dev/nvme0n2");
	assert_int_equal(blocks_left(theirs("status", "/dev/nvme0n2", "-n", "2"), 2), UNIT_BLOCKS);
	give_to_vfio(barrage);
}

#define opened(test) cmocka_unit_test_setup_teardown(test, open_all, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		opened(is_such_a_device),
		opened(the_directive_is_on),
		opened(writes_go_by_their_handle),
		opened(built_writes_go_by_their_handle),
		opened(full_units_are_followed),
		opened(a_unit_left_early_is_told),
		opened(wrong_placements),
		/* The kernel's driver has it from here on, and then both in turn. */
		cmocka_unit_test(pages_are_as_nvme_cli_has_them),
		cmocka_unit_test(updates_are_seen),
	};

	bdf = test_bdf();
	barrage = getenv("BARRAGE");
	nvme = getenv("NVME");
	if (!barrage || !nvme) {
		fprintf(stderr, "BARRAGE and NVME are to be the paths of barrage and nvme-cli\n");
		return 2;
	}
	if (brg_env_init(NULL)) {
		fprintf(stderr, "%s\n", brg_errmsg());
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
