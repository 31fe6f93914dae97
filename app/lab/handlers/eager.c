// SPDX-License-Identifier: GPL-2.0-only
/*
 * No faults at all, as Jason Gunthorpe suggested on the kvm list in March and on 28 June 2021, in
 * the threads of "vfio/pci: Handle concurrent vma faults": fill a mapping when it becomes valid,
 * zap it when it turns invalid, and let every fault be a SIGBUS. Nothing was merged: it was to be
 * done with an address space of the device's own (see address-space.c), but io_remap_pfn_range()
 * may allocate and so must not be called under the lock of that. This keeps a list of VMAs instead.
 *
 * A mapping is valid while the function decodes memory accesses and is in neither D3 nor low power.
 * It can become valid through mmap() itself, a write to config space (command register, PM control,
 * function-level reset), a reset or hot reset, the end of low power, and SR-IOV, which wakes the
 * function. After each of these, what is empty is filled if it may be: the stock code of them is
 * left alone, and whether it has changed anything is looked up under the locks.
 *
 * Lock order is the stock one: mmap_lock, vma_lock, memory_lock. A fill after mmap() has to find
 * the mm first and then start over from its mmap_lock, as the stock zap does.
 *
 * What is wrong with it: mmap() pays for pages that may never be touched, and so does every return
 * of memory decode, for all mappings of all processes. A thread that touches a mapping while it is
 * invalid gets a SIGBUS where a fault handler could have waited.
 *
 * Replaces: vfio_pci_zap_and_vma_lock __vfio_pci_add_vma vfio_pci_mmap_open vfio_pci_mmap_close
 * Replaces: vfio_pci_mmap_fault vfio_pci_mmap_ops
 * Wraps: vfio_pci_core_mmap vfio_pci_rw vfio_pci_ioctl_reset vfio_pci_dev_set_hot_reset
 * Wraps: vfio_pci_runtime_pm_exit vfio_pci_core_runtime_resume vfio_pci_core_sriov_configure
 */
#include "fill.h"

/* An element of vdev->vma_list: every mapping of a BAR is on it, from mmap() to munmap(). */
struct eager_vma {
	struct vm_area_struct *vma;
	struct list_head next;
	enum eager_state {
		EMPTY, /* to be filled as soon as it may be */
		FILLED,
		FAILED, /* empty as well, until it has been invalid and becomes valid again */
	} state;
};

/* Caller holds vma_lock. */
static struct eager_vma *eager_find(struct vfio_pci_core_device *vdev, struct vm_area_struct *vma)
{
	struct eager_vma *e;

	list_for_each_entry(e, &vdev->vma_list, next) {
		if (e->vma == vma)
			return e;
	}
	return NULL;
}

/* Put an empty one on the list. Caller holds vma_lock. NULL: no memory. */
static struct eager_vma *eager_add(struct vfio_pci_core_device *vdev, struct vm_area_struct *vma,
				   gfp_t gfp)
{
	struct eager_vma *e = kzalloc(sizeof(*e), gfp);

	if (e) {
		e->vma = vma;
		list_add(&e->next, &vdev->vma_list);
	}
	return e;
}

static void eager_remove(struct eager_vma *e)
{
	list_del(&e->next);
	kfree(e);
}

/* Caller holds memory_lock. */
static bool eager_valid(struct vfio_pci_core_device *vdev)
{
	return !vdev->pm_runtime_engaged && __vfio_pci_memory_enabled(vdev);
}

static void eager_zap(struct vm_area_struct *vma)
{
	zap_vma_ptes(vma, vma->vm_start, vma->vm_end - vma->vm_start);
}

/* Caller holds mmap_lock for writing, vma_lock, and memory_lock of a valid mapping. */
static void eager_fill(struct eager_vma *e)
{
	e->state = FILLED;
	if (fill_vma(e->vma)) {
		eager_zap(e->vma);
		e->state = FAILED;
	}
}

/* The same without memory_lock, whether or not the mapping is valid. */
static void eager_fill_if_valid(struct vfio_pci_core_device *vdev, struct eager_vma *e)
{
	down_read(&vdev->memory_lock);
	if (eager_valid(vdev))
		eager_fill(e);
	up_read(&vdev->memory_lock);
}

/*
 * An mm with VMAs in this state, to be put by the caller; NULL: there is none. An mm that nobody
 * uses any more is about to unmap all it has. Caller holds vma_lock.
 */
static struct mm_struct *eager_mm(struct vfio_pci_core_device *vdev, enum eager_state state)
{
	struct eager_vma *e, *next;

	list_for_each_entry_safe(e, next, &vdev->vma_list, next) {
		if (e->state != state)
			continue;
		if (mmget_not_zero(e->vma->vm_mm))
			return e->vma->vm_mm;
		eager_remove(e);
	}
	return NULL;
}

/* Fill all that is empty, if it may be. Caller holds none of the three locks. */
static void eager_fill_all(struct vfio_pci_core_device *vdev)
{
	struct eager_vma *e;
	struct mm_struct *mm;
	bool valid;

	do {
		mutex_lock(&vdev->vma_lock);
		mm = eager_mm(vdev, EMPTY);
		mutex_unlock(&vdev->vma_lock);
		if (!mm)
			return;

		mmap_write_lock(mm);
		mutex_lock(&vdev->vma_lock);
		down_read(&vdev->memory_lock);
		valid = eager_valid(vdev);
		list_for_each_entry(e, &vdev->vma_list, next) {
			if (valid && e->state == EMPTY && e->vma->vm_mm == mm)
				eager_fill(e);
		}
		up_read(&vdev->memory_lock);
		mutex_unlock(&vdev->vma_lock);
		mmap_write_unlock(mm);
		mmput(mm);
	} while (valid);
}

static bool eager_lock_vmas(struct vfio_pci_core_device *vdev, bool try)
{
	if (try)
		return mutex_trylock(&vdev->vma_lock);
	mutex_lock(&vdev->vma_lock);
	return true;
}

/* For writing: munmap() has its lock for reading only while it takes entries away. */
static bool eager_lock_mm(struct mm_struct *mm, bool try)
{
	if (try)
		return mmap_write_trylock(mm);
	mmap_write_lock(mm);
	return true;
}

/* Zap what an mm has. False on contention (only with @try). */
static bool eager_zap_mm(struct vfio_pci_core_device *vdev, struct mm_struct *mm, bool try)
{
	struct eager_vma *e;
	bool locked;

	if (!eager_lock_mm(mm, try))
		return false;
	locked = eager_lock_vmas(vdev, try);
	if (locked) {
		list_for_each_entry(e, &vdev->vma_list, next) {
			if (e->state == FILLED && e->vma->vm_mm == mm) {
				eager_zap(e->vma);
				e->state = EMPTY;
			}
		}
		mutex_unlock(&vdev->vma_lock);
	}
	mmap_write_unlock(mm);
	return locked;
}

/* Returns 1 with everything zapped and vma_lock held, 0 on contention (only with @try). */
static int vfio_pci_zap_and_vma_lock(struct vfio_pci_core_device *vdev, bool try)
{
	struct eager_vma *e;
	struct mm_struct *mm;
	bool zapped = true;

	while (zapped && eager_lock_vmas(vdev, try)) {
		mm = eager_mm(vdev, FILLED);
		if (!mm) {
			list_for_each_entry(e, &vdev->vma_list, next)
				e->state = EMPTY; /* what failed has another chance */
			return 1;
		}
		mutex_unlock(&vdev->vma_lock);
		zapped = eager_zap_mm(vdev, mm, try);
		mmput(mm);
	}
	return 0;
}

/* What an mm has mapped at least all over @vma's range. Caller holds vma_lock. */
static struct eager_vma *eager_around(struct vfio_pci_core_device *vdev, struct mm_struct *mm,
				      struct vm_area_struct *vma)
{
	struct eager_vma *e;

	list_for_each_entry(e, &vdev->vma_list, next) {
		if (e->vma->vm_mm == mm && e->vma->vm_start <= vma->vm_start &&
		    e->vma->vm_end >= vma->vm_end)
			return e;
	}
	return NULL;
}

/*
 * A copy of a VMA has been made: a part that is split off, a forked child's, or the target of
 * mremap(). In all three the mmap_locks are held for writing until the copy is whole, so that
 * nothing is zapped or filled in between.
 *
 * A part has the entries of what it is split from. A child has those of its parent: they are copied
 * before this is called or, with 35e351780fa9, after it. mremap() moves entries to where there is
 * nothing, after this, and says when it has done so.
 */
static void vfio_pci_mmap_open(struct vm_area_struct *vma)
{
	struct vfio_pci_core_device *vdev = vma->vm_private_data;
	struct eager_vma *from, *e;

	mutex_lock(&vdev->vma_lock);
	from = eager_around(vdev, vma->vm_mm, vma);
	if (!from)
		from = eager_around(vdev, current->mm, vma);
	e = eager_add(vdev, vma, GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	if (from)
		e->state = from->state;
	mutex_unlock(&vdev->vma_lock);
}

static int vfio_pci_mmap_mremap(struct vm_area_struct *vma)
{
	struct vfio_pci_core_device *vdev = vma->vm_private_data;

	mutex_lock(&vdev->vma_lock);
	eager_zap(vma);
	eager_fill_if_valid(vdev, eager_find(vdev, vma));
	mutex_unlock(&vdev->vma_lock);
	return 0;
}

static void vfio_pci_mmap_close(struct vm_area_struct *vma)
{
	struct vfio_pci_core_device *vdev = vma->vm_private_data;
	struct eager_vma *e;

	mutex_lock(&vdev->vma_lock);
	e = eager_find(vdev, vma);
	if (e)
		eager_remove(e);
	mutex_unlock(&vdev->vma_lock);
}

static vm_fault_t vfio_pci_mmap_fault(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

static const struct vm_operations_struct vfio_pci_mmap_ops = {
	.open = vfio_pci_mmap_open,
	.close = vfio_pci_mmap_close,
	.mremap = vfio_pci_mmap_mremap,
	.fault = vfio_pci_mmap_fault,
};

int vfio_pci_core_mmap(struct vfio_device *core_vdev, struct vm_area_struct *vma)
{
	struct vfio_pci_core_device *vdev =
		container_of(core_vdev, struct vfio_pci_core_device, vdev);
	int ret = stock_vfio_pci_core_mmap(core_vdev, vma);
	struct eager_vma *e;

	if (ret || vma->vm_ops != &vfio_pci_mmap_ops)
		return ret; /* refused, or a region that is no BAR and has its own ways */

	mutex_lock(&vdev->vma_lock);
	e = eager_add(vdev, vma, GFP_KERNEL_ACCOUNT);
	if (e)
		eager_fill_if_valid(vdev, e);
	if (e && e->state == FAILED) {
		eager_remove(e);
		e = NULL;
	}
	mutex_unlock(&vdev->vma_lock);
	return e ? 0 : -ENOMEM;
}

static ssize_t vfio_pci_rw(struct vfio_pci_core_device *vdev, char __user *buf, size_t count,
			   loff_t *ppos, bool iswrite)
{
	bool config = VFIO_PCI_OFFSET_TO_INDEX(*ppos) == VFIO_PCI_CONFIG_REGION_INDEX;
	ssize_t ret = stock_vfio_pci_rw(vdev, buf, count, ppos, iswrite);

	if (config && iswrite)
		eager_fill_all(vdev);
	return ret;
}

static int vfio_pci_ioctl_reset(struct vfio_pci_core_device *vdev, void __user *arg)
{
	int ret = stock_vfio_pci_ioctl_reset(vdev, arg);

	eager_fill_all(vdev);
	return ret;
}

/* Not one device alone is reset, and if the reset was refused, some may have been zapped. */
static int vfio_pci_dev_set_hot_reset(struct vfio_device_set *dev_set,
				      struct vfio_pci_group_info *groups)
{
	int ret = stock_vfio_pci_dev_set_hot_reset(dev_set, groups);
	struct vfio_pci_core_device *vdev;

	mutex_lock(&dev_set->lock);
	list_for_each_entry(vdev, &dev_set->device_list, vdev.dev_set_list)
		eager_fill_all(vdev);
	mutex_unlock(&dev_set->lock);
	return ret;
}

static void vfio_pci_runtime_pm_exit(struct vfio_pci_core_device *vdev)
{
	stock_vfio_pci_runtime_pm_exit(vdev);
	eager_fill_all(vdev);
}

/* A device that wakes by itself ends low power if its user asked for that. */
static int vfio_pci_core_runtime_resume(struct device *dev)
{
	int ret = stock_vfio_pci_core_runtime_resume(dev);

	eager_fill_all(dev_get_drvdata(dev));
	return ret;
}

int vfio_pci_core_sriov_configure(struct vfio_pci_core_device *vdev, int nr_virtfn)
{
	int ret = stock_vfio_pci_core_sriov_configure(vdev, nr_virtfn);

	eager_fill_all(vdev);
	return ret;
}
