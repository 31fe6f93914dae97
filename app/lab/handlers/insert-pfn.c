// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fault handler of v1 and v2 of "vfio/pci: Handle concurrent vma faults", both sent by Alex
 * Williamson on 10 March 2021. It was not merged; 6a45ece4c9af is v3.
 *
 * vmf_insert_pfn() leaves an entry alone that is there already, so two threads may fill one VMA. A
 * VMA that is on the list is not recorded again.
 *
 * What is wrong with it: not its safety. It goes through the page tables from the top for every
 * page, which makes the first touch of a big BAR several times as costly, and a thread that comes
 * second does all of it again. The architecture's tracking of mapped I/O memory, which
 * remap_pfn_range() does on the way, is lost.
 *
 * Left out: v2 also had mmap() put pgprot_decrypted() into vm_page_prot, as io_remap_pfn_range()
 * does. It changes nothing where memory is not encrypted.
 *
 * Replaces: __vfio_pci_add_vma vfio_pci_mmap_fault
 */
#include "fill.h"

/* Caller holds vma_lock. */
static int __vfio_pci_add_vma(struct vfio_pci_core_device *vdev, struct vm_area_struct *vma)
{
	struct vfio_pci_mmap_vma *entry;

	list_for_each_entry(entry, &vdev->vma_list, vma_next) {
		if (entry->vma == vma)
			return 0;
	}

	entry = kmalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
	if (!entry)
		return -ENOMEM;
	entry->vma = vma;
	list_add(&entry->vma_next, &vdev->vma_list);
	return 0;
}

static vm_fault_t vfio_pci_mmap_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct vfio_pci_core_device *vdev = vma->vm_private_data;
	unsigned long size = vma->vm_end - vma->vm_start, limit, done;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	mutex_lock(&vdev->vma_lock);
	down_read(&vdev->memory_lock);

	if (vdev->pm_runtime_engaged || !__vfio_pci_memory_enabled(vdev))
		goto out;

	limit = fill_limit(size);
	for (done = 0; done < limit; done += PAGE_SIZE) {
		ret = vmf_insert_pfn(vma, vma->vm_start + done,
				     vma->vm_pgoff + (done >> PAGE_SHIFT));
		if (ret != VM_FAULT_NOPAGE)
			break;
	}

	if (ret == VM_FAULT_NOPAGE && limit < size)
		ret = VM_FAULT_SIGBUS;
	if (ret == VM_FAULT_NOPAGE && __vfio_pci_add_vma(vdev, vma))
		ret = VM_FAULT_OOM;
	if (ret != VM_FAULT_NOPAGE)
		zap_vma_ptes(vma, vma->vm_start, vma->vm_end - vma->vm_start);
out:
	up_read(&vdev->memory_lock);
	mutex_unlock(&vdev->vma_lock);
	return ret;
}
