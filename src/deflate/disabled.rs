//! permessage-deflate without the feature `deflate`: no message is ever compressed.
//!
//! The types have the same names as with the feature, but no values. So the code that uses them is the same in both
//! cases, and the compiler removes it.
#![allow(dead_code, clippy::unused_self, reason = "these types have no values")]

use alloc::vec::Vec;

/// The place of one side of the extension. It takes no space, so it needs no box.
pub(crate) type Boxed<T> = T;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deflate {}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Agreed {}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Corrupt;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    pub(crate) consumed: usize,
    pub(crate) produced: usize,
    pub(crate) corrupt: bool,
}

#[derive(Debug)]
pub(crate) enum Inflation {}

impl Inflation {
    pub(crate) const fn new(agreed: &Agreed) -> Boxed<Self> {
        match *agreed {}
    }

    pub(crate) const fn begin(&mut self, _compressed: bool) {
        match *self {}
    }

    pub(crate) const fn is_empty(&self) -> bool {
        match *self {}
    }

    pub(crate) const fn is_compressed(&self) -> bool {
        match *self {}
    }

    pub(crate) const fn unmasked(&self) -> usize {
        match *self {}
    }

    pub(crate) const fn set_unmasked(&mut self, _unmasked: usize) {
        match *self {}
    }

    pub(crate) const fn inflate(&mut self, _input: &[u8], _output: &mut [u8]) -> Progress {
        match *self {}
    }

    pub(crate) const fn finish(&mut self) -> Result<(), Corrupt> {
        match *self {}
    }

    pub(crate) const fn abandon(&mut self) {
        match *self {}
    }
}

#[derive(Debug)]
pub(crate) enum Deflation {}

impl Deflation {
    pub(crate) const fn new(agreed: &Agreed) -> Boxed<Self> {
        match *agreed {}
    }

    pub(crate) const fn begin(&mut self, _length: Option<usize>) {
        match *self {}
    }

    pub(crate) const fn is_compressed(&self) -> bool {
        match *self {}
    }

    pub(crate) const fn terms(&self, _length: usize) -> Option<(&Deflate, u8)> {
        match *self {}
    }

    pub(crate) const fn shared_message_sent(&mut self) {
        match *self {}
    }

    pub(crate) const fn deflate(&mut self, _payload: &[u8], _fin: bool, _output: &mut Vec<u8>) {
        match *self {}
    }

    pub(crate) const fn abandon(&mut self) {
        match *self {}
    }
}

/// The compressed forms of a message, which do not exist here.
#[derive(Debug)]
pub(crate) struct Compressed<F>(core::marker::PhantomData<F>);

impl<F> Compressed<F> {
    pub(crate) const fn new() -> Self {
        Self(core::marker::PhantomData)
    }

    pub(crate) const fn get_or_compress(
        &self,
        _payload: &[u8],
        options: &Deflate,
        _bits: u8,
        _frame: impl FnOnce(&[u8]) -> F,
    ) -> Option<&F> {
        match *options {}
    }
}
