//! Memory for components that answer once and are thrown away.

/// What is free, as addresses: from `next` up to `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg(any(target_family = "wasm", test))]
struct Free {
    next: usize,
    end: usize,
}

#[cfg(any(target_family = "wasm", test))]
impl Free {
    /// The address of a block, where one fits. `align` is a power of two.
    #[inline]
    fn take(&mut self, size: usize, align: usize) -> Option<usize> {
        let at = self.next.checked_add(align - 1)? & !(align - 1);
        let next = at.checked_add(size)?;
        if next > self.end {
            return None;
        }
        self.next = next;
        Some(at)
    }

    /// Gives a block back, which succeeds for the youngest one.
    #[inline]
    fn give_back(&mut self, at: usize, size: usize) {
        if at + size == self.next {
            self.next = at;
        }
    }

    /// Makes a block larger or smaller where it is, which succeeds for the youngest one if there is room.
    #[inline]
    fn resize(&mut self, at: usize, size: usize, wanted: usize) -> bool {
        let Some(next) = at.checked_add(wanted).filter(|next| *next <= self.end) else { return false };
        let youngest = at + size == self.next;
        if youngest {
            self.next = next;
        }
        youngest
    }

    /// Adds new memory: to what there is, where it follows on that, else in its place.
    fn add(&mut self, start: usize, end: usize) {
        if self.end != start {
            self.next = start;
        }
        self.end = end;
    }
}

#[cfg(target_family = "wasm")]
pub use allocator::Arena;

#[cfg(target_family = "wasm")]
#[expect(unsafe_code, reason = "an allocator hands out raw memory, and is shared by definition")]
mod allocator {
    use std::alloc::{GlobalAlloc, Layout};
    use std::arch::wasm32;
    use std::cell::{Cell, UnsafeCell};
    use std::ptr;

    use super::Free;

    const PAGE: usize = 65_536;

    /// Bytes that are there from the start. A call that needs no more does not have the host map memory for it and
    /// take that away again, which costs such a call more than its computing.
    const FIRST: usize = 512 * 1024;

    static FIRST_BYTES: FirstBytes = FirstBytes(UnsafeCell::new([0; FIRST]));

    #[repr(align(16))]
    struct FirstBytes(UnsafeCell<[u8; FIRST]>);

    // SAFETY: a component has one thread, and only the arena uses these bytes.
    unsafe impl Sync for FirstBytes {}

    /// An allocator that takes memory from one end and gets back only what it gave out last.
    ///
    /// Every call of a component runs in memory of its own, so what is not freed is gone with the call anyway. A
    /// component that reads large lists saves about a fifth of its time. One that makes and drops many values while it
    /// works may need more memory than with Rust's own allocator; `usher plugin run` shows whether it fits the limit.
    ///
    /// ```ignore
    /// #[global_allocator]
    /// static MEMORY: usher_plugin::Arena = usher_plugin::Arena::new();
    /// ```
    pub struct Arena {
        free: Cell<Free>,
    }

    // SAFETY: a component has one thread.
    unsafe impl Sync for Arena {}

    impl Arena {
        /// Memory that nobody has used.
        #[must_use]
        pub const fn new() -> Self {
            Self { free: Cell::new(Free { next: 0, end: 0 }) }
        }

        #[inline]
        fn take(&self, layout: Layout) -> *mut u8 {
            let mut free = self.free.get();
            match free.take(layout.size(), layout.align()) {
                Some(at) => {
                    self.free.set(free);
                    ptr::with_exposed_provenance_mut(at)
                }
                None => self.take_more(layout),
            }
        }

        #[cold]
        fn take_more(&self, layout: Layout) -> *mut u8 {
            let mut free = self.free.get();
            if free == (Free { next: 0, end: 0 }) {
                let start = FIRST_BYTES.0.get().expose_provenance();
                free.add(start, start + FIRST);
            } else {
                // By half of what there is, so that large answers do not ask for memory page by page.
                let pages = wasm32::memory_size(0);
                let least = (layout.size() + layout.align()).div_ceil(PAGE);
                let grown = [least.max(pages / 2), least].into_iter().find_map(|wanted| {
                    let at = wasm32::memory_grow(0, wanted);
                    (at != usize::MAX).then_some((at * PAGE, (at + wanted) * PAGE))
                });
                let Some((start, end)) = grown else { return ptr::null_mut() };
                free.add(start, end);
            }
            self.free.set(free);
            self.take(layout)
        }
    }

    // SAFETY: blocks lie in memory that only the arena hands out, at addresses that are aligned as asked; `Free` hands
    // no byte out that is still in use.
    unsafe impl GlobalAlloc for Arena {
        #[inline]
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            self.take(layout)
        }

        #[inline]
        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            let mut free = self.free.get();
            free.give_back(block.expose_provenance(), layout.size());
            self.free.set(free);
        }

        #[inline]
        unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            let mut free = self.free.get();
            if free.resize(block.expose_provenance(), layout.size(), size) {
                self.free.set(free);
                return block;
            }
            // SAFETY: the caller promises a size that with this alignment makes a layout.
            let moved = self.take(unsafe { Layout::from_size_align_unchecked(size, layout.align()) });
            if !moved.is_null() {
                // SAFETY: the old block is the caller's, the new one is of that size, and they do not overlap.
                unsafe { ptr::copy_nonoverlapping(block, moved, layout.size().min(size)) };
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_and_do_not_overlap() {
        let mut free = Free { next: 3, end: 64 };
        assert_eq!(free.take(5, 8), Some(8));
        assert_eq!(free.take(1, 1), Some(13));
        assert_eq!(free.take(8, 16), Some(16));
        assert_eq!(free.next, 24);
    }

    #[test]
    fn what_does_not_fit_is_not_taken() {
        let mut free = Free { next: 8, end: 16 };
        assert_eq!(free.take(9, 1), None);
        assert_eq!(free.take(usize::MAX, 1), None);
        assert_eq!(free.take(1, 32), None);
        assert_eq!(free, Free { next: 8, end: 16 });
        assert_eq!(free.take(8, 8), Some(8));
    }

    #[test]
    fn only_the_youngest_block_comes_back() {
        let mut free = Free { next: 0, end: 64 };
        let (old, young) = (free.take(8, 8).unwrap(), free.take(8, 8).unwrap());
        free.give_back(old, 8);
        assert_eq!(free.next, 16);
        free.give_back(young, 8);
        assert_eq!(free.next, 8);
    }

    #[test]
    fn only_the_youngest_block_changes_its_size_and_only_while_there_is_room() {
        let mut free = Free { next: 0, end: 64 };
        let (old, young) = (free.take(8, 8).unwrap(), free.take(8, 8).unwrap());
        assert!(!free.resize(old, 8, 16));
        assert!(!free.resize(young, 8, 57));
        assert_eq!(free.next, 16);
        assert!(free.resize(young, 8, 56));
        assert_eq!(free.next, 64);
        assert!(free.resize(young, 56, 4));
        assert_eq!(free.next, 12);
    }

    #[test]
    fn new_memory_that_follows_on_the_old_is_one_with_it() {
        let mut free = Free { next: 8, end: 16 };
        free.add(16, 32);
        assert_eq!(free, Free { next: 8, end: 32 });
        free.add(64, 96);
        assert_eq!(free, Free { next: 64, end: 96 });
    }
}
