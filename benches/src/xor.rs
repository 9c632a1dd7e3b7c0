//! Masking, as fast as safe code can do it.

/// The size of a block that LLVM processes with vector instructions.
const BLOCK: usize = 128;

/// Masks in place. `key` is rotated to the first byte of `data`.
#[inline]
pub fn xor(data: &mut [u8], key: u32) {
    let word = doubled(key);
    let Some(tail) = data.last_chunk::<8>().copied() else {
        for (byte, key) in data.iter_mut().zip(word.to_le_bytes()) {
            *byte ^= key;
        }
        return;
    };
    // The last eight bytes are read first and written last. No byte remains for a slower loop.
    let tail = masked(tail, doubled(rotated(key, data.len() - 8)));
    let (blocks, rest) = data.as_chunks_mut::<BLOCK>();
    for block in blocks {
        for bytes in block.as_chunks_mut().0 {
            *bytes = masked(*bytes, word);
        }
    }
    for bytes in rest.as_chunks_mut().0 {
        *bytes = masked(*bytes, word);
    }
    if let Some(bytes) = data.last_chunk_mut() {
        *bytes = tail;
    }
}

/// Masks `from` into `to`.
///
/// # Panics
///
/// If the lengths differ.
#[inline]
pub fn xor_into(to: &mut [u8], from: &[u8], key: u32) {
    assert_eq!(to.len(), from.len());
    let word = doubled(key);
    let Some(tail) = from.last_chunk() else {
        for ((to, from), key) in to.iter_mut().zip(from).zip(word.to_le_bytes()) {
            *to = from ^ key;
        }
        return;
    };
    let (to_blocks, to_rest) = to.as_chunks_mut::<BLOCK>();
    let (from_blocks, from_rest) = from.as_chunks::<BLOCK>();
    for (to, from) in to_blocks.iter_mut().zip(from_blocks) {
        for (to, from) in to.as_chunks_mut().0.iter_mut().zip(from.as_chunks().0) {
            *to = masked(*from, word);
        }
    }
    let words = from_rest.as_chunks().0;
    for (to, from) in to_rest.as_chunks_mut().0.iter_mut().zip(words) {
        *to = masked(*from, word);
    }
    if let Some(bytes) = to.last_chunk_mut() {
        *bytes = masked(*tail, doubled(rotated(key, from.len() - 8)));
    }
}

/// The key, rotated to the byte after `offset` bytes.
#[inline]
pub fn rotated(key: u32, offset: usize) -> u32 {
    key.rotate_right(8 * (offset % 4) as u32)
}

#[inline]
fn doubled(key: u32) -> u64 {
    u64::from(key) << 32 | u64::from(key)
}

#[inline]
fn masked(bytes: [u8; 8], word: u64) -> [u8; 8] {
    (u64::from_le_bytes(bytes) ^ word).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_apply_mask() {
        let source: Vec<u8> = (0..600_u32).map(|i| (i * 7) as u8).collect();
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for length in 0..source.len() {
            for offset in 0..4 {
                let rotated = rotated(u32::from_le_bytes(key), offset);
                let mut expected = source[..length].to_vec();
                sockless::apply_mask(&mut expected, key, offset);
                let mut data = source[..length].to_vec();
                xor(&mut data, rotated);
                assert_eq!(data, expected, "{length} bytes from {offset}");
                let mut copy = vec![0; length];
                xor_into(&mut copy, &source[..length], rotated);
                assert_eq!(copy, expected, "{length} bytes from {offset}, copied");
            }
        }
    }
}
