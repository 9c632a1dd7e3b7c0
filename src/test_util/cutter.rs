//! Where to cut a stream of bytes.

use std::vec;
use std::vec::Vec;

use arbitrary::Arbitrary;

/// Places to cut any stream of bytes, as fractions of its length.
///
/// # Example
///
/// ```
/// use sockless::test_util::Cuts;
///
/// let cuts = Cuts(vec![u16::MAX, 0x3fff, 0x7fff]);
/// assert_eq!(cuts.places(8), [2, 4, 8]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Arbitrary)]
#[expect(
    clippy::exhaustive_structs,
    reason = "where to cut is a list of places and nothing else"
)]
pub struct Cuts(
    /// Each a fraction of the length: 0 is the beginning of the stream, 65,535 its end.
    pub Vec<u16>,
);

/// The fraction that stands for the end.
const SCALE: usize = u16::MAX as usize;

impl Cuts {
    /// The places in a stream of this length, ascending, from 0 to `length`.
    #[must_use]
    pub fn places(&self, length: usize) -> Vec<usize> {
        // The remainder apart, so that no product is too large.
        let (whole, rest) = (length / SCALE, length % SCALE);
        let place = |fraction: &u16| {
            let fraction = usize::from(*fraction);
            let rest = rest.saturating_mul(fraction).div_ceil(SCALE);
            whole.saturating_mul(fraction).saturating_add(rest)
        };
        let mut places: Vec<usize> = self.0.iter().map(place).collect();
        places.sort_unstable();
        places
    }
}

/// The pieces of `bytes` between the places, which ascend. There is one piece more than there are places.
///
/// The pieces borrow the bytes, not the places. Only the iterator needs both.
///
/// # Panics
///
/// The iterator panics if a place is beyond the end or before the place in front of it.
///
/// # Example
///
/// ```
/// use sockless::test_util::cuts_at;
///
/// let pieces: Vec<&[u8]> = cuts_at(b"sockless", &[1, 4]).collect();
/// assert_eq!(pieces, [&b"s"[..], b"ock", b"less"]);
/// ```
pub fn cuts_at<'b>(bytes: &'b [u8], places: &[usize]) -> impl Iterator<Item = &'b [u8]> {
    let mut from = 0;
    places.iter().copied().chain([bytes.len()]).map(move |to| {
        let piece = bytes.get(from..to);
        assert!(
            piece.is_some(),
            "the place {to} is beyond the end at {}, or before {from}",
            bytes.len()
        );
        from = to;
        piece.unwrap_or_default()
    })
}

/// The pieces that are not empty. Places at either end, or beyond the end, cut nothing.
pub(super) fn pieces<'b>(bytes: &'b [u8], places: &[usize]) -> Vec<&'b [u8]> {
    let inside = |at: &usize| *at < bytes.len();
    let places: Vec<usize> = places.iter().copied().filter(inside).collect();
    let mut pieces: Vec<&[u8]> = cuts_at(bytes, &places).collect();
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Ways to cut a stream of `length` bytes: not at all, between all bytes, and once at every place.
///
/// A stream of more than 600 bytes is cut once only near its ends and at 16 places between.
///
/// # Example
///
/// ```
/// use sockless::test_util::every_cut;
///
/// assert_eq!(every_cut(3), [vec![], vec![1, 2], vec![0], vec![1], vec![2], vec![3]]);
/// ```
#[must_use]
pub fn every_cut(length: usize) -> Vec<Vec<usize>> {
    let near = |at: &usize| {
        length <= 600
            || *at < 32
            || length.saturating_sub(*at) < 32
            || at.is_multiple_of((length / 16).saturating_add(1))
    };
    let once = (0..=length).filter(near).map(|at| vec![at]);
    let everywhere = (1..length).collect();
    [vec![], everywhere].into_iter().chain(once).collect()
}
