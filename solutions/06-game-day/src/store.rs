//! The orders, in a file. You do not need to change this file.
//!
//! A record has 1024 bytes: `order 17 ` and a checksum, then spaces, then the end of the line. So a write that was cut
//! short shows: the last record is too short, and because nobody has acknowledged that order, it is removed. A complete
//! record with a wrong checksum is something else: the file is damaged, and a person must repair it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context, anyhow};

use crate::ending::Failure;
use crate::log;

/// Where the orders are: on a small disk of their own.
pub(crate) const PATH: &str = "/var/lib/shop/orders";

/// The size of a record.
const RECORD: usize = 1024;

/// All orders, each with its number.
pub(crate) struct Store {
    file: File,
    orders: Vec<u32>,
}

impl Store {
    /// Reads and checks the file.
    pub(crate) fn open(path: impl AsRef<Path>) -> Result<Store, Failure> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .with_context(|| format!("cannot open {PATH}"))?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)
            .with_context(|| format!("cannot read {PATH}"))?;
        let records = content.chunks_exact(RECORD);
        if !records.remainder().is_empty() {
            let complete = content.len() - records.remainder().len();
            log::warning("the last record was cut short: nobody has acknowledged it");
            file.set_len(complete as u64)
                .with_context(|| format!("cannot shorten {PATH}"))?;
        }
        let orders = (1_u32..).zip(records).map(|(line, record)| {
            order_of(record).ok_or_else(|| {
                Failure::Damaged(anyhow!("record {line} of {PATH} has a wrong checksum"))
            })
        });
        let orders = orders.collect::<Result<Vec<u32>, Failure>>()?;
        Ok(Store { file, orders })
    }

    /// Writes an order into the file. Once this has returned, the order survives the end of this process.
    pub(crate) fn write(&mut self, order: u32) -> io::Result<()> {
        if self.orders.contains(&order) {
            // The customer did not get the first answer, and asked again.
            return Ok(());
        }
        self.file.write_all(&record_of(order))?;
        // And this makes it survive the end of the machine.
        self.file.sync_data()?;
        self.orders.push(order);
        Ok(())
    }

    /// All orders that are in the file.
    pub(crate) fn orders(&self) -> &[u32] {
        &self.orders
    }
}

fn record_of(order: u32) -> Vec<u8> {
    let text = format!("order {order}");
    let mut record = format!("{text} {:08x}", checksum(text.as_bytes())).into_bytes();
    record.resize(RECORD - 1, b' ');
    record.push(b'\n');
    record
}

fn order_of(record: &[u8]) -> Option<u32> {
    let order = std::str::from_utf8(record).ok()?.split(' ').nth(1)?;
    let order = order.parse().ok()?;
    (record_of(order) == record).then_some(order)
}

/// FNV-1a: short, and good enough to notice damage.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| {
        (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}
