//! What the integration tests share: peers in memory, streams cut to pieces, frames legal and illegal,
//! and an oracle of the receiving rules.

// Every test file is a crate of its own and uses another part of this.
#![allow(dead_code, unused_imports)]

mod cutter;
mod frames;
mod oracle;
mod owned;
mod pair;

pub(crate) use cutter::{Outcome, cuts, refused_at, run, run_peer, same_however_cut};
pub(crate) use frames::{Frame, KEY, Length, hex, stream};
pub(crate) use oracle::{Rules, Verdict, judge};
pub(crate) use owned::{Ending, Owned, joined};
pub(crate) use pair::{Pair, Peer, Side};
