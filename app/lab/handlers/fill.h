/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the handlers share that fill a whole VMA: a fill that fails half-way, as one does for want
 * of memory for a page table, and leaves behind what it had filled. Only a module that is built for
 * it can do that, so that a handler otherwise costs what it cost in its kernel, to the instruction.
 */
#ifdef FAIL_AFTER
static unsigned int fail_after;
module_param(fail_after, uint, 0644);
MODULE_PARM_DESC(fail_after, "The next fill of more pages than this fails after so many, once");
#endif

/* How much of so many bytes can be filled before the fill fails: all, but for the one that shall.
 */
static __always_inline unsigned long fill_limit(unsigned long size)
{
#ifdef FAIL_AFTER
	unsigned int pages = READ_ONCE(fail_after);

	if (pages && pages < size >> PAGE_SHIFT && cmpxchg(&fail_after, pages, 0) == pages)
		return (unsigned long)pages << PAGE_SHIFT;
#endif
	return size;
}

/* Map the VMA's part of the BAR; vm_pgoff is its first page frame. */
static __always_inline int fill_vma(struct vm_area_struct *vma)
{
	unsigned long size = vma->vm_end - vma->vm_start, limit = fill_limit(size);
	int ret = io_remap_pfn_range(vma, vma->vm_start, vma->vm_pgoff, limit, vma->vm_page_prot);

	if (!ret && limit < size)
		ret = -ENOMEM;
	return ret;
}
