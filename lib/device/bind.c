/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Move a function between drivers: driver_override says which driver may have it, unbind takes it
 * from the present one, drivers_probe offers it to the new one. What a driver refuses goes back.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base.h"
#include "brg_device.h"
#include "sysfs.h"

static int may_write(const struct brg_device_info *info)
{
	char path[PATH_MAX];

	brg_sysfs_path(path, sizeof(path), PCI_DEVICES "/%s/driver_override", info->bdf);
	if (!faccessat(AT_FDCWD, path, W_OK, AT_EACCESS))
		return 0;
	if (errno == EROFS)
		return brg_fail(EPERM, "/sys is mounted read-only (a container?): bind %s outside",
				info->bdf);
	return brg_fail(EPERM, "only root may change the driver of %s", info->bdf);
}

/* Whether it may leave its driver: nobody would lose by it, and we are allowed to. */
static int may_leave(const struct brg_device_info *info)
{
	int rc = may_write(info);

	return rc ? rc : brg_device_in_use(info, NULL, 0);
}

static int driver_exists(const char *driver)
{
	char path[PATH_MAX];

	if (!driver[0] || strchr(driver, '/'))
		return brg_fail(EINVAL, "\"%s\" is not the name of a driver", driver);
	brg_sysfs_path(path, sizeof(path), PCI_DRIVERS "/%s", driver);
	if (access(path, F_OK))
		return brg_fail(ENOENT, "the kernel has no PCI driver %s now; run: modprobe %s",
				driver, driver);
	return 0;
}

/* "" when none is set; the kernel shows that as "(null)". */
static void read_override(const struct brg_device_info *info, char *driver, size_t size)
{
	if (brg_sysfs_read(driver, size, PCI_DEVICES "/%s/driver_override", info->bdf) ||
	    !strcmp(driver, "(null)"))
		driver[0] = 0;
}

static int write_override(const struct brg_device_info *info, const char *driver)
{
	/* A newline alone clears it. */
	return brg_sysfs_write(driver[0] ? driver : "\n", PCI_DEVICES "/%s/driver_override",
			       info->bdf);
}

static int unbind_from(const struct brg_device_info *info)
{
	int rc;

	if (!info->driver[0])
		return 0;
	rc = brg_sysfs_write(info->bdf, PCI_DRIVERS "/%s/unbind", info->driver);
	if (rc)
		return brg_fail(-rc, "%s would not let go of %s: %s", info->driver, info->bdf,
				strerror(-rc));
	return 0;
}

/*
 * A function that was just plugged in may be on its way to a driver already. Its link is there
 * before the driver has finished (the kernel's really_probe()), and drivers_probe then returns at
 * once. Two files wait for the function's lock, which its driver has meanwhile: since ef6dcbdd8eb2
 * (5.14) a driver's bind, which then says that the function is bound, and before that
 * driver_override.
 */
static void let_driver_finish(const struct brg_device_info *info, const char *driver)
{
	char override[64];

	read_override(info, override, sizeof(override));
	brg_sysfs_write(info->bdf, PCI_DRIVERS "/%s/bind", driver);
}

/* Which driver has the function, if any: "" and -ENODEV where none. */
static int read_driver(const struct brg_device_info *info, char *driver, size_t size)
{
	int rc = brg_sysfs_link(driver, size, PCI_DEVICES "/%s/driver", info->bdf);

	if (!rc) {
		let_driver_finish(info, driver);
		rc = brg_sysfs_link(driver, size, PCI_DEVICES "/%s/driver", info->bdf);
	}
	if (!rc)
		return 0;
	driver[0] = 0;
	return -ENODEV;
}

/* Whether a driver took it shows in the device's own link, not in what the write returns. */
static int probe(const struct brg_device_info *info, char *driver, size_t size)
{
	int rc = brg_sysfs_write(info->bdf, "/sys/bus/pci/drivers_probe");

	if (!read_driver(info, driver, size))
		return 0;
	return rc ? rc : -ENODEV;
}

/* One that the kernel or the function does not have needs no change. */
static int write_attribute(const struct brg_device_info *info, const char *name, const char *text)
{
	int rc = brg_sysfs_write(text, PCI_DEVICES "/%s/%s", info->bdf, name);

	return rc == -ENOENT ? 0 : rc;
}

/* Whether it is enabled although nobody has it open: see brg_device_keep_ready(). */
static bool is_kept_ready(const struct brg_device_info *info)
{
	char enables[16];

	return strstr(info->driver, "vfio") &&
	       !brg_sysfs_read(enables, sizeof(enables), PCI_DEVICES "/%s/enable", info->bdf) &&
	       strcmp(enables, "0") != 0;
}

/* As functions usually are. While no driver has it: else "enable" cannot be written (6f5cdfa80273,
 * 5.2). */
static void let_rest(const struct brg_device_info *info)
{
	write_attribute(info, "enable", "0");
	write_attribute(info, "power/control", "auto");
	write_attribute(info, "reset_method", "default");
}

/* Put back what was before: the override, and the driver that the function had. */
static void restore(const struct brg_device_info *info, const char *override, char *now,
		    size_t size)
{
	char driver[32] = "";

	/* Whatever else would match now, only the old driver is to have it. */
	write_override(info, info->driver);
	if (info->driver[0])
		probe(info, driver, sizeof(driver));
	write_override(info, override);
	if (driver[0])
		snprintf(now, size, "it is back with %s", driver);
	else
		snprintf(now, size, "it has no driver now");
}

static int move_to(const struct brg_device_info *info, const char *driver, const char *override)
{
	char now[64];
	char got[32];
	int rc;

	rc = write_override(info, driver);
	if (rc)
		return brg_fail(-rc, "cannot set driver_override of %s: %s", info->bdf,
				strerror(-rc));
	rc = unbind_from(info);
	if (rc) {
		write_override(info, override);
		return rc;
	}
	if (is_kept_ready(info))
		let_rest(info);
	rc = probe(info, got, sizeof(got));
	if (!rc && (!driver[0] || !strcmp(got, driver)))
		return 0;

	restore(info, override, now, sizeof(now));
	if (!driver[0])
		return brg_fail(EIO, "no driver of the kernel wants %s; %s", info->bdf, now);
	if (info->iommu_group < 0 && strstr(driver, "vfio"))
		return brg_fail(EIO,
				"%s refused %s, which is behind no IOMMU; %s; turn the IOMMU on in "
				"the firmware and boot with intel_iommu=on or its equal",
				driver, info->bdf, now);
	return brg_fail(EIO, "%s refused %s (%s); %s; the kernel log has the reason", driver,
			info->bdf, strerror(-rc), now);
}

int brg_device_bind(const char *bdf, const char *driver)
{
	struct brg_device_info info;
	char override[64];
	int rc;

	rc = brg_device_info_get(bdf, &info);
	if (rc)
		return rc;
	read_driver(&info, info.driver, sizeof(info.driver));
	read_override(&info, override, sizeof(override));
	if (driver ? !strcmp(driver, info.driver) : info.driver[0] && !override[0])
		return 0;

	if (driver) {
		rc = driver_exists(driver);
		if (rc)
			return rc;
	}
	rc = may_leave(&info);
	if (rc)
		return rc;
	return move_to(&info, driver ? driver : "", override);
}

int brg_device_unbind(const char *bdf)
{
	struct brg_device_info info;
	int rc;

	rc = brg_device_info_get(bdf, &info);
	if (rc)
		return rc;
	rc = may_leave(&info);
	if (rc)
		return rc;
	rc = unbind_from(&info);
	if (rc)
		return rc;
	if (is_kept_ready(&info))
		let_rest(&info);
	/* Left set, it would keep the function from its own driver for ever. */
	rc = write_override(&info, "");
	if (rc)
		return brg_fail(-rc, "cannot clear driver_override of %s: %s", info.bdf,
				strerror(-rc));
	return 0;
}

/* Between two drivers, which are the same: nobody else is to have it, also where it was bound by
 * its identifiers (new_id). */
static int make_ready(const struct brg_device_info *info)
{
	char override[64], driver[32];
	bool back;
	int rc;

	read_override(info, override, sizeof(override));
	rc = write_override(info, info->driver);
	if (rc)
		return brg_fail(-rc, "cannot set driver_override of %s: %s", info->bdf,
				strerror(-rc));
	rc = unbind_from(info);
	if (rc) {
		write_override(info, override);
		return rc;
	}
	rc = write_attribute(info, "enable", "1");
	if (!rc)
		rc = write_attribute(info, "reset_method", "\n");
	back = !probe(info, driver, sizeof(driver)) && !strcmp(driver, info->driver);
	write_override(info, override);
	if (!back)
		return brg_fail(EIO, "%s did not take %s back; the kernel log has the reason",
				info->driver, info->bdf);
	if (!rc) /* the driver has just set it to "auto" */
		rc = write_attribute(info, "power/control", "on");
	return rc ? brg_fail(-rc, "%s cannot be kept ready: %s", info->bdf, strerror(-rc)) : 0;
}

int brg_device_keep_ready(const char *bdf)
{
	struct brg_device_info info;
	int rc;

	rc = brg_device_info_get(bdf, &info);
	if (rc)
		return rc;
	if (!strstr(info.driver, "vfio"))
		return brg_fail(EINVAL, "%s is not bound to vfio-pci; run: barrage bind %s",
				info.bdf, info.bdf);
	rc = may_leave(&info); /* who has it open has it enabled, too */
	if (!rc && !is_kept_ready(&info))
		rc = make_ready(&info);
	return rc;
}
