// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fault handler that Alex Williamson proposed on the kvm list on 28 June 2021, in his answer to
 * the review of "[PATCH v2] vfio/pci: Handle concurrent vma faults". It was not merged as it is:
 * 6a45ece4c9af is this and a zap, see fixed.c.
 *
 * vma_lock is held from the look at the list to the end of the fill, so of two threads that touch a
 * fresh mapping together one finds the VMA on the list and skips it.
 *
 * What it does wrong, as Jason Gunthorpe answered: a fill may fail half-way, for want of memory for
 * a page table. It leaves the entries that it has written and no VMA on the list. The next fault
 * starts the fill again, meets them, and remap_pfn_range() has its BUG_ON(!pte_none(*pte)).
 *
 * Replaces: vfio_pci_mmap_fault
 */
#include "fill.h"

static vm_fault_t vfio_pci_mmap_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct vfio_pci_core_device *vdev = vma->vm_private_data;
	struct vfio_pci_mmap_vma *known;
	vm_fault_t ret = VM_FAULT_NOPAGE;

	mutex_lock(&vdev->vma_lock);
	down_read(&vdev->memory_lock);

	if (vdev->pm_runtime_engaged || !__vfio_pci_memory_enabled(vdev)) {
		ret = VM_FAULT_SIGBUS;
		goto out;
	}

	list_for_each_entry(known, &vdev->vma_list, vma_next) {
		if (known->vma == vma)
			goto out; /* another thread was first */
	}

	if (fill_vma(vma)) {
		ret = VM_FAULT_SIGBUS; /* and what was filled stays */
	} else if (__vfio_pci_add_vma(vdev, vma)) {
		ret = VM_FAULT_OOM;
		zap_vma_ptes(vma, vma->vm_start, vma->vm_end - vma->vm_start);
	}

out:
	up_read(&vdev->memory_lock);
	mutex_unlock(&vdev->vma_lock);
	return ret;
}
