/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage vf: the virtual functions of a controller. vfio-pci resets a physical function that is
 * closed, which takes its secondary controllers offline (Base 8.26.3), and hands out its virtual
 * functions only to who knows the token of the process that has it open. So enabling them is not
 * something that is done and over: `barrage vf enable` stays as their owner.
 */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"
#include "options.h"
#include "session.h"
#include "table.h"
#include "text.h"

static const char list_doc[] =
	"List the virtual functions (SR-IOV) of an NVMe controller, each with its secondary "
	"controller, its queues and interrupts, its driver and who uses it.\v"
	"Commands:\n"
	"  enable      have virtual functions, as long as it runs\n"
	"  disable     take away what is left of them\n\n"
	"Examples:\n"
	"  barrage vf 0000:00:04.0\n"
	"  barrage vf enable --count 2 0000:00:04.0\n"
	"  barrage vf disable 0000:00:04.0";

static const char enable_doc[] =
	"Have so many virtual functions of a controller that is bound to vfio-pci, give each "
	"queues and interrupts, bring its secondary controller online, and stay as their owner "
	"until interrupted (Ctrl-C): they need the physical function open. Others open them with "
	"the token that is printed: barrage with BARRAGE_VF_TOKEN in its environment, QEMU and "
	"DPDK with vf-token options.\v"
	"Examples:\n"
	"  barrage vf enable --count 2 0000:00:04.0\n"
	"  barrage vf enable --count 4 --queues 3 --interrupts 2 --json 0000:00:04.0\n"
	"  BARRAGE_VF_TOKEN=$(uuidgen) barrage vf enable --count 1 0000:00:04.0";

static const char disable_doc[] =
	"Take away the virtual functions that an owner who was killed has left, or the kernel's "
	"driver has made. Whoever uses one would lose it, and so that is refused.\v"
	"Example:\n"
	"  barrage vf disable --yes 0000:00:04.0";

#define DEVICES	 "/sys/bus/pci/devices"
#define MOST_VFS NVME_ID_SECONDARY_CTRL_MAX

static struct {
	const char *bdf;
	uint64_t count, queues, interrupts;
	bool yes, json;
} opt;

/* What a controller says of its secondary ones. */
struct secondaries {
	struct nvme_primary_ctrl_cap cap;
	struct nvme_secondary_ctrl_list list;
};

static unsigned int sysfs_number(const char *bdf, const char *attribute)
{
	char *path = format(DEVICES "/%s/%s", bdf, attribute), *line = first_line(path);
	unsigned int value = (unsigned int)strtoul(line, NULL, 10);

	free(line);
	free(path);
	return value;
}

/* Virtual function @p i of a function that may not be open here. @return whether there is one. */
static bool find_vf(const char *bdf, unsigned int i, struct brg_device_info *info)
{
	char *path = format(DEVICES "/%s/virtfn%u", bdf, i), *target = realpath(path, NULL);
	const char *name = target ? strrchr(target, '/') : NULL;
	bool found = name && !brg_device_info_get(name + 1, info);

	free(path);
	free(target);
	return found;
}

static int identify(struct brg_nvme_ctrl *ctrl, struct secondaries *s)
{
	const struct brg_nvme_identify cap = {.cns = NVME_IDENTIFY_CNS_PRIMARY_CTRL_CAP};
	const struct brg_nvme_identify list = {.cns = NVME_IDENTIFY_CNS_SECONDARY_CTRL_LIST};
	int err = brg_nvme_identify(ctrl, &cap, &s->cap);

	if (!err)
		err = brg_nvme_identify(ctrl, &list, &s->list);
	if (s->list.num > MOST_VFS)
		s->list.num = MOST_VFS;
	return err;
}

/* Functions are counted from 1 there. */
static const struct nvme_secondary_ctrl *secondary_of(const struct secondaries *s, unsigned int vf)
{
	for (unsigned int i = 0; i < s->list.num; i++)
		if (s->list.sc_entry[i].vfn == vf + 1)
			return &s->list.sc_entry[i];
	return NULL;
}

/* One virtual function; what the controller or the kernel does not tell is null. */
static json_t *vf_json(const char *bdf, unsigned int i, const struct secondaries *s)
{
	const struct nvme_secondary_ctrl *c = s ? secondary_of(s, i) : NULL;
	struct brg_device_info info;
	bool there = find_vf(bdf, i, &info);
	char what[256];
	json_t *json =
		json_pack("{s:I, s:s?}", "function", (json_int_t)i, "bdf", there ? info.bdf : NULL);

	json_object_set_new(json, "cntlid", c ? json_integer(c->scid) : json_null());
	json_object_set_new(json, "state",
			    c ? json_string(c->scs & 1 ? "online" : "offline") : json_null());
	json_object_set_new(json, "queues", c ? json_integer(c->nvq) : json_null());
	json_object_set_new(json, "interrupts", c ? json_integer(c->nvi) : json_null());
	json_object_set_new(json, "driver",
			    there && info.driver[0] ? json_string(info.driver) : json_null());
	json_object_set_new(json, "in_use",
			    there && brg_device_in_use(&info, what, sizeof(what))
				    ? json_string(what)
				    : json_null());
	return json;
}

static void cell(struct table *t, const json_t *vf, const char *key)
{
	const json_t *value = json_object_get(vf, key);

	if (json_is_integer(value))
		table_cell(t, "%lld", json_integer_value(value));
	else
		table_cell(t, "%s", json_is_string(value) ? json_string_value(value) : "-");
}

static void print_vfs(json_t *vfs)
{
	static const char *const heads[] = {">function", "address", "controller",
					    "state",	 ">queues", ">interrupts",
					    "driver",	 "in use",  NULL};
	static const char *const keys[] = {"function", "bdf",	     "cntlid", "state",
					   "queues",   "interrupts", "driver", "in_use"};
	struct table *t = table_new(heads);
	json_t *vf;
	size_t i;

	json_array_foreach (vfs, i, vf)
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			cell(t, vf, keys[k]);
	table_print(t, stdout);
	table_free(t);
}

/* All that there can be: those that there are not, too, have secondary controllers. */
static int report(const char *bdf, const struct secondaries *s, const char *token,
		  const char *why_not)
{
	unsigned int most = sysfs_number(bdf, "sriov_totalvfs");
	unsigned int now = sysfs_number(bdf, "sriov_numvfs");
	json_t *vfs = json_array();

	for (unsigned int i = 0; i < (token ? now : most); i++)
		json_array_append_new(vfs, vf_json(bdf, i, s));
	if (opt.json)
		return print_json(json_pack("{s:s, s:I, s:I, s:s?, s:s?, s:o}", "bdf", bdf, "count",
					    (json_int_t)now, "most", (json_int_t)most, "token",
					    token, "why_not", why_not, "functions", vfs));
	printf("%s: %u of %u virtual functions\n", bdf, now, most);
	if (s)
		printf("%s: %" PRIu32 " queues and %" PRIu32
		       " interrupts for them, of which each takes up to %u and %u\n",
		       bdf, s->cap.vqfrt, s->cap.vifrt, s->cap.vqfrsm, s->cap.vifrsm);
	if (why_not)
		printf("%s: the controller cannot be asked: %s\n", bdf, why_not);
	if (token)
		printf("%s: BARRAGE_VF_TOKEN=%s\n", bdf, token);
	print_vfs(vfs);
	json_decref(vfs);
	return 0;
}

static int list(struct brg_nvme_ctrl *ctrl, void *arg)
{
	struct secondaries s = {0};
	int err = identify(ctrl, &s);

	return err ? err : report(session_bdf(), &s, NULL, NULL);
}

/* Of a controller that another process or driver has, the kernel still tells something. */
static int list_vfs(void)
{
	struct brg_device_info info;
	struct brg_device *dev;
	char why_not[512];

	if (brg_device_info_get(opt.bdf, &info))
		errx(EXIT_FAILURE, "%s", brg_errmsg());
	if (!sysfs_number(info.bdf, "sriov_totalvfs"))
		errx(EXIT_FAILURE, "%s has no virtual functions (SR-IOV)", info.bdf);
	if (brg_device_open(info.bdf, &dev)) {
		snprintf(why_not, sizeof(why_not), "%s", brg_errmsg());
		return report(info.bdf, NULL, NULL, why_not);
	}
	brg_device_close(dev);
	return session_run(opt.bdf, list, NULL);
}

/* Somebody who uses a virtual function would hold up whoever takes it away. */
static bool any_in_use(const char *bdf)
{
	struct brg_device_info info;

	for (unsigned int i = 0; find_vf(bdf, i, &info); i++) {
		if (!brg_device_in_use(&info, NULL, 0))
			continue;
		warnx("%s", brg_errmsg());
		return true;
	}
	return false;
}

/*
 * Flexible resources of one kind: what is asked for, or an equal share of what there is. The
 * primary controller may have taken some for itself.
 */
static int share(const char *what, uint64_t asked, uint64_t least, uint32_t total, uint16_t taken,
		 uint16_t most_each, uint16_t *each)
{
	uint64_t there = total > taken ? total - taken : 0;
	uint64_t most = there / opt.count < most_each ? there / opt.count : most_each;

	*each = (uint16_t)(asked ? asked : most);
	if (*each <= most && *each >= least)
		return 0;
	warnx("%s: %u %s for each of %" PRIu64 " virtual functions: each needs %" PRIu64
	      ", and there are %" PRIu64 " in all, up to %u for one",
	      session_bdf(), *each, what, opt.count, least, there, most_each);
	return 1;
}

/* The controller first: how many of what each gets. */
static int make_vfs(struct brg_nvme_ctrl *ctrl)
{
	struct brg_device *pf = session_device();
	struct secondaries s = {0};
	uint16_t queues, interrupts;
	int err = identify(ctrl, &s);

	if (err)
		return err;
	/* The admin queue is one of them. */
	if (share("queues", opt.queues, 2, s.cap.vqfrt, s.cap.vqrfap, s.cap.vqfrsm, &queues) ||
	    share("interrupts", opt.interrupts, 1, s.cap.vifrt, s.cap.virfap, s.cap.vifrsm,
		  &interrupts))
		return 1;
	/* What the reset of an owner who was killed has left of them is dead: make them anew. */
	err = brg_device_set_vfs(pf, 0);
	if (!err)
		err = brg_device_set_vfs(pf, (unsigned int)opt.count);
	for (unsigned int i = 0; !err && i < opt.count; i++) {
		const struct nvme_secondary_ctrl *c = secondary_of(&s, i);
		char vf[16];

		if (!c) {
			warnx("%s has no secondary controller for virtual function %u",
			      session_bdf(), i);
			return 1;
		}
		err = brg_nvme_secondary_online(ctrl, c->scid, queues, interrupts);
		if (!err)
			err = brg_device_vf(pf, i, vf);
		if (!err) /* vfio-pci has it, unless the kernel was told not to probe them */
			err = brg_device_bind(vf, "vfio-pci");
	}
	return err;
}

/* Until a signal, or until somebody wants the function back. @return whether that was it. */
static bool hold(int signals, int request)
{
	struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
			       {.fd = request, .events = POLLIN}};

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			err(EXIT_FAILURE, "poll");
	return fds[1].revents;
}

/* Those who still have one are asked by the kernel to let go, and waited for. */
static int take_away(struct brg_nvme_ctrl *ctrl)
{
	struct brg_device *pf = session_device();
	struct secondaries s = {0};
	int err;

	any_in_use(brg_device_get_info(pf)->bdf);
	err = brg_device_set_vfs(pf, 0);
	if (!err)
		err = identify(ctrl, &s);
	for (unsigned int i = 0; !err && i < s.list.num; i++)
		if (s.list.sc_entry[i].scs & 1)
			err = brg_nvme_secondary_offline(ctrl, s.list.sc_entry[i].scid);
	return err;
}

static int own(struct brg_nvme_ctrl *ctrl, void *arg)
{
	struct brg_device *pf = session_device();
	struct secondaries s = {0};
	int signals = *(int *)arg, request = brg_device_request_fd(pf), undone;
	int err = request < 0 ? request : make_vfs(ctrl);

	if (!err)
		err = identify(ctrl, &s);
	if (!err)
		err = report(brg_device_get_info(pf)->bdf, &s, getenv("BARRAGE_VF_TOKEN"), NULL);
	fflush(stdout); /* whoever reads a pipe waits for it */
	/* The kernel takes them away itself then, and holds the lock that doing so here takes. */
	if (!err && hold(signals, request)) {
		warnx("%s: the kernel wants it back, as it is unplugged or unbound", session_bdf());
		return 1;
	}
	if (err < 0) {
		warnx("%s", brg_errmsg());
		err = 1; /* what follows has errors of its own */
	}
	undone = take_away(ctrl);
	return undone ? undone : err;
}

/* From now on they are read, not obeyed: what was made is to be taken away again. */
static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* The environment's, or one that the kernel makes up. */
static void choose_token(void)
{
	char *token;

	if (getenv("BARRAGE_VF_TOKEN"))
		return;
	token = first_line("/proc/sys/kernel/random/uuid");
	if (brg_device_set_vf_token(token))
		errx(EXIT_FAILURE, "%s", brg_errmsg());
	setenv("BARRAGE_VF_TOKEN", token, 1);
	free(token);
}

static int enable_vfs(void)
{
	struct brg_device_info info;
	int signals = block_signals();

	if (signals < 0)
		err(EXIT_FAILURE, "signals");
	if (brg_device_info_get(opt.bdf, &info))
		errx(EXIT_FAILURE, "%s", brg_errmsg());
	if (any_in_use(info.bdf))
		return EXIT_FAILURE;
	choose_token();
	return session_run(opt.bdf, own, &signals);
}

static int disable_vfs(void)
{
	struct brg_device_info info;
	struct brg_device *pf;
	unsigned int now;
	int err = 0;

	if (session_open_device(opt.bdf, &pf))
		return EXIT_FAILURE;
	info = *brg_device_get_info(pf);
	now = sysfs_number(info.bdf, "sriov_numvfs");
	if (any_in_use(info.bdf) ||
	    (now && !session_confirm(opt.yes, "take away the %u virtual functions of %s", now,
				     info.bdf))) {
		brg_device_close(pf);
		return EXIT_FAILURE;
	}
	if (now)
		err = brg_device_set_vfs(pf, 0);
	if (err)
		warnx("%s", brg_errmsg());
	brg_device_close(pf);
	if (err)
		return EXIT_FAILURE;
	if (opt.json)
		return print_json(
			json_pack("{s:s, s:I}", "bdf", info.bdf, "disabled", (json_int_t)now));
	printf("%s: %u virtual functions are gone\n", info.bdf, now);
	return EXIT_SUCCESS;
}

static int cmd_enable(int argc, char **argv)
{
	static const struct option_spec options[] = {
		NUMBER("count", 'c', "N", "how many", &opt.count, 1, MOST_VFS),
		NUMBER("queues", 'q', "N",
		       "queues of each, the admin queue's included (default: an equal share)",
		       &opt.queues, 2, UINT16_MAX),
		NUMBER("interrupts", 'i', "N",
		       "interrupt vectors of each (default: an equal share)", &opt.interrupts, 1,
		       UINT16_MAX),
		JSON_FLAG(&opt.json),
		{0},
	};
	static const struct command_line line = {enable_doc, "BDF", "", options};

	parse_line(&line, argc, argv, &opt.bdf);
	if (!opt.count)
		errx(CLI_USAGE, "vf enable: how many? Say so with --count");
	return enable_vfs();
}

static int cmd_disable(int argc, char **argv)
{
	static const struct option_spec options[] = {
		FLAG("yes", 'y', "do not ask before they are gone", &opt.yes),
		JSON_FLAG(&opt.json),
		{0},
	};
	static const struct command_line line = {disable_doc, "BDF", "", options};

	parse_line(&line, argc, argv, &opt.bdf);
	return disable_vfs();
}

int cmd_vf(int argc, char **argv)
{
	static const struct option_spec options[] = {JSON_FLAG(&opt.json), {0}};
	static const struct command_line line = {list_doc, "BDF", "", options};
	static char enable[] = "barrage vf enable", disable[] = "barrage vf disable";

	if (argc > 1 && !strcmp(argv[1], "enable")) {
		argv[1] = enable;
		return cmd_enable(argc - 1, argv + 1);
	}
	if (argc > 1 && !strcmp(argv[1], "disable")) {
		argv[1] = disable;
		return cmd_disable(argc - 1, argv + 1);
	}
	parse_line(&line, argc, argv, &opt.bdf);
	return list_vfs();
}
