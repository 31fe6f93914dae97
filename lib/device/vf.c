/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SR-IOV: the virtual functions of a physical one that is open here. vfio-pci hands out the virtual
 * functions of a function that it has itself only to those whom the user of that one trusts: who
 * know the token that it has set (linux/vfio.h, VFIO_DEVICE_FEATURE_PCI_VF_TOKEN).
 */

#include <ctype.h>
#include <errno.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "base.h"
#include "device.h"
#include "sysfs.h"

#define TOKEN_BYTES 16
#define TOKEN_TEXT  37 /* with hyphens, and the end */

/* From setting a token to using it. */
static pthread_mutex_t token_lock = PTHREAD_MUTEX_INITIALIZER;

static char shared_token[TOKEN_TEXT]; /* "": none */

static bool is_hyphen_at(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

int brg_device_set_vf_token(const char *uuid)
{
	size_t len = strlen(uuid);

	for (size_t i = 0; i < len && len == TOKEN_TEXT - 1; i++)
		if (is_hyphen_at(i) ? uuid[i] != '-' : !isxdigit((unsigned char)uuid[i]))
			len = 0;
	if (len != TOKEN_TEXT - 1)
		return brg_fail(EINVAL,
				"\"%s\" is no token for virtual functions: it is a UUID, as "
				"uuidgen prints",
				uuid);
	memcpy(shared_token, uuid, TOKEN_TEXT);
	return 0;
}

static unsigned int read_number(const struct brg_device *pf, const char *attribute)
{
	char line[32];

	if (brg_sysfs_read(line, sizeof(line), PCI_DEVICES "/%s/%s", pf->info.bdf, attribute))
		return 0;
	return strtoul(line, NULL, 10);
}

static int write_count(const struct brg_device *pf, unsigned int count)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", count);
	return brg_sysfs_write(text, PCI_DEVICES "/%s/sriov_numvfs", pf->info.bdf);
}

int brg_device_set_vfs(struct brg_device *pf, unsigned int count)
{
	unsigned int most = read_number(pf, "sriov_totalvfs");
	unsigned int now = read_number(pf, "sriov_numvfs");
	int rc = 0;

	if (!most)
		return brg_fail(ENOTSUP, "%s has no virtual functions (SR-IOV)", pf->info.bdf);
	if (count > most)
		return brg_fail(EINVAL, "%s has at most %u virtual functions, not %u", pf->info.bdf,
				most, count);
	if (now == count)
		return 0;
	if (now) /* one number is changed to another by way of none */
		rc = write_count(pf, 0);
	if (!rc && count)
		rc = write_count(pf, count);
	if (rc == -ENOENT)
		return brg_fail(EPERM,
				"vfio-pci does not enable virtual functions of %s; run: echo 1 > "
				"/sys/module/vfio_pci/parameters/enable_sriov",
				pf->info.bdf);
	if (rc)
		return brg_fail(-rc, "%s did not get %u virtual functions: %s", pf->info.bdf, count,
				strerror(-rc));
	return 0;
}

int brg_device_vf(const struct brg_device *pf, unsigned int index, char bdf[16])
{
	if (brg_sysfs_link(bdf, 16, PCI_DEVICES "/%s/virtfn%u", pf->info.bdf, index))
		return brg_fail(ENOENT, "%s has no virtual function %u; it has %u now",
				pf->info.bdf, index, read_number(pf, "sriov_numvfs"));
	return 0;
}

/* Whether the function is a virtual one whose physical one vfio-pci has as well. */
static bool needs_token(const struct brg_device *vf, char pf[16])
{
	char driver[32];

	return !brg_sysfs_link(pf, 16, PCI_DEVICES "/%s/physfn", vf->info.bdf) &&
	       !brg_sysfs_link(driver, sizeof(driver), PCI_DEVICES "/%s/driver", pf) &&
	       strstr(driver, "vfio");
}

static int set_token(int pf_fd, const unsigned char *token)
{
	union {
		struct vfio_device_feature feature;
		unsigned char bytes[sizeof(struct vfio_device_feature) + TOKEN_BYTES];
	} set = {
		.feature = {.argsz = sizeof(set.bytes),
			    .flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_PCI_VF_TOKEN},
	};

	memcpy(set.feature.data, token, TOKEN_BYTES);
	return ioctl(pf_fd, VFIO_DEVICE_FEATURE, &set) ? -errno : 0;
}

/*
 * Whoever is just binding the function has its lock, which the kernel does not wait for before it
 * resets the function (EAGAIN), and may not yet have told VFIO of it (ENODEV). Both pass.
 */
static int get_file(const struct brg_device *dev, const char *name)
{
	int fd = -1;

	for (unsigned int tries = 100; fd < 0 && tries; tries--) {
		fd = ioctl(brg_group_fd(dev->group), VFIO_GROUP_GET_DEVICE_FD, name);
		if (fd < 0 && ((errno != EAGAIN && errno != ENODEV) || tries == 1))
			return brg_fail(errno, "VFIO does not hand out %s: %s", dev->info.bdf,
					strerror(errno));
		if (fd < 0)
			usleep(10000);
	}
	return fd;
}

/* "0000:00:04.1 vf_token=UUID" */
static int open_with_token(const struct brg_device *dev, const char *token)
{
	char name[96];

	snprintf(name, sizeof(name), "%s vf_token=%s", dev->info.bdf, token);
	return get_file(dev, name);
}

/* A token that only this process knows, anew for each. */
static int open_with_own_token(const struct brg_device *vf, int pf_fd, const char *pf)
{
	unsigned char token[TOKEN_BYTES];
	char text[TOKEN_TEXT];
	size_t at = 0;
	int rc;

	if (getrandom(token, sizeof(token), 0) != sizeof(token))
		return brg_fail(EIO, "the kernel has no random bytes");
	rc = set_token(pf_fd, token);
	if (rc)
		return brg_fail(-rc, "%s takes no token for its virtual functions: %s", pf,
				strerror(-rc));
	for (int i = 0; i < TOKEN_BYTES; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%02x",
				       is_hyphen_at(at) ? "-" : "", token[i]);
	return open_with_token(vf, text);
}

/* Another process has set the token when it opened the physical function. */
static int open_shared(const struct brg_device *vf, const char *pf)
{
	int fd = open_with_token(vf, shared_token);

	if (fd == -EACCES)
		return brg_fail(EACCES,
				"%s is a virtual function of %s, which was opened with another "
				"token",
				vf->info.bdf, pf);
	return fd;
}

int brg_vf_open(const struct brg_device *dev)
{
	char pf[16];
	int fd, pf_fd;

	if (!needs_token(dev, pf)) /* but a physical one is told it here */
		return shared_token[0] && read_number(dev, "sriov_totalvfs")
			       ? open_with_token(dev, shared_token)
			       : get_file(dev, dev->info.bdf);
	if (shared_token[0])
		return open_shared(dev, pf);
	pf_fd = brg_group_find_fd(pf);
	if (pf_fd < 0)
		return brg_fail(EBUSY,
				"%s is a virtual function of %s, which vfio-pci has as well: open "
				"that first, in the same process, or set the token of the process "
				"that has it open",
				dev->info.bdf, pf);
	pthread_mutex_lock(&token_lock);
	fd = open_with_own_token(dev, pf_fd, pf);
	pthread_mutex_unlock(&token_lock);
	return fd;
}
