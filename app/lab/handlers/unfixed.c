// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fault handler of Linux 5.8 to 5.13, before commit 6a45ece4c9af ("vfio/pci: Handle concurrent
 * vma faults"), on the vfio-pci of Linux 6.1.
 *
 * What it does wrong: the VMA is recorded under vma_lock, but the lock is dropped before the page
 * tables are filled, and nobody looks whether the VMA is on the list already. Two threads that
 * touch a fresh mapping together both get here with the mmap lock held for reading, and both fill
 * the whole VMA. The second meets entries that the first has written, and remap_pte_range() has
 * BUG_ON(!pte_none(*pte)). It also records the VMA twice, so that one entry stays on the list when
 * the VMA is gone.
 *
 * Replaces: vfio_pci_mmap_fault
 */
#include "fill.h"

static vm_fault_t vfio_pci_mmap_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct vfio_pci_core_device *vdev = vma->vm_private_data;
	vm_fault_t ret = VM_FAULT_NOPAGE;

	mutex_lock(&vdev->vma_lock);
	down_read(&vdev->memory_lock);

	if (vdev->pm_runtime_engaged || !__vfio_pci_memory_enabled(vdev)) {
		ret = VM_FAULT_SIGBUS;
		mutex_unlock(&vdev->vma_lock);
		goto up_out;
	}

	if (__vfio_pci_add_vma(vdev, vma)) {
		ret = VM_FAULT_OOM;
		mutex_unlock(&vdev->vma_lock);
		goto up_out;
	}

	mutex_unlock(&vdev->vma_lock); /* from here on a second thread may come in */

	if (fill_vma(vma))
		ret = VM_FAULT_SIGBUS;

up_out:
	up_read(&vdev->memory_lock);
	return ret;
}
