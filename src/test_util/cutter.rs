//! Ways to cut a stream of bytes into pieces.

use std::vec;
use std::vec::Vec;

use arbitrary::Arbitrary;

/// Places to cut a stream of bytes, as fractions of its length. So they fit a stream of any length.
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
    /// The fractions: 0 is the beginning of the stream, 65,535 its end.
    pub Vec<u16>,
);

/// The fraction for the end.
const SCALE: usize = u16::MAX as usize;

impl Cuts {
    /// Returns the places in a stream of `length` bytes, in ascending order, from 0 to `length`.
    #[must_use]
    pub fn places(&self, length: usize) -> Vec<usize> {
        // The remainder is computed separately, so no product overflows.
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

/// Cuts `bytes` at `places`, which must be in ascending order. Returns one piece more than places.
///
/// The pieces borrow `bytes` only.
///
/// # Panics
///
/// The iterator panics if a place is beyond the end or smaller than the place before it.
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

/// Returns the pieces that are not empty. Places at either end, or beyond the end, have no effect.
pub(super) fn pieces<'b>(bytes: &'b [u8], places: &[usize]) -> Vec<&'b [u8]> {
    let inside = |at: &usize| *at < bytes.len();
    let places: Vec<usize> = places.iter().copied().filter(inside).collect();
    let mut pieces: Vec<&[u8]> = cuts_at(bytes, &places).collect();
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Returns ways to cut a stream of `length` bytes: no cut, cuts between all bytes, and one cut at each place, the two
/// ends included.
///
/// If the stream has more than 600 bytes, the single cuts are only near its ends and at 16 places between them.
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
