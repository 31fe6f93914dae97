/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Status codes as text, by the names the specification gives them (Base 3.3.3.2.1, NVM command set
 * 4.1.2, ZNS command set 4.1.1), and as errno values. libnvme has such a table too, but linking it
 * would bring libcrypto and libjson-c into every application. What only fabrics report is left out.
 */

#include <errno.h>
#include <rte_common.h>

#include "brg_nvme.h"

static const char *const generic[] = {
	[NVME_SC_SUCCESS] = "Successful Completion",
	[NVME_SC_INVALID_OPCODE] = "Invalid Command Opcode",
	[NVME_SC_INVALID_FIELD] = "Invalid Field in Command",
	[NVME_SC_CMDID_CONFLICT] = "Command ID Conflict",
	[NVME_SC_DATA_XFER_ERROR] = "Data Transfer Error",
	[NVME_SC_POWER_LOSS] = "Commands Aborted due to Power Loss Notification",
	[NVME_SC_INTERNAL] = "Internal Error",
	[NVME_SC_ABORT_REQ] = "Command Abort Requested",
	[NVME_SC_ABORT_QUEUE] = "Command Aborted due to SQ Deletion",
	[NVME_SC_FUSED_FAIL] = "Command Aborted due to Failed Fused Command",
	[NVME_SC_FUSED_MISSING] = "Command Aborted due to Missing Fused Command",
	[NVME_SC_INVALID_NS] = "Invalid Namespace or Format",
	[NVME_SC_CMD_SEQ_ERROR] = "Command Sequence Error",
	[NVME_SC_SGL_INVALID_LAST] = "Invalid SGL Segment Descriptor",
	[NVME_SC_SGL_INVALID_COUNT] = "Invalid Number of SGL Descriptors",
	[NVME_SC_SGL_INVALID_DATA] = "Data SGL Length Invalid",
	[NVME_SC_SGL_INVALID_METADATA] = "Metadata SGL Length Invalid",
	[NVME_SC_SGL_INVALID_TYPE] = "SGL Descriptor Type Invalid",
	[NVME_SC_CMB_INVALID_USE] = "Invalid Use of Controller Memory Buffer",
	[NVME_SC_PRP_INVALID_OFFSET] = "PRP Offset Invalid",
	[NVME_SC_AWU_EXCEEDED] = "Atomic Write Unit Exceeded",
	[NVME_SC_OP_DENIED] = "Operation Denied",
	[NVME_SC_SGL_INVALID_OFFSET] = "SGL Offset Invalid",
	[NVME_SC_HOSTID_FORMAT] = "Host Identifier Inconsistent Format",
	[NVME_SC_KAT_EXPIRED] = "Keep Alive Timer Expired",
	[NVME_SC_KAT_INVALID] = "Keep Alive Timeout Invalid",
	[NVME_SC_CMD_ABORTED_PREMEPT] = "Command Aborted due to Preempt and Abort",
	[NVME_SC_SANITIZE_FAILED] = "Sanitize Failed",
	[NVME_SC_SANITIZE_IN_PROGRESS] = "Sanitize In Progress",
	[NVME_SC_SGL_INVALID_GRANULARITY] = "SGL Data Block Granularity Invalid",
	[NVME_SC_CMD_IN_CMBQ_NOT_SUPP] = "Command Not Supported for Queue in CMB",
	[NVME_SC_NS_WRITE_PROTECTED] = "Namespace is Write Protected",
	[NVME_SC_CMD_INTERRUPTED] = "Command Interrupted",
	[NVME_SC_TRAN_TPORT_ERROR] = "Transient Transport Error",
	[NVME_SC_PROHIBITED_BY_CMD_AND_FEAT] = "Command Prohibited by Command and Feature Lockdown",
	[NVME_SC_ADMIN_CMD_MEDIA_NOT_READY] = "Admin Command Media Not Ready",
	[BRG_NVME_SC_FDP_DISABLED] = "Flexible Data Placement Disabled",
	[BRG_NVME_SC_INVALID_PLACEMENT] = "Invalid Placement Handle List",
	[NVME_SC_LBA_RANGE] = "LBA Out of Range",
	[NVME_SC_CAP_EXCEEDED] = "Capacity Exceeded",
	[NVME_SC_NS_NOT_READY] = "Namespace Not Ready",
	[NVME_SC_RESERVATION_CONFLICT] = "Reservation Conflict",
	[NVME_SC_FORMAT_IN_PROGRESS] = "Format In Progress",
};

static const char *const command_specific[] = {
	[NVME_SC_CQ_INVALID] = "Completion Queue Invalid",
	[NVME_SC_QID_INVALID] = "Invalid Queue Identifier",
	[NVME_SC_QUEUE_SIZE] = "Invalid Queue Size",
	[NVME_SC_ABORT_LIMIT] = "Abort Command Limit Exceeded",
	[NVME_SC_ASYNC_LIMIT] = "Asynchronous Event Request Limit Exceeded",
	[NVME_SC_FIRMWARE_SLOT] = "Invalid Firmware Slot",
	[NVME_SC_FIRMWARE_IMAGE] = "Invalid Firmware Image",
	[NVME_SC_INVALID_VECTOR] = "Invalid Interrupt Vector",
	[NVME_SC_INVALID_LOG_PAGE] = "Invalid Log Page",
	[NVME_SC_INVALID_FORMAT] = "Invalid Format",
	[NVME_SC_FW_NEEDS_CONV_RESET] = "Firmware Activation Requires Conventional Reset",
	[NVME_SC_INVALID_QUEUE] = "Invalid Queue Deletion",
	[NVME_SC_FEATURE_NOT_SAVEABLE] = "Feature Identifier Not Saveable",
	[NVME_SC_FEATURE_NOT_CHANGEABLE] = "Feature Not Changeable",
	[NVME_SC_FEATURE_NOT_PER_NS] = "Feature Not Namespace Specific",
	[NVME_SC_FW_NEEDS_SUBSYS_RESET] = "Firmware Activation Requires NVM Subsystem Reset",
	[NVME_SC_FW_NEEDS_RESET] = "Firmware Activation Requires Controller Level Reset",
	[NVME_SC_FW_NEEDS_MAX_TIME] = "Firmware Activation Requires Maximum Time Violation",
	[NVME_SC_FW_ACTIVATE_PROHIBITED] = "Firmware Activation Prohibited",
	[NVME_SC_OVERLAPPING_RANGE] = "Overlapping Range",
	[NVME_SC_NS_INSUFFICIENT_CAP] = "Namespace Insufficient Capacity",
	[NVME_SC_NS_ID_UNAVAILABLE] = "Namespace Identifier Unavailable",
	[NVME_SC_NS_ALREADY_ATTACHED] = "Namespace Already Attached",
	[NVME_SC_NS_IS_PRIVATE] = "Namespace Is Private",
	[NVME_SC_NS_NOT_ATTACHED] = "Namespace Not Attached",
	[NVME_SC_THIN_PROV_NOT_SUPP] = "Thin Provisioning Not Supported",
	[NVME_SC_CTRL_LIST_INVALID] = "Controller List Invalid",
	[NVME_SC_SELF_TEST_IN_PROGRESS] = "Device Self-test In Progress",
	[NVME_SC_BP_WRITE_PROHIBITED] = "Boot Partition Write Prohibited",
	[NVME_SC_INVALID_CTRL_ID] = "Invalid Controller Identifier",
	[NVME_SC_INVALID_SEC_CTRL_STATE] = "Invalid Secondary Controller State",
	[NVME_SC_INVALID_CTRL_RESOURCES] = "Invalid Number of Controller Resources",
	[NVME_SC_INVALID_RESOURCE_ID] = "Invalid Resource Identifier",
	[NVME_SC_PMR_SAN_PROHIBITED] =
		"Sanitize Prohibited While Persistent Memory Region is Enabled",
	[NVME_SC_ANA_GROUP_ID_INVALID] = "ANA Group Identifier Invalid",
	[NVME_SC_ANA_ATTACH_FAILED] = "ANA Attach Failed",
	[NVME_SC_INSUFFICIENT_CAP] = "Insufficient Capacity",
	[NVME_SC_NS_ATTACHMENT_LIMIT_EXCEEDED] = "Namespace Attachment Limit Exceeded",
	[NVME_SC_PROHIBIT_CMD_EXEC_NOT_SUPPORTED] =
		"Prohibition of Command Execution Not Supported",
	[NVME_SC_IOCS_NOT_SUPPORTED] = "I/O Command Set Not Supported",
	[NVME_SC_IOCS_NOT_ENABLED] = "I/O Command Set Not Enabled",
	[NVME_SC_IOCS_COMBINATION_REJECTED] = "I/O Command Set Combination Rejected",
	[NVME_SC_INVALID_IOCS] = "Invalid I/O Command Set",
	[NVME_SC_ID_UNAVAILABLE] = "Identifier Unavailable",
	[NVME_SC_BAD_ATTRIBUTES] = "Conflicting Attributes",
	[NVME_SC_INVALID_PI] = "Invalid Protection Information",
	[NVME_SC_READ_ONLY] = "Attempted Write to Read Only Range",
	[NVME_SC_CMD_SIZE_LIMIT_EXCEEDED] = "Command Size Limit Exceeded",
	[NVME_SC_ZNS_INVALID_OP_REQUEST] = "Invalid Zone Operation Request",
	[NVME_SC_ZNS_ZRWA_RESOURCES_UNAVAILABLE] = "ZRWA Resources Unavailable",
	[NVME_SC_ZNS_BOUNDARY_ERROR] = "Zone Boundary Error",
	[NVME_SC_ZNS_FULL] = "Zone Is Full",
	[NVME_SC_ZNS_READ_ONLY] = "Zone Is Read Only",
	[NVME_SC_ZNS_OFFLINE] = "Zone Is Offline",
	[NVME_SC_ZNS_INVALID_WRITE] = "Zone Invalid Write",
	[NVME_SC_ZNS_TOO_MANY_ACTIVE] = "Too Many Active Zones",
	[NVME_SC_ZNS_TOO_MANY_OPENS] = "Too Many Open Zones",
	[NVME_SC_ZNS_INVAL_TRANSITION] = "Invalid Zone State Transition",
};

static const char *const media[] = {
	[NVME_SC_WRITE_FAULT] = "Write Fault",
	[NVME_SC_READ_ERROR] = "Unrecovered Read Error",
	[NVME_SC_GUARD_CHECK] = "End-to-end Guard Check Error",
	[NVME_SC_APPTAG_CHECK] = "End-to-end Application Tag Check Error",
	[NVME_SC_REFTAG_CHECK] = "End-to-end Reference Tag Check Error",
	[NVME_SC_COMPARE_FAILED] = "Compare Failure",
	[NVME_SC_ACCESS_DENIED] = "Access Denied",
	[NVME_SC_UNWRITTEN_BLOCK] = "Deallocated or Unwritten Logical Block",
	[NVME_SC_STORAGE_TAG_CHECK] = "End-to-End Storage Tag Check Error",
};

static const char *const path[] = {
	[NVME_SC_ANA_INTERNAL_PATH_ERROR] = "Internal Path Error",
	[NVME_SC_ANA_PERSISTENT_LOSS] = "Asymmetric Access Persistent Loss",
	[NVME_SC_ANA_INACCESSIBLE] = "Asymmetric Access Inaccessible",
	[NVME_SC_ANA_TRANSITION] = "Asymmetric Access Transition",
	[NVME_SC_CTRL_PATH_ERROR] = "Controller Pathing Error",
	[NVME_SC_HOST_PATH_ERROR] = "Host Pathing Error",
	[NVME_SC_CMD_ABORTED_BY_HOST] = "Command Aborted By Host",
};

/* By status code type. */
static const struct {
	const char *const *names;
	unsigned int count;
	const char *other; /* what a code without a name is called */
} types[NVME_SCT_MASK + 1] = {
	[NVME_SCT_GENERIC] = {generic, RTE_DIM(generic), "Unknown Generic Status"},
	[NVME_SCT_CMD_SPECIFIC] = {command_specific, RTE_DIM(command_specific),
				   "Unknown Command Specific Status"},
	[NVME_SCT_MEDIA] = {media, RTE_DIM(media), "Unknown Media or Data Integrity Error"},
	[NVME_SCT_PATH] = {path, RTE_DIM(path), "Unknown Path Related Status"},
	[NVME_SCT_VS] = {.other = "Vendor Specific Status"},
};

const char *brg_nvme_status_str(uint16_t status)
{
	unsigned int type = nvme_status_code_type(status), code = nvme_status_code(status);

	if (code < types[type].count && types[type].names[code])
		return types[type].names[code];
	return types[type].other ? types[type].other : "Status of a Reserved Type";
}

static int generic_errno(unsigned int code)
{
	switch (code) {
	case NVME_SC_SUCCESS:
		return 0;
	case NVME_SC_INVALID_OPCODE:
	case BRG_NVME_SC_FDP_DISABLED:
		return -EOPNOTSUPP;
	case NVME_SC_INVALID_FIELD:
	case BRG_NVME_SC_INVALID_PLACEMENT:
	case NVME_SC_PRP_INVALID_OFFSET:
		return -EINVAL;
	case NVME_SC_ABORT_REQ:
	case NVME_SC_ABORT_QUEUE:
	case NVME_SC_POWER_LOSS:
	case NVME_SC_CMD_ABORTED_PREMEPT:
		return -ECANCELED;
	case NVME_SC_INVALID_NS:
		return -ENOENT;
	case NVME_SC_LBA_RANGE:
		return -ERANGE;
	case NVME_SC_CAP_EXCEEDED:
		return -ENOSPC;
	case NVME_SC_OP_DENIED:
	case NVME_SC_PROHIBITED_BY_CMD_AND_FEAT:
		return -EACCES;
	case NVME_SC_NS_WRITE_PROTECTED:
		return -EROFS;
	case NVME_SC_NS_NOT_READY:
	case NVME_SC_RESERVATION_CONFLICT:
	case NVME_SC_FORMAT_IN_PROGRESS:
	case NVME_SC_SANITIZE_IN_PROGRESS:
	case NVME_SC_CMD_INTERRUPTED:
		return -EBUSY;
	default:
		return -EIO;
	}
}

static int command_specific_errno(unsigned int code)
{
	switch (code) {
	case NVME_SC_QID_INVALID:
	case NVME_SC_QUEUE_SIZE:
	case NVME_SC_INVALID_VECTOR:
	case NVME_SC_INVALID_LOG_PAGE:
	case NVME_SC_INVALID_FORMAT:
	case NVME_SC_CMD_SIZE_LIMIT_EXCEEDED:
		return -EINVAL;
	case NVME_SC_NS_INSUFFICIENT_CAP:
	case NVME_SC_INSUFFICIENT_CAP:
		return -ENOSPC;
	case NVME_SC_READ_ONLY:
		return -EROFS;
	case NVME_SC_SELF_TEST_IN_PROGRESS:
		return -EBUSY;
	default:
		return -EIO;
	}
}

static int media_errno(unsigned int code)
{
	switch (code) {
	case NVME_SC_GUARD_CHECK:
	case NVME_SC_APPTAG_CHECK:
	case NVME_SC_REFTAG_CHECK:
	case NVME_SC_STORAGE_TAG_CHECK:
	case NVME_SC_COMPARE_FAILED:
		return -EILSEQ;
	case NVME_SC_ACCESS_DENIED:
		return -EACCES;
	default:
		return -EIO;
	}
}

static int path_errno(uint8_t code)
{
	switch (code) {
	case NVME_SC_HOST_PATH_ERROR:
		return -ENODEV;
	case NVME_SC_CMD_ABORTED_BY_HOST:
		return -EAGAIN;
	default:
		return -EIO;
	}
}

int brg_nvme_status_errno(uint16_t status)
{
	switch (nvme_status_code_type(status)) {
	case NVME_SCT_GENERIC:
		return generic_errno(nvme_status_code(status));
	case NVME_SCT_CMD_SPECIFIC:
		return command_specific_errno(nvme_status_code(status));
	case NVME_SCT_MEDIA:
		return media_errno(nvme_status_code(status));
	case NVME_SCT_PATH:
		return path_errno(nvme_status_code(status));
	default:
		return -EIO;
	}
}
