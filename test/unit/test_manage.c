/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands that change a device - format, sanitize, namespaces, firmware, self-test, security and
 * directives - against a controller made of a thread: what is sent, and what is refused unsent.
 */

#include "unit.h"

#include <errno.h>
#include <rte_malloc.h>
#include <stdio.h>

#include "fake_admin.h"

/* What the namespace of the device is like, and what it received. */
static struct nvme_id_ns id_ns;
static uint32_t nactive; /* namespaces, 1 and so on */
static uint16_t status_of_commit;
static uint32_t time_given; /* to the last command, milliseconds */
static uint8_t received[64 * 1024];
static size_t nreceived;

static size_t data_bytes(const struct brg_nvme_sqe *sqe)
{
	switch (sqe->opcode) {
	case nvme_admin_fw_download:
	case nvme_admin_directive_send:
		return (sqe->cdw10 + 1) * sizeof(uint32_t);
	case nvme_admin_security_send:
		return sqe->cdw11;
	case nvme_admin_ns_mgmt:
		return sqe->cdw10 == NVME_NS_MGMT_SEL_CREATE ? 4096 : 0;
	case nvme_admin_ns_attach:
		return 4096;
	default:
		return 0;
	}
}

static void list_active(uint32_t *nsids)
{
	for (uint32_t i = 0; i < nactive; i++)
		nsids[i] = i + 1;
}

/* What this device has to say, as much of it as is wanted. */
static void send(const struct brg_nvme_sqe *sqe, size_t len)
{
	for (size_t i = 0; i < len; i++)
		*fake_data(sqe, len, i) = (uint8_t)(i + 1);
}

static uint16_t device(struct fake_admin *f, const struct brg_nvme_sqe *sqe, uint32_t *dw0)
{
	size_t len = data_bytes(sqe);

	*dw0 = 7;
	time_given = f->ctrl.admin_timeout_ms;
	if (sqe->opcode == nvme_admin_identify) {
		if (sqe->nsid == NVME_NSID_ALL)
			return NVME_SC_DNR | NVME_SC_INVALID_NS;
		if ((sqe->cdw10 & 0xff) == NVME_IDENTIFY_CNS_NS_ACTIVE_LIST)
			list_active((void *)fake_data(sqe, 4096, 0));
		else
			memcpy(fake_data(sqe, 4096, 0), &id_ns, sizeof(id_ns));
		return 0;
	}
	if (sqe->opcode == nvme_admin_fw_commit)
		return status_of_commit;
	if (sqe->opcode == nvme_admin_security_recv)
		send(sqe, sqe->cdw11);
	if (sqe->opcode == nvme_admin_directive_recv)
		send(sqe, (sqe->cdw10 + 1) * sizeof(uint32_t));
	for (size_t i = 0; i < len; i++)
		received[nreceived++] = *fake_data(sqe, len, i);
	return 0;
}

static struct fake_admin *new_device(void)
{
	id_ns = (struct nvme_id_ns){
		.nlbaf = 1,
		.mc = NVME_NS_MC_SEPARATE,
		.dpc = NVME_NS_DPC_PI_TYPE1 | NVME_NS_DPC_PI_LAST,
		.lbaf = {{.ds = 9}, {.ds = 12, .ms = 8}},
	};
	nactive = 1;
	status_of_commit = 0;
	nreceived = 0;
	return fake_admin_new(device);
}

static const struct brg_nvme_sqe *last(const struct fake_admin *f)
{
	return &f->seen[f->nseen - 1];
}

static void format(void **state)
{
	struct brg_nvme_format how = {.nsid = 3, .lbaf = 1, .pi = NVME_FORMAT_PI_TYPE1};
	struct fake_admin *f = new_device();

	assert_fails(brg_nvme_format(&f->ctrl, &how), ENOTSUP, "Format NVM (OACS 0)");
	assert_int_equal(f->nseen, 0);
	f->ctrl.id.oacs = NVME_CTRL_OACS_FORMAT;
	assert_int_equal(brg_nvme_format(&f->ctrl, &how), 0);
	assert_int_equal(last(f)->opcode, nvme_admin_format_nvm);
	assert_int_equal(last(f)->nsid, 3);
	assert_int_equal(last(f)->cdw10, 1 | 1 << 5);
	how = (struct brg_nvme_format){.nsid = 3, .erase = NVME_FORMAT_SES_USER_DATA_ERASE};
	assert_int_equal(brg_nvme_format(&f->ctrl, &how), 0);
	assert_int_equal(last(f)->cdw10, 1 << 9);
	/* The usual time-out is back. */
	assert_int_equal(f->ctrl.admin_timeout_ms, 5000);
	fake_admin_free(f);
}

static void format_is_refused(void **state)
{
	struct fake_admin *f = new_device();
	const struct {
		struct brg_nvme_format how;
		int err;
		const char *words;
	} cases[] = {
		{{.nsid = 1, .lbaf = 2}, EINVAL, "formats 0 to 1, and no 2"},
		{{.nsid = 1, .lbaf = 255}, EINVAL, "no 255"},
		{{.nsid = 1, .lbaf = 1, .extended = true}, EINVAL, "behind each block's data"},
		{{.nsid = 1, .lbaf = 0, .pi = 1}, EINVAL, "format 0 has 0"},
		{{.nsid = 1, .lbaf = 1, .pi = 2}, EINVAL, "type 2"},
		{{.nsid = 1, .lbaf = 1, .pi = 1, .pi_first = true}, EINVAL, "first bytes"},
		{{.nsid = 1, .lbaf = 1, .pi = 7}, EINVAL, "type 7"},
		{{.nsid = 1, .erase = NVME_FORMAT_SES_CRYPTO_ERASE}, ENOTSUP, "cryptographic"},
	};

	f->ctrl.id.oacs = NVME_CTRL_OACS_FORMAT;
	for (size_t i = 0; i < RTE_DIM(cases); i++)
		assert_fails(brg_nvme_format(&f->ctrl, &cases[i].how), cases[i].err,
			     cases[i].words);
	for (unsigned int i = 0; i < f->nseen; i++)
		assert_int_equal(f->seen[i].opcode, nvme_admin_identify);
	fake_admin_free(f);
}

/* A controller that does not identify all of them at once: the first stands for them. */
static void format_of_all(void **state)
{
	const struct brg_nvme_format how = {.nsid = NVME_NSID_ALL};
	struct fake_admin *f = new_device();

	f->ctrl.id.oacs = NVME_CTRL_OACS_FORMAT;
	assert_int_equal(brg_nvme_format(&f->ctrl, &how), 0);
	assert_true(last(f)->nsid == NVME_NSID_ALL);
	f->ctrl.id.fna = NVME_CTRL_FNA_NSID_FFFFFFFF;
	assert_fails(brg_nvme_format(&f->ctrl, &how), ENOTSUP, "all namespaces at once");
	fake_admin_free(f);
}

/* Where a format or an erase of one is one of all: only of the only one, or of all. */
static void format_of_one_is_of_all(void **state)
{
	const struct {
		uint8_t fna;
		enum nvme_cmd_format_ses erase;
		bool refused;
	} cases[] = {
		{0, NVME_FORMAT_SES_USER_DATA_ERASE, false},
		{NVME_CTRL_FNA_FMT_ALL_NAMESPACES, NVME_FORMAT_SES_NONE, true},
		{NVME_CTRL_FNA_FMT_ALL_NAMESPACES, NVME_FORMAT_SES_USER_DATA_ERASE, true},
		{NVME_CTRL_FNA_SEC_ALL_NAMESPACES, NVME_FORMAT_SES_NONE, false},
		{NVME_CTRL_FNA_SEC_ALL_NAMESPACES, NVME_FORMAT_SES_USER_DATA_ERASE, true},
	};

	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		struct brg_nvme_format how = {.nsid = 2, .erase = cases[i].erase};
		struct fake_admin *f = new_device();

		f->ctrl.id.oacs = NVME_CTRL_OACS_FORMAT;
		f->ctrl.id.fna = cases[i].fna;
		nactive = 2;
		if (cases[i].refused)
			assert_fails(brg_nvme_format(&f->ctrl, &how), EINVAL, "NVME_NSID_ALL");
		else
			assert_int_equal(brg_nvme_format(&f->ctrl, &how), 0);
		assert_int_equal(last(f)->opcode != nvme_admin_format_nvm, cases[i].refused);
		how.nsid = NVME_NSID_ALL;
		assert_int_equal(brg_nvme_format(&f->ctrl, &how), 0);
		how.nsid = nactive = 1;
		assert_int_equal(brg_nvme_format(&f->ctrl, &how), 0);
		assert_int_equal(last(f)->nsid, 1);
		how.nsid = 2; /* which is not active, but the other one is */
		if (cases[i].refused)
			assert_fails(brg_nvme_format(&f->ctrl, &how), EINVAL, "not the only one");
		f->ctrl.id.fna |= NVME_CTRL_FNA_NSID_FFFFFFFF;
		nactive = 2;
		if (cases[i].refused)
			assert_fails(brg_nvme_format(&f->ctrl, &how), EINVAL, "detach");
		fake_admin_free(f);
	}
}

static void sanitize(void **state)
{
	struct brg_nvme_sanitize how = {.action = NVME_SANITIZE_SANACT_START_OVERWRITE,
					.passes = 16,
					.invert = true,
					.pattern = 0xdeadbeef};
	struct fake_admin *f = new_device();

	assert_fails(brg_nvme_sanitize(&f->ctrl, &how), ENOTSUP, "overwriting (SANICAP 0)");
	f->ctrl.id.sanicap = NVME_CTRL_SANICAP_OWS | NVME_CTRL_SANICAP_NDI;
	assert_int_equal(brg_nvme_sanitize(&f->ctrl, &how), 0);
	assert_int_equal(last(f)->cdw10, 3 | 0 << 4 | 1 << 8); /* 16 passes are 0 */
	assert_true(last(f)->cdw11 == 0xdeadbeef);
	how.passes = 17;
	assert_fails(brg_nvme_sanitize(&f->ctrl, &how), EINVAL, "17 passes");
	how.passes = 1;
	how.no_deallocate = true;
	assert_fails(brg_nvme_sanitize(&f->ctrl, &how), ENOTSUP, "without deallocating");
	how = (struct brg_nvme_sanitize){.action = NVME_SANITIZE_SANACT_START_CRYPTO_ERASE};
	assert_fails(brg_nvme_sanitize(&f->ctrl, &how), ENOTSUP, "cryptographic");
	how.action = NVME_SANITIZE_SANACT_EXIT_FAILURE;
	assert_int_equal(brg_nvme_sanitize(&f->ctrl, &how), 0);
	how.action = 5;
	assert_fails(brg_nvme_sanitize(&f->ctrl, &how), EINVAL, "action 5");
	how.action = 0;
	assert_fails(brg_nvme_sanitize(&f->ctrl, &how), EINVAL, "action 0");
	assert_int_equal(f->nseen, 2);
	fake_admin_free(f);
}

static void namespaces(void **state)
{
	struct nvme_id_ns wanted = {.nsze = 1000, .ncap = 900, .flbas = 1, .nsfeat = 0xff};
	const uint16_t cntlids[] = {3, 4};
	const struct nvme_id_ns *got = (const void *)received;
	const struct nvme_ctrl_list *list = (const void *)received;
	struct fake_admin *f = new_device();
	uint32_t nsid;

	assert_fails(brg_nvme_ns_create(&f->ctrl, &wanted, NVME_CSI_NVM, &nsid), ENOTSUP, "OACS");
	assert_fails(brg_nvme_ns_delete(&f->ctrl, 1), ENOTSUP, "OACS");
	assert_fails(brg_nvme_ns_attach(&f->ctrl, 1, cntlids, 2, true), ENOTSUP, "OACS");
	f->ctrl.id.oacs = NVME_CTRL_OACS_NS_MGMT;
	assert_int_equal(brg_nvme_ns_create(&f->ctrl, &wanted, NVME_CSI_ZNS, &nsid), 0);
	assert_int_equal(nsid, 7);
	assert_int_equal(time_given, 120000);
	assert_int_equal(last(f)->cdw11, NVME_CSI_ZNS << 24);
	assert_int_equal(got->nsze, 1000);
	assert_int_equal(got->flbas, 1);
	assert_int_equal(got->nsfeat, 0); /* not the host's to say */
	wanted.ncap = 1001;
	assert_fails(brg_nvme_ns_create(&f->ctrl, &wanted, NVME_CSI_NVM, &nsid), EINVAL, "1001");
	assert_int_equal(brg_nvme_ns_delete(&f->ctrl, 7), 0);
	assert_int_equal(time_given, 120000);
	assert_int_equal(last(f)->nsid, 7);
	assert_int_equal(last(f)->cdw10, NVME_NS_MGMT_SEL_DELETE);
	nreceived = 0;
	time_given = 0;
	assert_int_equal(brg_nvme_ns_attach(&f->ctrl, 7, cntlids, 2, false), 0);
	assert_int_equal(time_given, 120000);
	assert_int_equal(last(f)->cdw10, NVME_NS_ATTACH_SEL_CTRL_DEATTACH);
	assert_int_equal(list->num, 2);
	assert_int_equal(list->identifier[1], 4);
	assert_fails(brg_nvme_ns_attach(&f->ctrl, 7, cntlids, 0, true), EINVAL, "0 controllers");
	assert_fails(brg_nvme_ns_attach(&f->ctrl, 7, cntlids, 2048, true), EINVAL, "2048");
	fake_admin_free(f);
}

/* Which requests the fast path may have is decided here. */
static void namespaces_as_io_needs_them(void **state)
{
	struct fake_admin *f = new_device();
	struct brg_nvme_meta meta;
	struct brg_nvme_ns ns;

	id_ns.nsze = 8;
	assert_int_equal(brg_nvme_ns_get(&f->ctrl, 1, &ns), 0);
	assert_int_equal(ns.block_size, 512);
	assert_int_equal(ns.metadata, 0);
	assert_true(brg_nvme_is_simple(&ns, 0, 0, 7));
	assert_true(brg_nvme_is_simple(&ns, 4096 - 512, 7, 0));
	assert_false(brg_nvme_is_simple(&ns, 4096 - 508, 7, 0));
	assert_false(brg_nvme_is_simple(&ns, 4, 0, 7));
	assert_false(brg_nvme_is_simple(&ns, 2, 0, 0));
	assert_false(brg_nvme_is_simple(&ns, 0, 1, 7));
	assert_false(brg_nvme_is_simple(&ns, 0, 8, 0));
	assert_false(brg_nvme_is_simple(&ns, 0, UINT64_MAX, 0));
	assert_false(brg_nvme_is_simple(&ns, 0, 0, UINT32_MAX)); /* no blocks */
	id_ns.nsze = 7;
	assert_int_equal(brg_nvme_ns_get(&f->ctrl, 1, &ns), 0);
	assert_false(brg_nvme_is_simple(&ns, 0, 0, 0));
	assert_false(brg_nvme_is_simple(&ns, 0, 0, 7));

	id_ns.nsze = 1000;
	id_ns.flbas = 1;
	assert_fails(brg_nvme_ns_get(&f->ctrl, 1, &ns), ENOTSUP, "8 bytes of metadata");
	assert_int_equal(brg_nvme_ns_get_meta(&f->ctrl, 1, &ns, &meta), 0);
	assert_int_equal(ns.metadata, 8);
	assert_int_equal(meta.bytes, 8);
	assert_false(brg_nvme_is_simple(&ns, 0, 0, 0));
	id_ns.lbaf[1] = (struct nvme_lbaf){.ds = 12};
	assert_int_equal(brg_nvme_ns_get(&f->ctrl, 1, &ns), 0);
	assert_true(brg_nvme_is_simple(&ns, 4096, 999, 0));
	assert_false(brg_nvme_is_simple(&ns, 4096 + 4, 0, 0));
	id_ns.lbaf[1].ds = 13; /* a block is two pages */
	assert_int_equal(brg_nvme_ns_get(&f->ctrl, 1, &ns), 0);
	assert_int_equal(ns.block_size, 8192);
	assert_false(brg_nvme_is_simple(&ns, 0, 0, 0));
	fake_admin_free(f);
}

static size_t reported;

static void on_progress(void *arg, size_t sent)
{
	assert_true(sent > reported);
	reported = sent;
}

static void firmware(void **state)
{
	struct fake_admin *f = new_device();
	enum brg_nvme_fw_needs left;
	uint8_t image[20000];

	for (size_t i = 0; i < sizeof(image); i++)
		image[i] = (uint8_t)(i * 13 + i / 256);
	assert_fails(brg_nvme_fw_download(&f->ctrl, image, 4, NULL, NULL), ENOTSUP, "OACS");
	assert_fails(brg_nvme_fw_commit(&f->ctrl, 1, NVME_FW_COMMIT_CA_SET_ACTIVE, NULL), ENOTSUP,
		     "OACS");
	f->ctrl.id.oacs = NVME_CTRL_OACS_FW;
	f->ctrl.id.frmw = 3 << 1 | NVME_CTRL_FRMW_1ST_RO;
	f->ctrl.id.fwug = 2; /* pieces of 8 KiB */
	reported = 0;
	assert_int_equal(brg_nvme_fw_download(&f->ctrl, image, sizeof(image), on_progress, NULL),
			 0);
	assert_int_equal(f->nseen, 3);
	assert_int_equal(f->seen[1].cdw11, 8192 / 4);
	assert_int_equal(f->seen[2].cdw10, (20000 - 16384) / 4 - 1);
	assert_int_equal(nreceived, sizeof(image));
	assert_memory_equal(received, image, sizeof(image));
	assert_int_equal(reported, sizeof(image));
	assert_fails(brg_nvme_fw_download(&f->ctrl, image, 3, NULL, NULL), EINVAL, "3 bytes");
	f->ctrl.id.fwug = 200;
	assert_fails(brg_nvme_fw_download(&f->ctrl, image, 4, NULL, NULL), EIO, "200 times");

	assert_int_equal(brg_nvme_fw_commit(&f->ctrl, 2, NVME_FW_COMMIT_CA_REPLACE, &left), 0);
	assert_int_equal(last(f)->cdw10, 2);
	assert_int_equal(left, BRG_NVME_FW_ACTIVE);
	status_of_commit = NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_FW_NEEDS_RESET;
	assert_int_equal(
		brg_nvme_fw_commit(&f->ctrl, 2, NVME_FW_COMMIT_CA_REPLACE_AND_ACTIVATE, &left), 0);
	assert_int_equal(last(f)->cdw10, 1 << 3 | 2);
	assert_int_equal(left, BRG_NVME_FW_NEEDS_RESET);
	status_of_commit = NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_FIRMWARE_IMAGE;
	assert_fails(brg_nvme_fw_commit(&f->ctrl, 2, NVME_FW_COMMIT_CA_REPLACE, &left), EIO,
		     "Invalid Firmware Image");
	assert_fails(brg_nvme_fw_commit(&f->ctrl, 4, NVME_FW_COMMIT_CA_REPLACE, &left), EINVAL,
		     "3 firmware slots");
	assert_fails(brg_nvme_fw_commit(&f->ctrl, 1, NVME_FW_COMMIT_CA_REPLACE, &left), EROFS,
		     "slot 1");
	fake_admin_free(f);
}

static void payloads(void **state)
{
	struct brg_nvme_directive directive = {
		.nsid = 1, .type = 1, .operation = 3, .specific = 0x55, .data = "abcd", .len = 4};
	struct fake_admin *f = new_device();
	uint8_t data[16] = {0};
	uint32_t result;

	assert_fails(brg_nvme_security_receive(&f->ctrl, 1, 2, data, 1), ENOTSUP, "OACS");
	assert_fails(brg_nvme_directive_receive(&f->ctrl, &directive, &result), ENOTSUP, "OACS");
	assert_fails(brg_nvme_security_send(&f->ctrl, 1, 2, "x", 1), ENOTSUP, "OACS");
	assert_fails(brg_nvme_directive_send(&f->ctrl, &directive, &result), ENOTSUP, "OACS");
	assert_fails(brg_nvme_self_test(&f->ctrl, 0, NVME_ST_CODE_SHORT), ENOTSUP, "self-tests");
	f->ctrl.id.oacs =
		NVME_CTRL_OACS_SECURITY | NVME_CTRL_OACS_DIRECTIVES | NVME_CTRL_OACS_SELF_TEST;
	assert_int_equal(brg_nvme_security_send(&f->ctrl, 1, 0x0203, "wxyz", 4), 0);
	assert_int_equal(last(f)->cdw10, 0x01020300);
	assert_memory_equal(received, "wxyz", 4);
	nreceived = 0;
	assert_int_equal(brg_nvme_directive_send(&f->ctrl, &directive, &result), 0);
	assert_int_equal(last(f)->cdw11, 0x00550103);
	assert_int_equal(result, 7);
	assert_memory_equal(received, "abcd", 4);
	directive.len = 3;
	assert_fails(brg_nvme_directive_send(&f->ctrl, &directive, &result), EINVAL, "3 bytes");
	directive.data = data;
	assert_fails(brg_nvme_directive_receive(&f->ctrl, &directive, &result), EINVAL, "3 bytes");
	directive.len = 8;
	assert_int_equal(brg_nvme_directive_receive(&f->ctrl, &directive, &result), 0);
	assert_int_equal(last(f)->opcode, nvme_admin_directive_recv);
	assert_int_equal(last(f)->nsid, 1);
	assert_int_equal(last(f)->cdw10, 1);
	assert_int_equal(last(f)->cdw11, 0x00550103);
	assert_int_equal(result, 7);
	assert_memory_equal(data, "\1\2\3\4\5\6\7\10\0", 9);
	memset(data, 0, sizeof(data));
	assert_int_equal(brg_nvme_security_receive(&f->ctrl, 1, 0x0203, data, 5), 0);
	assert_int_equal(last(f)->opcode, nvme_admin_security_recv);
	assert_int_equal(last(f)->cdw10, 0x01020300);
	assert_int_equal(last(f)->cdw11, 5);
	assert_memory_equal(data, "\1\2\3\4\5\0", 6);
	assert_int_equal(brg_nvme_self_test(&f->ctrl, 9, NVME_ST_CODE_EXTENDED), 0);
	assert_int_equal(last(f)->cdw10, 2);
	assert_int_equal(last(f)->nsid, 9);
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
		cmocka_unit_test(format),
		cmocka_unit_test(format_is_refused),
		cmocka_unit_test(format_of_all),
		cmocka_unit_test(sanitize),
		cmocka_unit_test(namespaces),
		cmocka_unit_test(namespaces_as_io_needs_them),
		cmocka_unit_test(firmware),
		cmocka_unit_test(payloads),
		cmocka_unit_test(format_of_one_is_of_all),
	};

	return cmocka_run_group_tests(tests, start_eal, NULL);
}
