//! Where calls run: places whose address space, tables and stacks are set aside once and used again and again.
//!
//! A call that had to map its memory and give it back would spend more time in the kernel than a small
//! component computes. What a call leaves in its place is wiped before the next one gets it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::{Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::state::{INSTANCES, TABLE_ELEMENTS};

/// Calls that run at a time. Others wait for their turn.
const CALLS: u32 = 16;

/// Memories and tables that one component may have; Python has one memory, and a table for each of its some
/// thirty modules at most.
const MEMORIES: u32 = 8;
const TABLES: u32 = 64;

/// Bytes of a memory and of a table that stay with a place between calls, wiped. What a call used beyond that
/// is given back to the kernel, so that an idle host stays small. A sheet of 20,000 rows takes some 50 MiB.
const MEMORY_KEPT: usize = 64 << 20;
const TABLE_KEPT: usize = 256 << 10;

/// How the engine sets memory aside.
pub(super) fn strategy() -> InstanceAllocationStrategy {
    let mut pool = PoolingAllocationConfig::new();
    // A kernel from 6.7 on tells which pages a call has written to (PAGEMAP_SCAN), so that only those are wiped.
    // An older one would have all that is kept wiped each time, and giving it back costs less than that.
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        pool.pagemap_scan(Enabled::Yes)
            .linear_memory_keep_resident(MEMORY_KEPT)
            .table_keep_resident(TABLE_KEPT);
    }
    let instances = u32::try_from(INSTANCES).unwrap_or(u32::MAX);
    pool.total_component_instances(CALLS)
        .max_core_instances_per_component(instances)
        .total_core_instances(CALLS * instances)
        .max_memories_per_component(MEMORIES)
        .total_memories(CALLS * MEMORIES)
        .max_tables_per_component(TABLES)
        .total_tables(CALLS * TABLES)
        .table_elements(TABLE_ELEMENTS)
        .total_stacks(CALLS)
        .max_unused_warm_slots(CALLS);
    InstanceAllocationStrategy::Pooling(pool)
}

/// The places.
#[derive(Clone)]
pub(super) struct Places {
    free: Arc<Semaphore>,
}

/// A place that one call has.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Default for Places {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(CALLS as usize)) }
    }
}

impl Places {
    /// Waits for a place.
    pub(super) async fn take(&self) -> Place {
        let permit = Arc::clone(&self.free).acquire_owned().await;
        Place { _permit: permit.expect("the semaphore is never closed") }
    }
}
