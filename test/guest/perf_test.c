/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage perf on a real controller: it does as many commands as it was told, on the blocks it was
 * told, and notices data that is not what was written. BARRAGE in the environment is its path.
 */

#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <rte_malloc.h>

#include "command_json.h"

static const char *barrage;
static const char *bdf;

static double value(const json_t *json, const char *key)
{
	return json_number_value(json_object_get(json, key));
}

/* They grow, from the minimum to the maximum, and the mean is between those. */
static void check_latency(const json_t *latency)
{
	static const char *const order[] = {"50", "90", "95", "99", "99.9", "99.99", "99.999"};
	const json_t *percentiles = json_object_get(latency, "percentiles");
	double before = value(latency, "min");

	assert_true(before > 0);
	assert_true(value(latency, "mean") >= before);
	assert_true(value(latency, "mean") <= value(latency, "max"));
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		assert_true(value(percentiles, order[i]) >= before);
		before = value(percentiles, order[i]);
	}
	assert_true(value(latency, "max") >= before);
}

/* Buckets ascend, and hold all commands. */
static void check_histogram(const json_t *latency, json_int_t commands)
{
	json_int_t sum = 0, before = -1;
	const json_t *pair;
	size_t i;

	json_array_foreach (json_object_get(latency, "histogram"), i, pair) {
		assert_true(json_integer_value(json_array_get(pair, 0)) >= before);
		before = json_integer_value(json_array_get(pair, 0));
		sum += json_integer_value(json_array_get(pair, 1));
	}
	assert_true(sum == commands);
	assert_true(before == value(latency, "max"));
}

static void reads_as_often_as_told(void **state)
{
	json_t *json, *device, *read;

	assert_int_equal(run(barrage, "perf", "--count", "1001", "--qd", "8", "--lcores", "2",
			     "--json", bdf, NULL),
			 0);
	json = printed_json();
	assert_string_equal(json_string_value(json_object_get(json, "schema")), "barrage-perf/1");
	device = json_array_get(json_object_get(json, "devices"), 0);
	assert_string_equal(json_string_value(json_object_get(device, "bdf")), bdf);
	read = json_object_get(device, "read");
	assert_true(value(read, "ios") == 1001);
	assert_true(value(read, "bytes") == 1001 * 4096);
	assert_true(value(device, "seconds") > 0);
	assert_float_equal(value(read, "iops") * value(device, "seconds"), 1001, 0.01);
	assert_float_equal(value(read, "bytes_per_second") * value(device, "seconds"), 1001 * 4096,
			   1);
	check_latency(json_object_get(read, "latency_ns"));
	assert_true(json_is_null(json_object_get(device, "write")));
	check_histogram(json_object_get(json_object_get(json, "read"), "latency_ns"), 1001);
	json_object_del(json_object_get(json_object_get(json, "read"), "latency_ns"), "histogram");
	assert_true(json_equal(read, json_object_get(json, "read")));
	json_decref(json);
}

/* A part of the commands each, and a sum over all. */
static void drives_several_devices(void **state)
{
	const char *other = getenv("BARRAGE_DEVICES");
	json_t *json, *list;
	double seconds = 0;

	assert_non_null(other);
	assert_int_equal(
		run(barrage, "perf", "--count", "500", "--json", "--lcores", "2", other, bdf, NULL),
		0);
	json = printed_json();
	list = json_object_get(json, "devices");
	assert_int_equal(json_array_size(list), 2);
	for (size_t i = 0; i < 2; i++) {
		const json_t *device = json_array_get(list, i);

		assert_string_equal(json_string_value(json_object_get(device, "bdf")),
				    i ? bdf : other);
		assert_true(value(json_object_get(device, "read"), "ios") == 500);
		seconds = RTE_MAX(seconds, value(device, "seconds"));
	}
	assert_true(value(json_object_get(json, "read"), "ios") == 1000);
	assert_true(value(json, "seconds") >= seconds);
	json_decref(json);
}

static void mixes_reads_and_writes(void **state)
{
	json_t *json;
	double reads;

	assert_int_equal(run(barrage, "perf", "--rw", "randrw", "--mix", "80", "--bssplit",
			     "512/50:8k/50", "--count", "2000", "--write-destroys-data", "--json",
			     bdf, NULL),
			 0);
	json = printed_json();
	reads = value(json_object_get(json, "read"), "ios");
	assert_in_range((int)reads, 1500, 1700);
	assert_true(reads + value(json_object_get(json, "write"), "ios") == 2000);
	check_latency(json_object_get(json_object_get(json, "write"), "latency_ns"));
	json_decref(json);
}

/*
 * A thousand commands take a second then, and far less without. Half of it must be left: commands
 * that an lcore is late with it makes up for, and so those that it owes from before the
 * measurement.
 */
static void goes_slower_when_told(void **state)
{
	json_t *json;

	assert_int_equal(run(barrage, "perf", "--rate", "1000", "--warmup", "0.1", "--count",
			     "1000", "--lcores", "2", "--json", bdf, NULL),
			 0);
	json = printed_json();
	assert_true(value(json, "rate") == 1000);
	assert_true(value(json_object_get(json, "read"), "ios") == 1000);
	assert_true(value(json, "seconds") >= 0.5);
	json_decref(json);
}

/* Change one byte of a block. EAL is started no sooner: it leaves this process, and so what it
 * runs, one CPU. */
static void damage(uint64_t lba)
{
	struct brg_nvme_qpair *qp;
	struct brg_nvme_ctrl *ctrl;
	struct brg_device *dev;
	struct brg_nvme_ns ns;
	char *block;

	assert_works(brg_env_init(NULL));
	assert_works(brg_device_open(bdf, &dev));
	assert_works(brg_nvme_open(dev, NULL, &ctrl));
	assert_works(brg_nvme_ns_get(ctrl, 1, &ns));
	assert_works(brg_nvme_qpair_create(ctrl, NULL, &qp));
	block = rte_malloc(NULL, ns.block_size, 4096);
	assert_int_equal(read_blocks(qp, &ns, block, lba, 1), 0);
	block[200] ^= 1;
	assert_int_equal(write_blocks(qp, &ns, block, lba, 1), 0);
	rte_free(block);
	brg_nvme_close(ctrl);
	brg_device_close(dev);
}

/* A pass that writes, one that reads; then one byte of 2 MiB is another one. */
static void verifies_what_it_wrote(void **state)
{
	assert_int_equal(run(barrage, "perf", "--rw", "write", "--size", "2m", "--count", "512",
			     "--verify", "--seed", "5", "--write-destroys-data", bdf, NULL),
			 0);
	assert_int_equal(run(barrage, "perf", "--rw", "read", "--size", "2m", "--count", "512",
			     "--verify", "--seed", "5", bdf, NULL),
			 0);
	assert_printed(" 512 ");
	assert_int_equal(run(barrage, "perf", "--rw", "read", "--size", "2m", "--count", "512",
			     "--verify", "--seed", "6", bdf, NULL),
			 1);
	assert_printed("was written with --seed 5, not 6");
	damage(1234);
	assert_int_equal(run(barrage, "perf", "--rw", "read", "--size", "2m", "--count", "512",
			     "--verify", bdf, NULL),
			 1);
	assert_printed(": block 1234: its checksum is ");
}

static void a_device_of_the_kernel_is_refused(void **state)
{
	assert_int_equal(run(barrage, "bind", "--kernel", bdf, NULL), 0);
	assert_int_equal(run(barrage, "perf", "--rw", "write", "--count", "1",
			     "--write-destroys-data", bdf, NULL),
			 1);
	assert_printed("is bound to nvme; run: barrage bind");
	assert_int_equal(run(barrage, "bind", bdf, NULL), 0);
}

/* Start one that would go on for long; its output comes from the descriptor. */
static pid_t start_perf(int *output)
{
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		execl(barrage, barrage, "perf", "--time", "1000", bdf, NULL);
		_exit(127);
	}
	close(ends[1]);
	*output = ends[0];
	return pid;
}

/* Whether a process has mapped its device: it has asked before to be told when that is wanted back.
 */
static bool has_mapped_its_device(pid_t pid)
{
	char path[32], line[512];
	bool found = false;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "r");
	while (maps && !found && fgets(line, sizeof(line), maps))
		found = strstr(line, "[vfio-device]");
	if (maps)
		fclose(maps);
	return found;
}

/* The kernel's unbind waits for whoever has the device open. */
static void lets_go_when_asked(void **state)
{
	int output, unbind, status;
	char said[1024] = "";
	pid_t pid;

	pid = start_perf(&output);
	while (!has_mapped_its_device(pid))
		usleep(10000);
	unbind = open("/sys/bus/pci/drivers/vfio-pci/unbind", O_WRONLY);
	assert_int_equal(write(unbind, bdf, strlen(bdf)), strlen(bdf));
	close(unbind);
	while (read(output, said + strlen(said), sizeof(said) - 1 - strlen(said)) > 0)
		;
	close(output);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	if (!strstr(said, "the kernel wants it back"))
		fail_msg("it said: %s", said);
	assert_int_equal(run(barrage, "bind", bdf, NULL), 0);
}

static void what_does_not_fit_is_refused(void **state)
{
	assert_int_equal(run(barrage, "perf", "--bs", "16m", "--qd", "1", bdf, NULL), 1);
	assert_printed("that one command may carry");
	assert_int_equal(run(barrage, "perf", "--bs", "16m", "--qd", "65534", bdf, NULL), 1);
	assert_printed("MiB of memory, and ");
	assert_int_equal(run(barrage, "perf", "--lcores", "100", bdf, NULL), 1);
	assert_printed("--lcores 100: there are not as many CPUs");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_as_often_as_told),
		cmocka_unit_test(drives_several_devices),
		cmocka_unit_test(mixes_reads_and_writes),
		cmocka_unit_test(goes_slower_when_told),
		cmocka_unit_test(verifies_what_it_wrote),
		cmocka_unit_test(a_device_of_the_kernel_is_refused),
		cmocka_unit_test(lets_go_when_asked),
		cmocka_unit_test(what_does_not_fit_is_refused),
	};

	bdf = test_bdf();
	barrage = test_command("BARRAGE");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
