//! The allocator of a process that lives for two milliseconds.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Memory for a process that lives for two milliseconds: pieces of one block,
/// one behind the other, so that no page is touched but for what is in it. What
/// is larger, or comes when the block is full, is the C library's.
#[derive(Debug)]
pub struct Arena {
    used: AtomicUsize,
    block: UnsafeCell<[u8; ARENA_BYTES]>,
}

/// A start needs a quarter of this.
const ARENA_BYTES: usize = 256 << 10;
/// `alignof(max_align_t)` on every machine with 64 bits.
const MALLOC_ALIGNMENT: usize = 16;

// SAFETY: no two callers are given the same bytes of the block, because `used`
// changes atomically.
unsafe impl Sync for Arena {}

impl Arena {
    /// An empty one.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self {
            used: AtomicUsize::new(0),
            block: UnsafeCell::new([0; ARENA_BYTES]),
        }
    }

    /// Where in the block `piece` is; `None` for one of the C library.
    fn place(&self, piece: *mut u8) -> Option<usize> {
        let place = piece.addr().wrapping_sub(self.block.get().addr());
        (place < ARENA_BYTES).then_some(place)
    }

    /// Moves the end of what is used, if it still is where it was.
    fn moves(&self, from: usize, to: usize) -> bool {
        let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
        to <= ARENA_BYTES
            && self
                .used
                .compare_exchange(from, to, success, failure)
                .is_ok()
    }
}

// SAFETY: a piece lies in the block, is aligned, and overlaps no other: the end
// of what is used moves beyond it before it is handed out, and back only over
// the last piece, by its owner.
unsafe impl GlobalAlloc for Arena {
    // SAFETY: asks for nothing that `GlobalAlloc` does not.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = self.block.get().cast::<u8>();
        let used = self.used.load(Ordering::Relaxed);
        // As malloc(3) aligns, whatever is asked for: `nix::sys::socket::sendmsg`
        // puts a cmsghdr into a vector of bytes.
        let align = layout.align().max(MALLOC_ALIGNMENT);
        let place = used + block.wrapping_add(used).align_offset(align);
        match place.checked_add(layout.size()) {
            Some(end) if self.moves(used, end) => block.wrapping_add(place),
            // SAFETY: the caller's promises are those that `System` wants.
            _ => unsafe { System.alloc(layout) },
        }
    }

    // SAFETY: the same; `piece` came from `alloc` or `realloc`.
    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        match self.place(piece) {
            Some(place) => {
                self.moves(place + layout.size(), place);
            }
            // SAFETY: it is none of ours, so `System` made it.
            None => unsafe { System.dealloc(piece, layout) },
        }
    }

    // SAFETY: the same; `piece` came from `alloc` or `realloc`.
    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(place) = self.place(piece) else {
            // SAFETY: it is none of ours, so `System` made it.
            return unsafe { System.realloc(piece, layout, size) };
        };
        if size <= layout.size() || self.moves(place + layout.size(), place + size) {
            return piece;
        }
        // SAFETY: `size` is a size that the caller may ask for at this alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: the new piece is larger than the old one and not the same.
        unsafe {
            let grown = self.alloc(wanted);
            if !grown.is_null() {
                grown.copy_from_nonoverlapping(piece, layout.size());
            }
            grown
        }
    }
}
