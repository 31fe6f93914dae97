/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Metadata and protection information: every type, place and way of a namespace that is formatted
 * anew for each, tags and guards that are wrong on purpose, and the controller's own insertion.
 */

#include "disk.h"

#include <errno.h>
#include <rte_common.h>
#include <rte_malloc.h>

#include "pattern.h"

#define PAGE   4096
#define BLOCKS 24 /* with their metadata more than three pages */
#define LBA    1000

static struct brg_device *dev;
static struct brg_nvme_ctrl *ctrl;
static struct brg_nvme_qpair *qp;
static struct brg_nvme_ns ns;
static struct brg_nvme_meta meta;
static uint8_t *out, *in, *out_md, *in_md;
static struct io io;

static int open_all(void **state)
{
	if (brg_env_init(NULL) || brg_device_open(test_bdf(), &dev) ||
	    brg_nvme_open(dev, NULL, &ctrl) || brg_nvme_qpair_create(ctrl, NULL, &qp)) {
		fprintf(stderr, "%s\n", brg_errmsg());
		return -1;
	}
	out = rte_malloc(NULL, 16 * PAGE, PAGE);
	in = rte_malloc(NULL, 16 * PAGE, PAGE);
	out_md = rte_malloc(NULL, 4 * PAGE, PAGE);
	in_md = rte_malloc(NULL, 4 * PAGE, PAGE);
	return out && in && out_md && in_md ? 0 : -1;
}

static int close_all(void **state)
{
	brg_nvme_close(ctrl);
	brg_device_close(dev);
	brg_env_cleanup();
	return 0;
}

/* The format of blocks of 512 bytes that has so much metadata. */
static uint8_t format_with(unsigned int bytes)
{
	const struct brg_nvme_identify what = {.nsid = 1};
	struct nvme_id_ns id;

	assert_works(brg_nvme_identify(ctrl, &what, &id));
	for (uint8_t i = 0; i <= id.nlbaf; i++)
		if (id.lbaf[i].ds == 9 && id.lbaf[i].ms == bytes)
			return i;
	fail_msg("there is no format with %u bytes of metadata", bytes);
	return 0;
}

static void format(unsigned int bytes, bool extended, unsigned int type, bool first)
{
	const struct brg_nvme_format how = {
		.nsid = 1,
		.lbaf = format_with(bytes),
		.extended = extended,
		.pi = (enum nvme_cmd_format_pi)type,
		.pi_first = first,
	};

	assert_works(brg_nvme_format(ctrl, &how));
	assert_works(brg_nvme_ns_get_meta(ctrl, 1, &ns, &meta));
	assert_int_equal(meta.bytes, bytes);
	assert_int_equal(meta.pi_type, type);
	if (bytes)
		assert_int_equal(meta.extended, extended);
	if (type)
		assert_int_equal(meta.pi_first, first);
}

static uint16_t write_meta(const struct brg_nvme_protect *p)
{
	io = (struct io){0};
	assert_works(
		brg_nvme_write_meta(qp, &ns, &meta, p, out, out_md, LBA, BLOCKS, io_done, &io));
	drain(qp);
	assert_int_equal(io.calls, 1);
	return io.status & 0x7ff;
}

static uint16_t read_meta(const struct brg_nvme_protect *p)
{
	io = (struct io){0};
	memset(in, 0xee, 16 * PAGE);
	memset(in_md, 0xee, 4 * PAGE);
	assert_works(brg_nvme_read_meta(qp, &ns, &meta, p, in, in_md, LBA, BLOCKS, io_done, &io));
	drain(qp);
	assert_int_equal(io.calls, 1);
	return io.status & 0x7ff;
}

/* How many bytes of each buffer are used. */
static size_t data_bytes(void)
{
	return BLOCKS * (ns.block_size + (meta.extended ? meta.bytes : 0u));
}

static size_t md_bytes(void)
{
	return meta.extended ? 0 : BLOCKS * (size_t)meta.bytes;
}

static void make_data(uint64_t seed)
{
	pattern_fill(out, data_bytes(), seed, 0);
	pattern_fill(out_md, md_bytes(), seed + 1, 0);
}

static struct brg_nvme_protect all_checks(void)
{
	return (struct brg_nvme_protect){
		.app_tag = 0x1234,
		.app_mask = 0xffff,
		.ref_tag = LBA,
		.check_guard = true,
		.check_app = true,
		.check_ref = meta.pi_type != 3, /* type 3 has no say about it */
	};
}

static void check_same(void)
{
	assert_memory_equal(in, out, data_bytes());
	assert_memory_equal(in_md, out_md, md_bytes());
	assert_int_equal(in[data_bytes()], 0xee);
	assert_int_equal(in_md[md_bytes()], 0xee);
}

static void plain_metadata(void **state)
{
	const struct brg_nvme_protect none = {0}, action = {.action = true};
	struct brg_nvme_ns refused;

	for (unsigned int extended = 0; extended < 2; extended++) {
		format(16, extended, 0, false);
		make_data(extended);
		assert_int_equal(write_meta(&none), 0);
		assert_int_equal(read_meta(&none), 0);
		check_same();
		assert_fails(brg_nvme_ns_get(ctrl, 1, &refused), ENOTSUP, "16 bytes of metadata");
		assert_fails(brg_nvme_read(qp, &ns, in, LBA, 1, io_done, &io), ENOTSUP,
			     "16 bytes of metadata per block: use brg_nvme_read_meta()");
		assert_fails(
			brg_nvme_read_meta(qp, &ns, &meta, &action, in, in_md, 0, 1, io_done, &io),
			EINVAL, "no protection information");
	}
}

/* The controller agrees with every tag and guard that was filled in here, and the reverse. */
static void round_trip(void)
{
	struct brg_nvme_protect p = all_checks();

	make_data(meta.pi_type);
	brg_nvme_protect_fill(&ns, &meta, &p, out, out_md, BLOCKS);
	assert_int_equal(write_meta(&p), 0);
	assert_int_equal(read_meta(&p), 0);
	check_same();
	assert_works(brg_nvme_protect_check(&ns, &meta, &p, in, in_md, BLOCKS));
}

/* Each kind of damage is found here, by the controller on a write, and on a read of a wrong tag. */
static void damage(void)
{
	struct brg_nvme_protect p = all_checks(), wrong = p;
	uint8_t *last =
		meta.extended ? out + data_bytes() - meta.bytes - 1 : out + data_bytes() - 1;

	*last ^= 1;
	assert_fails(brg_nvme_protect_check(&ns, &meta, &p, out, out_md, BLOCKS), EILSEQ,
		     "block 23: its guard");
	assert_int_equal(write_meta(&p), NVME_SCT_MEDIA << 8 | NVME_SC_GUARD_CHECK);
	*last ^= 1;

	wrong.app_tag ^= 0x0100;
	assert_fails(brg_nvme_protect_check(&ns, &meta, &wrong, in, in_md, BLOCKS), EILSEQ,
		     "block 0: its application tag is 0x1234, not 0x1334");
	assert_int_equal(read_meta(&wrong), NVME_SCT_MEDIA << 8 | NVME_SC_APPTAG_CHECK);
	wrong.app_mask = 0x00ff; /* where it is right */
	assert_int_equal(read_meta(&wrong), 0);

	if (meta.pi_type == 3)
		return;
	wrong = p;
	wrong.ref_tag++;
	brg_nvme_protect_fill(&ns, &meta, &wrong, out, out_md, BLOCKS);
	assert_fails(brg_nvme_protect_check(&ns, &meta, &p, out, out_md, BLOCKS), EILSEQ,
		     "block 0: its reference tag is 0x3e9, not 0x3e8");
	assert_int_equal(write_meta(&p), NVME_SCT_MEDIA << 8 | NVME_SC_REFTAG_CHECK);
}

static void protected(void **state)
{
	for (unsigned int type = 1; type <= 3; type++) {
		for (unsigned int extended = 0; extended < 2; extended++) {
			/* All of the metadata; the last of it; the first of it. */
			format(8, extended, type, false);
			round_trip();
			damage();
			format(16, extended, type, false);
			round_trip();
			damage();
			format(16, extended, type, true);
			round_trip();
			damage();
		}
	}
}

/* The controller inserts and strips: no metadata in memory, and yet it is there. */
static void inserted_by_the_controller(void **state)
{
	struct brg_nvme_protect p;

	format(8, false, 1, false);
	p = all_checks();
	p.action = true;
	make_data(7);
	assert_int_equal(write_meta(&p), 0);
	assert_int_equal(read_meta(&p), 0);
	assert_memory_equal(in, out, data_bytes());
	assert_int_equal(in_md[0], 0xee);
	p.action = false;
	assert_int_equal(read_meta(&p), 0);
	assert_works(brg_nvme_protect_check(&ns, &meta, &p, in, in_md, BLOCKS));
	/* And back to what every other test expects. */
	format(0, false, 0, false);
	assert_works(brg_nvme_ns_get(ctrl, 1, &ns));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_metadata),
		cmocka_unit_test(protected),
		cmocka_unit_test(inserted_by_the_controller),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
