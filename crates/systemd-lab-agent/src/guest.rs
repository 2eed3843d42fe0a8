//! The two QEMU devices that connect guest and host: the job memory and the doorbell.
//!
//! With `cpu_clock`, this is the only module with `unsafe` code: it maps the devices' memory. It knows where the bytes
//! are, not what they mean.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::ptr::{self, NonNull};
use std::slice;

use anyhow::{Context, bail};
use rustix::mm::{MapFlags, ProtFlags};
use systemd_lab_protocol::job::{JOB_MEMORY_SIZE, gate};
use systemd_lab_protocol::seal::{KEY_PLACE, Key};

/// Vendor and device id of QEMU's `ivshmem-plain`; its BAR 2 is the shared memory.
const JOB_MEMORY_ID: (&str, &str) = ("0x1af4", "0x1110");

/// Vendor and device id of QEMU's `pvpanic-pci`; its BAR 0 is one register.
const DOORBELL_ID: (&str, &str) = ("0x1b36", "0x0011");

/// `PVPANIC_PANICKED`: with `-action panic=pause`, QEMU stops the VM at the instruction that writes it.
const PANICKED: u8 = 1;

/// The part of the doorbell's BAR that is mapped: its register is the first byte.
const DOORBELL_SIZE: usize = 4096;

/// The memory that holds the job.
pub struct JobMemory {
    base: NonNull<u8>,
}

/// Stops the whole VM when rung.
pub struct Doorbell {
    register: NonNull<u8>,
}

impl JobMemory {
    /// Finds the device and maps all of its memory, so that later reads cause no page faults.
    ///
    /// # Errors
    ///
    /// When QEMU runs without the device, or the process may not map it.
    pub fn map() -> anyhow::Result<JobMemory> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let base = map_bar(JOB_MEMORY_ID, "resource2", JOB_MEMORY_SIZE, access)
            .context("cannot map the job memory (ivshmem-plain)")?;
        Ok(JobMemory { base })
    }

    /// Takes the key out of a job, so that the job no longer contains it: services can read this memory, too.
    ///
    /// Call it each time the VM was restored, before anything else looks at the memory.
    #[expect(unsafe_code, reason = "device memory is reached through a pointer")]
    pub fn take_key(&self) -> Key {
        // SAFETY: `map` mapped JOB_MEMORY_SIZE readable and writable bytes there, and nothing ever unmaps them. KEY_PLACE is
        // inside that range. No slice of this memory is in use, because nothing has looked at this job before, and what looked at
        // an earlier one has copied what it needs.
        unsafe {
            let place: *mut [u8; 16] = self.base.as_ptr().add(KEY_PLACE.start).cast();
            let key = Key::new(place.read_volatile());
            place.write_volatile([0; 16]);
            key
        }
    }

    /// Reads a byte of the page with this number at the end of the memory: see [`systemd_lab_protocol::job::GATES`].
    #[expect(unsafe_code, reason = "device memory is reached through a pointer")]
    pub fn pass_gate(&self, number: usize) {
        let offset = gate(number);
        assert!(offset < JOB_MEMORY_SIZE, "there are no more gates");
        // SAFETY: `map` mapped JOB_MEMORY_SIZE readable bytes there and nothing ever unmaps them; the offset is inside.
        unsafe { self.base.as_ptr().add(offset).read_volatile() };
    }

    /// The memory's bytes.
    ///
    /// Call it after the VM was restored: before that, the bytes are not the job's.
    #[expect(unsafe_code, reason = "device memory is reached through a pointer")]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `map` mapped JOB_MEMORY_SIZE readable bytes there and nothing ever unmaps them. The
        // device is plain memory that the host does not write to while the VM runs: the whole job is
        // there before it resumes.
        unsafe { slice::from_raw_parts(self.base.as_ptr(), JOB_MEMORY_SIZE) }
    }
}

impl Doorbell {
    /// Finds the device and maps its register.
    ///
    /// # Errors
    ///
    /// When QEMU runs without the device, or the process may not map it.
    pub fn map() -> anyhow::Result<Doorbell> {
        let register = map_bar(
            DOORBELL_ID,
            "resource0",
            DOORBELL_SIZE,
            ProtFlags::READ | ProtFlags::WRITE,
        )
        .context("cannot map the doorbell (pvpanic-pci)")?;
        Ok(Doorbell { register })
    }

    /// Stops the VM. Returns when the host has resumed it, perhaps from a snapshot in a different QEMU.
    #[expect(unsafe_code, reason = "a device register is reached through a pointer")]
    pub fn ring(&self) {
        // SAFETY: `map` mapped the device's register writable there and nothing ever unmaps it.
        unsafe { ptr::write_volatile(self.register.as_ptr(), PANICKED) }
    }
}

// SAFETY: the memory is read only, and stays mapped until the process ends.
#[expect(unsafe_code, reason = "a pointer is not Send by itself")]
unsafe impl Send for JobMemory {}
// SAFETY: as above; nothing writes to it.
#[expect(unsafe_code, reason = "a pointer is not Sync by itself")]
unsafe impl Sync for JobMemory {}
// SAFETY: the register stays mapped until the process ends.
#[expect(unsafe_code, reason = "a pointer is not Send by itself")]
unsafe impl Send for Doorbell {}
// SAFETY: the only operation on the register is to write the same byte; QEMU handles one write after the other.
#[expect(unsafe_code, reason = "a pointer is not Sync by itself")]
unsafe impl Sync for Doorbell {}

/// Maps the first `length` bytes of a PCI device's memory. The mapping stays until the process ends.
#[expect(unsafe_code, reason = "mmap hands out a pointer")]
fn map_bar(
    (vendor, device): (&str, &str),
    bar: &str,
    length: usize,
    access: ProtFlags,
) -> anyhow::Result<NonNull<u8>> {
    let directory = find_pci_device(vendor, device)?;
    // No driver binds these devices, so nothing else turns their memory on.
    fs::write(directory.join("enable"), "1").context("cannot enable the device")?;
    let file = fs::OpenOptions::new()
        .read(true)
        .write(access.contains(ProtFlags::WRITE))
        .open(directory.join(bar))
        .with_context(|| format!("cannot open {bar}"))?;
    // SAFETY: a new mapping at an address of the kernel's choice overlaps no memory of this program.
    let address = unsafe {
        rustix::mm::mmap(
            ptr::null_mut(),
            length,
            access,
            MapFlags::SHARED,
            file.as_fd(),
            0,
        )
    }
    .map_err(io::Error::from)
    .with_context(|| format!("cannot map {length} bytes of {bar}"))?;
    NonNull::new(address.cast()).context("the kernel mapped the device at address 0")
}

fn find_pci_device(vendor: &str, device: &str) -> anyhow::Result<PathBuf> {
    let devices = fs::read_dir("/sys/bus/pci/devices").context("cannot list PCI devices")?;
    for entry in devices {
        let path = entry?.path();
        let id = |name| fs::read_to_string(path.join(name)).unwrap_or_default();
        if id("vendor").trim() == vendor && id("device").trim() == device {
            return Ok(path);
        }
    }
    bail!("there is no PCI device {vendor}:{device}; QEMU must be started with it")
}
