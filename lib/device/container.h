/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_CONTAINER_H
#define BRG_CONTAINER_H

/*
 * The VFIO container a device's group is attached to: one IOMMU domain. Private to the device and
 * dma layers.
 */

#include <stddef.h>
#include <stdint.h>

struct brg_container;
struct brg_device;

/** The container that the device's group is attached to; lives as long as the device is open. */
struct brg_container *brg_device_container(const struct brg_device *dev);

/**
 * Map [vaddr, vaddr + len) for DMA at IOVA = vaddr, read and write. Page-aligned.
 * -ENOMEM: memlock (the sentence has the limit and what to set) or the IOMMU's entry limit;
 * -ERANGE: outside the IOVA ranges the IOMMU offers (the sentence has the ranges);
 * -EEXIST: already mapped. Thread-safe.
 */
int brg_container_map(struct brg_container *c, void *vaddr, size_t len);

/** Unmap exactly what one call mapped. -ENOENT when nothing is mapped there. Thread-safe. */
int brg_container_unmap(struct brg_container *c, void *vaddr, size_t len);

/**
 * Have the kernel fill the page tables of [vaddr, vaddr + len), which must be one device mapping or
 * several, without anybody accessing it: map it for DMA, somewhere, and unmap it again.
 * Page-aligned. -EFAULT: the device does not answer. Thread-safe, but for one range at a time.
 */
int brg_container_fault_in(struct brg_container *c, void *vaddr, size_t len);

#endif
