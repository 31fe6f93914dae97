/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_DMA_H
#define BRG_DMA_H

/*
 * Memory that devices may read and write, at IOVA = VA: the address a device is given is the
 * pointer itself.
 *
 * Mappings belong to the IOMMU domain of the device. Devices of one process normally share one
 * domain; memory mapped for one is then mapped for all of them.
 *
 * All calls are thread-safe. None may be made from an EAL memory event callback, which runs with
 * EAL's memory locked.
 */

#include <stddef.h>

#include "brg_device.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Map all of EAL's memory for the device, and from now on whatever EAL adds later; memory that EAL
 * gives back is unmapped. rte_malloc() memory can then be handed to the device as it is.
 *
 * External memory that is no heap (rte_extmem_register()) is not EAL's: brg_dma_register() it. So
 * must be an external heap that is added later under --no-huge or --legacy-mem, where EAL tells
 * nobody of new memory.
 *
 * Calls nest: every attach needs one brg_dma_detach(). EAL must be up.
 *
 * @return 0; -ENOMEM (memlock: the sentence has the limit and what to set), -ERANGE (an address
 *         the IOMMU cannot map; the sentence has the ranges), -ENXIO (EAL is not up).
 */
BRG_API
int brg_dma_attach(struct brg_device *dev);

/** Undo one brg_dma_attach(); the last one unmaps. The device must no longer use the memory. */
BRG_API
void brg_dma_detach(struct brg_device *dev);

/**
 * Map the application's own memory for the device. The memory stays the application's and must not
 * be freed or remapped before brg_dma_unregister().
 *
 * @param addr,len  multiples of the page size; the range must not overlap one already mapped.
 * @return 0; -EINVAL (alignment), -EEXIST (overlap), -ENOMEM, -ERANGE as brg_dma_attach(),
 *         -EFAULT (not mapped in this process).
 */
BRG_API
int brg_dma_register(struct brg_device *dev, void *addr, size_t len);

/**
 * Whether all of a buffer is memory that the device may use: EAL's, or registered as one range.
 * Takes locks: not for every I/O. It knows what this library has mapped, in the device's domain.
 * @return 0, or -EFAULT with what is wrong.
 */
BRG_API
int brg_dma_check(const struct brg_device *dev, const void *addr, size_t len);

/** Undo brg_dma_register(): the same range. -ENOENT when it was not registered. */
BRG_API
int brg_dma_unregister(struct brg_device *dev, void *addr, size_t len);

#ifdef __cplusplus
}
#endif
#endif
