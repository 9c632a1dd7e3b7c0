//! Control over the place of bytes in their pages. At 16 KiB the place changes the time to copy them by a third.

/// The size of a page.
pub const PAGE: usize = 4096;

/// Copies `bytes` to the start of a page. The copy is never freed.
pub fn copy(bytes: &[u8]) -> &'static [u8] {
    let memory = vec![0; bytes.len() + PAGE].leak();
    let start = memory.as_ptr().align_offset(PAGE);
    let copy = &mut memory[start..][..bytes.len()];
    copy.copy_from_slice(bytes);
    copy
}

/// Leaks a block, which moves later allocations to other places in their pages. The size depends on `place`.
pub fn skip(place: usize) {
    const STEP: usize = 13 * 64 + 16;
    std::mem::forget(Vec::<u8>::with_capacity(place * STEP));
}

/// Memory that begins at the start of a page.
#[derive(Debug)]
#[repr(align(4096))]
pub struct Pages<const N: usize>(pub [u8; N]);

impl<const N: usize> Pages<N> {
    /// Zeros.
    pub fn new() -> Box<Self> {
        Box::new(Self([0; N]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memory_begins_at_the_start_of_a_page() {
        for length in [0, 1, PAGE, 3 * PAGE + 1] {
            let bytes = vec![7; length];
            let copy = copy(&bytes);
            assert_eq!(copy, bytes);
            assert_eq!(copy.as_ptr().align_offset(PAGE), 0);
        }
        assert_eq!(Pages::<5000>::new().0.as_ptr().align_offset(PAGE), 0);
    }
}
