/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Modules in the image of vfio-pci: fault functions that call what those of each era call. They are
 * linked like a kernel module, and never run. WHICH chooses one.
 */

#define FIXED	      1
#define FIXED_COLD    2
#define SKIP_EXISTING 3
#define UNFIXED	      4
#define INSERT_PFN    5
#define ADDRESS_SPACE 6
#define HUGE	      7
#define EAGER	      8
#define NO_FAULT      9	 /* vfio-pci since 5.15 */
#define HELPER	      10 /* fills in a function of its own */
#define TAIL_CALL     11 /* looks as short as eager */
#define INDIRECT      12 /* calls through a pointer */
#define INSERT_OR_MAP 13 /* inserts, but may fill in another way as well */
#define HUGE_OR_MAP   14

#if WHICH == FIXED_COLD
#define UNLIKELY __attribute__((cold)) /* its callers' paths to it move to NAME.cold */
#else
#define UNLIKELY
#endif

int remap_pfn_range(void *vma);
int vmf_insert_pfn(void *vma, unsigned long page);
UNLIKELY void zap_vma_ptes(void *vma, int from);
void unmap_mapping_range(void *mapping);
void mutex_lock(void *lock);
void mutex_unlock(void *lock);
int record(void *vma);

/* Other functions of the module zap, and in some eras fill. */
void vfio_pci_zap(void *vma);
void vfio_pci_zap(void *vma)
{
#if WHICH == ADDRESS_SPACE || WHICH == HUGE
	unmap_mapping_range(vma);
#else
	zap_vma_ptes(vma, 0);
#endif
}

#if WHICH == EAGER || WHICH == TAIL_CALL || WHICH == HELPER || WHICH == INDIRECT || \
	WHICH == INSERT_OR_MAP || WHICH == HUGE_OR_MAP
__attribute__((noinline)) static int fill(void *vma)
{
	return remap_pfn_range(vma) ? 2 : 0x100;
}

int (*vfio_pci_fill)(void *vma) = fill;
#endif

#if WHICH == FIXED || WHICH == FIXED_COLD
static int vfio_pci_mmap_fault(void *vma)
{
	int ret = 0x100;

	mutex_lock(vma);
	if (remap_pfn_range(vma)) {
		ret = 2;
		zap_vma_ptes(vma, 1);
		goto out;
	}
	if (record(vma)) {
		ret = 1;
		zap_vma_ptes(vma, 2);
	}
out:
	mutex_unlock(vma);
	return ret;
}
#elif WHICH == SKIP_EXISTING
static int vfio_pci_mmap_fault(void *vma)
{
	int ret = 0x100;

	mutex_lock(vma);
	if (remap_pfn_range(vma)) {
		ret = 2;
	} else if (record(vma)) {
		ret = 1;
		zap_vma_ptes(vma, 1);
	}
	mutex_unlock(vma);
	return ret;
}
#elif WHICH == UNFIXED
static int vfio_pci_mmap_fault(void *vma)
{
	int ret;

	mutex_lock(vma);
	ret = record(vma);
	mutex_unlock(vma);
	if (!ret && remap_pfn_range(vma))
		ret = 2;
	return ret;
}
#elif WHICH == INSERT_PFN || WHICH == ADDRESS_SPACE || WHICH == INSERT_OR_MAP
static int vfio_pci_mmap_fault(void *vma)
{
	int ret = 0;

	mutex_lock(vma);
	for (unsigned long page = 0; page < 4 && !ret; page++)
		ret = vmf_insert_pfn(vma, page);
	mutex_unlock(vma);
	return ret;
}
#elif WHICH == HUGE || WHICH == HUGE_OR_MAP
static int vfio_pci_mmap_huge_fault(void *vma)
{
	return vmf_insert_pfn(vma, 0) ? 2 : 0x100;
}
#elif WHICH == EAGER
static int vfio_pci_mmap_fault(void *vma)
{
	return 2;
}
#elif WHICH == HELPER
static int vfio_pci_mmap_fault(void *vma)
{
	int ret;

	mutex_lock(vma);
	ret = fill(vma);
	mutex_unlock(vma);
	return ret;
}
#elif WHICH == TAIL_CALL
static int vfio_pci_mmap_fault(void *vma)
{
	return fill(vma);
}
#elif WHICH == INDIRECT
static int vfio_pci_mmap_fault(int (**fill)(void *vma))
{
	return (*fill)(fill);
}
#endif

#if WHICH == HUGE || WHICH == HUGE_OR_MAP
void *const vfio_pci_mmap_ops[] = {vfio_pci_mmap_huge_fault};
#elif WHICH != NO_FAULT
void *const vfio_pci_mmap_ops[] = {vfio_pci_mmap_fault};
#endif
