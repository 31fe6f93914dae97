/* SPDX-License-Identifier: BSD-3-Clause */
/* A command that is traced, and what DPDK has written of it then. */

#include "unit.h"

#include <dirent.h>
#include <rte_common.h>
#include <rte_trace.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "brg_base.h"
#include "prp.h"
#include "queue.h"
#include "trace.h"

#define DEPTH 8
#define LBA   UINT64_C(0x1122334455667788)

static char folder[] = "/tmp/barrage-trace-XXXXXX";

static int start_eal(void **state)
{
	char dir[64];
	char *args[] = {(char[]){"--trace=barrage.*"}, dir};

	if (!mkdtemp(folder))
		return -1;
	snprintf(dir, sizeof(dir), "--trace-dir=%s", folder);
	return brg_env_init(
		&(struct brg_env_opts){.lcores = "0", .eal_args = args, .eal_nargs = 2});
}

static int stop_eal(void **state)
{
	char command[80];

	brg_env_cleanup();
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

/* Where a file below the trace's folder has these bytes. */
static bool is_in(const char *path, const char *prefix, const void *bytes, size_t n)
{
	bool found = false;
	struct dirent *e;
	DIR *dir = opendir(path);

	while (dir && !found && (e = readdir(dir))) {
		static char data[1 << 20];
		char name[600];
		size_t len;
		FILE *in;

		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			found = is_in(name, prefix, bytes, n);
		if (strncmp(e->d_name, prefix, strlen(prefix)) != 0)
			continue;
		in = fopen(name, "re");
		assert_non_null(in);
		len = fread(data, 1, sizeof(data), in);
		fclose(in);
		found = memmem(data, len, bytes, n);
	}
	if (dir)
		closedir(dir);
	return found;
}

static void *zeroed(size_t bytes, size_t align)
{
	void *memory = aligned_alloc(align, RTE_ALIGN_CEIL(bytes, align));

	assert_non_null(memory);
	return memset(memory, 0, bytes);
}

static void on_done(void *arg, const struct brg_nvme_cqe *cqe)
{
	++*(int *)arg;
}

static void a_command_leaves_its_trace(void **state)
{
	const struct brg_nvme_ns ns = {.nsid = 7, .block_size = 512, .blocks = UINT64_MAX};
	uint32_t sq_doorbell = 0, cq_doorbell = 0;
	struct brg_queue_opts opts = {
		.depth = DEPTH,
		.cq_depth = DEPTH,
		.max_transfer = 4096,
		.sq_doorbell = &sq_doorbell,
		.cq_doorbell = &cq_doorbell,
	};
	static const char *const names[] = {"barrage.nvme.submit", "barrage.nvme.complete"};
	const uint64_t lba = LBA;
	struct brg_nvme_qpair *qp;
	struct brg_nvme_cqe *cqe;
	int done = 0;

	assert_true(brg_trace_is_on());
	opts.dma = zeroed(brg_queue_dma_bytes(&opts), BRG_PRP_PAGE);
	qp = zeroed(brg_queue_bytes(DEPTH), RTE_CACHE_LINE_SIZE);
	brg_queue_init(qp, &opts);
	qp->qid = 3;
	assert_int_equal(brg_latency_init(qp), 0);
	brg_queue_free_trackers(qp);

	assert_int_equal(brg_nvme_read(qp, &ns, opts.dma, LBA, 1, on_done, &done), 0);
	cqe = (struct brg_nvme_cqe *)(uintptr_t)qp->cq;
	cqe->cid = qp->path.sq[0].cid;
	cqe->status = 1; /* success, first phase */
	assert_int_equal(brg_nvme_poll(qp, 0), 1);
	assert_int_equal(done, 1);

	assert_int_equal(rte_trace_save(), 0);
	for (int i = 0; i < 2; i++)
		assert_true(is_in(folder, "metadata", names[i], strlen(names[i])));
	assert_true(is_in(folder, "channel", &lba, sizeof(lba)));
	brg_latency_free(qp);
	free(opts.dma);
	free(qp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_leaves_its_trace),
	};

	return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
