/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage-lab exec --steps: the guest notices what is done to its controller. */

#include "lab_test.h"

/*
 * The program says how far it is, and goes on when it sees what the step has done: nothing hangs on
 * how long either takes. A read that waited for a second was not answered; if none ever does, the
 * guest's limit ends the test.
 */
static const char all_steps[] =
	"cat > steps.txt <<'END'\n"
	"when \"<ready>\" unplug\n"
	"when \"<gone>\"  plug\n"
	"when \"<back>\"  fail read 2048\n"
	"when \"<bad>\"   heal\n"
	"when \"<good>\"  stall\n"
	"after 3        resume\n"
	"END\n"
	"$LAB exec --one-thread --keep-driver --timeout 60 --steps steps.txt"
	" -w dd -w sleep -- bash -c '"
	"sector() { dd if=/dev/nvme0n1 of=/dev/null bs=512 count=1 skip=$1"
	"	iflag=direct 2>/dev/null; };"
	"slow() { local t=$SECONDS; sector 0; [ $((SECONDS - t)) -gt 1 ]; };"
	"dev=/sys/bus/pci/devices/$BARRAGE_BDF;"
	"[ -e $dev ] || exit 1; echo \"<ready>\";"
	"while [ -e $dev ]; do sleep 0.1; done; echo \"<gone>\";"
	"until [ -b /dev/nvme0n1 ]; do sleep 0.1; done;"
	"sector 2048 || exit 2; echo \"<back>\";"
	"while sector 2048; do sleep 0.1; done;"
	"sector 4096 || exit 3; echo \"<bad>\";"
	"until sector 2048; do sleep 0.1; done; echo \"<good>\";"
	"until slow; do :; done; sector 0 || exit 4; echo \"<done>\"' 2>&1";

static void disturbs_the_controller(void **state)
{
	char out[4096];

	assert_ends(out, sizeof(out), all_steps, 0);
	assert_says(out, "<done>");
}

static void a_step_that_is_left_is_told(void **state)
{
	char out[4096];

	assert_ends(out, sizeof(out),
		    "echo 'at 1000 unplug' > left.txt &&"
		    "$LAB exec --steps left.txt --timeout 60 -- true 2>&1",
		    125);
	assert_says(out, "the program ended before unplug, line 1 of left.txt");
}

static void refuses_nonsense(void **state)
{
	char out[4096];

	assert_ends(out, sizeof(out), "$LAB exec --steps /nowhere -- true 2>&1", 2);
	assert_says(out, "/nowhere: No such file");
	assert_ends(out, sizeof(out),
		    "echo 'at 1 vanish' > bad.txt; $LAB exec --steps bad.txt -- true 2>&1", 2);
	assert_says(out, "bad.txt:1: \"vanish\": expected is unplug, yank, plug");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disturbs_the_controller),
		cmocka_unit_test(a_step_that_is_left_is_told),
		cmocka_unit_test(refuses_nonsense),
	};

	if (argc != 2 || setenv("LAB", argv[1], 1) < 0) {
		fprintf(stderr, "usage: test_steps PATH-OF-BARRAGE-LAB\n");
		return 2;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
