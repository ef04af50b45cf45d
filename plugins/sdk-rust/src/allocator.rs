//! Memory for the time of one call.
//!
//! The host calls a component in a fresh instance and drops that with all its memory, so what is freed
//! within a call is hardly ever worth the work. Texts come and go through the component's allocator one by
//! one, which makes it a large part of what a sheet of many rows costs.

use std::alloc::{GlobalAlloc, Layout};
use std::arch::wasm32;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes of a page of WebAssembly memory.
const PAGE: usize = 64 * 1024;

/// Pages that are taken from the host at a time: each time is a call of the host.
const STEP: usize = 16;

/// Hands memory out from one end to the other, and takes back only what was handed out last.
///
/// For components whose calls need little more memory at their end than in their course:
///
/// ```ignore
/// #[global_allocator]
/// static MEMORY: usher_plugin::allocator::PerCall = usher_plugin::allocator::PerCall::new();
/// ```
#[derive(Debug)]
pub struct PerCall {
    /// Address of the first byte that is free. A component has one thread; atomics only make this safe.
    next: AtomicUsize,
    /// Address after the last byte that is free.
    end: AtomicUsize,
}

impl PerCall {
    /// An allocator that has no memory yet.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a static needs a constant")]
    pub const fn new() -> Self {
        Self { next: AtomicUsize::new(0), end: AtomicUsize::new(0) }
    }

    /// Takes memory from what is there; none where that is too little.
    #[inline]
    fn take(&self, layout: Layout) -> Option<*mut u8> {
        let past_alignment = layout.align() - 1;
        let begin = self.next.load(Relaxed).checked_add(past_alignment)? & !past_alignment;
        let after = begin.checked_add(layout.size())?;
        if after > self.end.load(Relaxed) {
            return None;
        }
        self.next.store(after, Relaxed);
        Some(ptr::with_exposed_provenance_mut(begin))
    }

    /// Asks the host for memory that the layout fits into, and takes it from there.
    #[cold]
    fn grow_and_take(&self, layout: Layout) -> Option<*mut u8> {
        let needed = layout.size().checked_add(layout.align())?.div_ceil(PAGE);
        let (first, pages) = [needed.max(STEP), needed]
            .into_iter()
            .map(|pages| (wasm32::memory_grow(0, pages), pages))
            .find(|(first, _)| *first != usize::MAX)?;
        let begin = first * PAGE;
        // Somebody else may have grown the memory in between; what lies behind is theirs.
        if begin != self.end.load(Relaxed) {
            self.next.store(begin, Relaxed);
        }
        self.end.store(begin.saturating_add(pages * PAGE), Relaxed);
        self.take(layout)
    }

    /// Whether the memory is what was handed out last.
    #[inline]
    fn is_last(&self, memory: *mut u8, size: usize) -> bool {
        memory.addr() + size == self.next.load(Relaxed)
    }
}

#[expect(unsafe_code, reason = "the trait of allocators is unsafe")]
// SAFETY: every range lies in memory that `memory.grow` gave to this allocator alone, is aligned, and overlaps
// no other range that was handed out and not taken back, since `next` moves back only over the last one.
unsafe impl GlobalAlloc for PerCall {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.take(layout).or_else(|| self.grow_and_take(layout)).unwrap_or(ptr::null_mut())
    }

    #[inline]
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if self.is_last(memory, layout.size()) {
            self.next.store(memory.addr(), Relaxed);
        }
    }

    #[inline]
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if new_size <= layout.size() {
            return memory;
        }
        if self.is_last(memory, layout.size()) {
            let after = memory.addr().checked_add(new_size);
            if let Some(after) = after.filter(|after| *after <= self.end.load(Relaxed)) {
                self.next.store(after, Relaxed);
                return memory;
            }
        }
        // SAFETY: the caller guarantees that the new size, rounded up to the alignment, is no overflow.
        let moved = unsafe { self.alloc(Layout::from_size_align_unchecked(new_size, layout.align())) };
        if !moved.is_null() {
            // SAFETY: both ranges hold at least the old size, and the new one was just handed out.
            unsafe { ptr::copy_nonoverlapping(memory, moved, layout.size()) };
        }
        moved
    }
}
