// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fault handler of Linux 6.10 and 6.11, on the vfio-pci of Linux 6.1: commits aac6db75a9fc
 * ("vfio/pci: Use unmap_mapping_range()") and d71a989cf5d9 ("vfio/pci: Insert full vma on mmap'd
 * MMIO fault").
 *
 * No list of VMAs is kept. Mappings of a BAR are found by their range of the device file's address
 * space, as those of any file are, and so vma_lock is gone with the list. Faults run in parallel:
 * they hold memory_lock for reading, and what takes the memory away from the user holds it for
 * writing while it zaps. A page that is there already is no error, and neither is one that cannot
 * be had in advance: it faults again when it is needed.
 *
 * What is wrong with it: every page goes through the page tables from the top, and of threads that
 * touch a mapping together each does all of it. Linux 6.12 maps 2 MiB or 1 GiB at once instead.
 *
 * What differs here: b7c5e64fecfa gave each device file an inode, hence an address space, of its
 * own. In 6.1 all of them share one, with every other anonymous inode of the machine. A mapping of
 * a BAR gets page offsets there that nobody else uses: those of a window far above all others, at
 * the BAR's place in memory.
 *
 * Replaces: vfio_pci_zap_and_vma_lock vfio_pci_zap_and_down_write_memory_lock __vfio_pci_add_vma
 * Replaces: vfio_pci_mmap_open vfio_pci_mmap_close vfio_pci_mmap_fault vfio_pci_mmap_ops
 * Replaces: vfio_pci_dev_set_hot_reset
 * Wraps: vfio_pci_core_mmap
 */
#include "fill.h"

/* Where the window starts, in pages: 2^62 bytes. A page frame's number is below 2^40. */
#define BAR_WINDOW (1UL << 50)

/* The address space of anonymous inodes; NULL as long as nothing has been mapped. */
static struct address_space *bar_mapping;

static void zap_bars(struct vfio_pci_core_device *vdev)
{
	struct address_space *mapping = READ_ONCE(bar_mapping);

	for (int bar = 0; mapping && bar < PCI_STD_NUM_BARS; bar++) {
		loff_t start = pci_resource_start(vdev->pdev, bar);
		loff_t size = PAGE_ALIGN(pci_resource_len(vdev->pdev, bar));

		if (vdev->bar_mmap_supported[bar])
			unmap_mapping_range(mapping, (BAR_WINDOW << PAGE_SHIFT) + start, size,
					    true);
	}
}

void vfio_pci_zap_and_down_write_memory_lock(struct vfio_pci_core_device *vdev)
{
	down_write(&vdev->memory_lock);
	zap_bars(vdev);
}

static vm_fault_t vfio_pci_mmap_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct vfio_pci_core_device *vdev = vma->vm_private_data;
	unsigned long pfn = vma->vm_pgoff - BAR_WINDOW, addr, end;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	down_read(&vdev->memory_lock);

	if (vdev->pm_runtime_engaged || !__vfio_pci_memory_enabled(vdev))
		goto out;

	ret = vmf_insert_pfn(vma, vmf->address, pfn + (vmf->pgoff - vma->vm_pgoff));
	if (ret & VM_FAULT_ERROR)
		goto out;

	end = vma->vm_start + fill_limit(vma->vm_end - vma->vm_start);
	for (addr = vma->vm_start; addr < end; addr += PAGE_SIZE, pfn++) {
		if (addr != vmf->address && vmf_insert_pfn(vma, addr, pfn) & VM_FAULT_ERROR)
			break;
	}

out:
	up_read(&vdev->memory_lock);
	return ret;
}

static const struct vm_operations_struct vfio_pci_mmap_ops = {
	.fault = vfio_pci_mmap_fault,
};

int vfio_pci_core_mmap(struct vfio_device *core_vdev, struct vm_area_struct *vma)
{
	int ret = stock_vfio_pci_core_mmap(core_vdev, vma);

	if (ret || vma->vm_ops != &vfio_pci_mmap_ops)
		return ret; /* refused, or a region that is no BAR and has its own ways */

	WRITE_ONCE(bar_mapping, vma->vm_file->f_mapping);
	vma->vm_pgoff += BAR_WINDOW;
	vma->vm_page_prot = pgprot_decrypted(vma->vm_page_prot); /* as io_remap_pfn_range() does */
	return 0;
}

static int vfio_pci_dev_set_hot_reset(struct vfio_device_set *dev_set,
				      struct vfio_pci_group_info *groups)
{
	struct vfio_pci_core_device *vdev;
	struct pci_dev *pdev;
	int ret;

	mutex_lock(&dev_set->lock);
	pdev = vfio_pci_dev_set_resettable(dev_set);
	ret = pdev ? vfio_pci_dev_set_pm_runtime_get(dev_set) : -EINVAL;
	if (ret)
		goto unlock_set;

	/* Nothing orders the locks of several devices, so none is waited for. */
	list_for_each_entry(vdev, &dev_set->device_list, vdev.dev_set_list) {
		if (!vfio_dev_in_groups(vdev, groups))
			ret = -EINVAL;
		else if (!down_write_trylock(&vdev->memory_lock))
			ret = -EBUSY;
		if (ret)
			goto unlock_devices;
		zap_bars(vdev);
	}

	list_for_each_entry(vdev, &dev_set->device_list, vdev.dev_set_list)
		vfio_pci_set_power_state(vdev, PCI_D0);
	ret = pci_reset_bus(pdev);

unlock_devices: /* those before vdev, which is the first that is not locked, or the list's head */
	list_for_each_entry_continue_reverse(vdev, &dev_set->device_list, vdev.dev_set_list)
		up_write(&vdev->memory_lock);
	list_for_each_entry(vdev, &dev_set->device_list, vdev.dev_set_list)
		pm_runtime_put(&vdev->pdev->dev);
unlock_set:
	mutex_unlock(&dev_set->lock);
	return ret;
}
