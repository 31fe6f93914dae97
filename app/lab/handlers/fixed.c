// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fault handler since commit 6a45ece4c9af ("vfio/pci: Handle concurrent vma faults", Linux
 * 5.14), up to 6.9. Debian's 6.1 has it, so "fixed" is that kernel's own module; this text is for
 * fail_after.
 *
 * vma_lock is held from the look at the list to the end of the fill: of two threads that touch a
 * fresh mapping together, the second finds the VMA on the list and has nothing to do. A fill that
 * fails leaves no entry behind, so the next fault may try again.
 *
 * What is left to be wished: the faults of a device wait for each other, and a fault handler calls
 * io_remap_pfn_range(), which is meant for mmap().
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
		ret = VM_FAULT_SIGBUS;
		zap_vma_ptes(vma, vma->vm_start, vma->vm_end - vma->vm_start);
	} else if (__vfio_pci_add_vma(vdev, vma)) {
		ret = VM_FAULT_OOM;
		zap_vma_ptes(vma, vma->vm_start, vma->vm_end - vma->vm_start);
	}

out:
	up_read(&vdev->memory_lock);
	mutex_unlock(&vdev->vma_lock);
	return ret;
}
