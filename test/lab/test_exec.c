/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage-lab exec as its user sees it: what goes in, what comes out, how it ends. */

#include "lab_test.h"

static void passes_everything_through(void **state)
{
	char out[4096];

	assert_ends(out, sizeof(out),
		    "echo from stdin | $EXEC -e COLOUR=red -w cat -- bash -c "
		    "'cat; echo to stderr >&2; echo $COLOUR $0 $1; exit 42' a 'b c' 2>&1",
		    42);
	assert_says(out, "from stdin\n");
	assert_says(out, "to stderr\n");
	assert_says(out, "red a b c\n");
}

static void is_such_a_machine(void **state)
{
	char out[4096];

	assert_ends(out, sizeof(out),
		    "$EXEC --lcores 3 --memory 768 -w readlink -w cat -- bash -c '"
		    "readlink /sys/bus/pci/devices/$BARRAGE_BDF/driver;"
		    "readlink /sys/bus/pci/devices/$BARRAGE_BDF/iommu_group;"
		    "cat /sys/devices/system/cpu/online /proc/sys/vm/nr_hugepages;"
		    "cat /sys/bus/pci/devices/$BARRAGE_BDF/class' 2>&1",
		    0);
	assert_says(out, "/vfio-pci\n");
	assert_says(out, "/iommu_groups/");
	assert_says(out, "0-2\n96\n0x010802\n");
}

static void has_more_devices(void **state)
{
	char out[4096];

	assert_ends(out, sizeof(out),
		    "$EXEC --device edu --device ivshmem:64M -w cat -- bash -c '"
		    "for d in $BARRAGE_DEVICES; do cat /sys/bus/pci/devices/$d/class;"
		    "[ -e /sys/bus/pci/drivers/vfio-pci/$d ] && echo bound; done' 2>&1",
		    0);
	assert_says(out, "0x00ff00\nbound\n0x050000\nbound\n");
}

static void runs_on_another_qemu(void **state)
{
	char out[4096];

	assert_ends(out, sizeof(out),
		    "$EXEC --qemu debian:backports -w cat -- "
		    "cat /sys/class/dmi/id/product_version 2>&1",
		    0);
	assert_says(out, "pc-q35-1"); /* 10 or later */
}

/* What a program wrote last waits in the guest where nobody reads it, and the program has ended. */
static void slow_readers_get_all(void **state)
{
	char out[4096];

	assert_ends(out, sizeof(out),
		    "f=$(mktemp) && head -c 3000000 /dev/urandom > $f &&"
		    "$EXEC -f $f -- cat - $f < $f |"
		    "(head -c 3000000 | cmp - $f && sleep 3 && cmp - $f); s=$?; rm $f; exit $s",
		    0);
}

static void keeps_a_disk(void **state)
{
	char out[4096];

	assert_ends(out, sizeof(out),
		    "f=$(mktemp) && truncate -s 4M $f &&"
		    "$EXEC -d $f --keep-driver -w dd -- bash -c "
		    "'echo kept | dd of=/dev/nvme0n1 bs=512 seek=1 conv=sync,fsync' 2>&1 &&"
		    "tail -c +513 $f | head -c 5; rm $f",
		    0);
	assert_says(out, "kept\n");
}

static void reports_a_signal(void **state)
{
	char out[4096];

	assert_ends(out, sizeof(out), "$EXEC -- sh -c 'kill -ABRT $$' 2>&1", 128 + 6);
	assert_says(out, "ended by signal 6");
}

static void tells_of_a_dead_qemu(void **state)
{
	char out[4096];

	assert_ends(out, sizeof(out),
		    "d=$(mktemp -d) && printf '#!/bin/sh\\nkill -SEGV $$\\n' >"
		    "$d/qemu-system-x86_64 && chmod +x $d/qemu-system-x86_64 &&"
		    "PATH=$d:$PATH $EXEC -- true 2>&1; s=$?; rm -r $d; exit $s",
		    125);
	assert_says(out, "QEMU itself was ended by signal 11");
}

static void stops_a_hang(void **state)
{
	char out[4096];

	assert_ends(out, sizeof(out), "$EXEC --timeout 10 -w sleep -- sleep 1000 2>&1", 125);
	assert_says(out, "the guest hung and was stopped");
}

static void reports_a_dead_kernel(void **state)
{
	char out[8192];

	assert_ends(out, sizeof(out),
		    "$EXEC -- bash -c 'echo 1 > /proc/sys/kernel/sysrq;"
		    "echo c > /proc/sysrq-trigger' 2>&1",
		    125);
	assert_says(out, "the guest's kernel died: sysrq triggered crash");
}

static void refuses_nonsense(void **state)
{
	static const struct {
		const char *command;
		int status;
		const char *words;
	} cases[] = {
		{"$LAB exec 2>&1", 2, "which program?"},
		{"$LAB exec -- no-such-program 2>&1", 125, "no program \"no-such-program\""},
		{"$LAB exec -- ./no/such 2>&1", 125, "No such file"},
		{"$LAB exec -- /etc/passwd 2>&1", 125, "is no program for this machine"},
		{"$LAB exec --namespace 0 -- true 2>&1", 2, "--namespace 0: it takes a size"},
		{"$LAB exec --namespace 9:x -- true 2>&1", 2, "--namespace 9:x: it takes a size"},
		{"$LAB exec --lcores 0 -- true 2>&1", 2, "--lcores 0: it takes a number from 1"},
		{"$LAB exec --memory x -- true 2>&1", 2, "--memory x: it takes a number from 256"},
		{"$LAB exec --handler none -- true 2>&1", 2, "no handler \"none\""},
		{"$LAB exec --fail-after 1 -- true 2>&1", 2, "--fail-after needs a --handler"},
		{"$LAB exec --device nvme:64 -- true 2>&1", 2, "--device nvme:64: a size is"},
		{"$LAB compare --fail-after 0 2>&1", 2, "--fail-after 0: it takes a number from 1"},
		{"$LAB compare --fail-after 2 --after debian:6.1 2>&1", 1,
		 "not with \"debian:6.1\""},
		{"$LAB compare --report /proc/none 2>&1", 1, "/proc/none"},
		{"$LAB cost --json /nowhere/x 2>&1", 1, "/nowhere/x"},
		{"$LAB matrix --policy eager 2>&1", 2, "'eager' is none of lazy, auto"},
		{"$LAB exec --disk /nowhere -- true 2>&1", 125, "--disk /nowhere"},
		{"$LAB exec --numa --lcores 1 -- true 2>&1", 2,
		 "two nodes take at least --lcores 2"},
		{"$LAB exec --modules / -- true 2>&1", 2, "goes with --kernel"},
		{"$LAB exec --kernel /etc/passwd -- true 2>&1", 125, "is no folder"},
		{"$LAB exec --kernel /nowhere --modules / -- true 2>&1", 125, "takes a bzImage"},
		{"$LAB exec --kernel /etc -- true 2>&1", 125, "/etc/arch/x86/boot/bzImage"},
		{"$LAB exec --handler fixed --kernel debian:6.12 -- true 2>&1", 125,
		 "handler \"fixed\" is made for debian:6.1, not for debian:6.12"},
		{"$LAB exec --kernel debian:1.2 -- true 2>&1", 125, "no kernel \"debian:1.2\""},
		{"$LAB exec --file /nowhere -- true 2>&1", 125, "/nowhere"},
		{"$LAB exec --qemu /bin/true -- true 2>&1", 125, "--qemu /bin/true: that is no"},
		{"$LAB matrix --qemu debian:1 2>&1", 1, "--qemu debian:1: that is no"},
		{"PATH=/nowhere $LAB doctor 2>&1", 1, "apt-get install gnuplot-nox"},
		{"$LAB nonsense 2>&1", 2,
		 "no command \"nonsense\"; there are: compare matrix cost exec"},
		{"$LAB 2>&1", 2, "which command?"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char out[8192];

		assert_ends(out, sizeof(out), cases[i].command, cases[i].status);
		assert_says(out, cases[i].words);
	}
}

/* QEMU may hang or crash when its CPUs run side by side while the guest moves BARs, 10 more
 * than 7.2 (test/guest/meson.build); what is looked at here is the lab. */
static int set_exec(const char *lab)
{
	char command[4096];

	snprintf(command, sizeof(command), "%s exec --one-thread", lab);
	return setenv("EXEC", command, 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_everything_through),
		cmocka_unit_test(is_such_a_machine),
		cmocka_unit_test(has_more_devices),
		cmocka_unit_test(runs_on_another_qemu),
		cmocka_unit_test(slow_readers_get_all),
		cmocka_unit_test(keeps_a_disk),
		cmocka_unit_test(reports_a_signal),
		cmocka_unit_test(tells_of_a_dead_qemu),
		cmocka_unit_test(stops_a_hang),
		cmocka_unit_test(reports_a_dead_kernel),
		cmocka_unit_test(refuses_nonsense),
	};

	if (argc != 2 || setenv("LAB", argv[1], 1) < 0 || set_exec(argv[1]) < 0) {
		fprintf(stderr, "usage: test_exec PATH-OF-BARRAGE-LAB\n");
		return 2;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
