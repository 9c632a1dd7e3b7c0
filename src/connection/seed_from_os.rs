//! Seeds from the operating system.

use core::fmt;

use crate::connection::masking_keys::Seed;

impl Seed {
    /// Makes a seed from the random generator of the operating system.
    ///
    /// # Errors
    ///
    /// Fails if the operating system provides no random bytes.
    pub fn from_os() -> Result<Self, SeedError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(SeedError)?;
        Ok(Self::new(bytes))
    }
}

/// The operating system provided no random bytes.
#[derive(Clone, Copy, Debug)]
pub struct SeedError(getrandom::Error);

impl fmt::Display for SeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the operating system provided no random bytes: {}",
            self.0
        )
    }
}

impl core::error::Error for SeedError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operating_system_without_randomness() {
        let reason = getrandom::Error::UNSUPPORTED;
        let shown = alloc::format!("{}", SeedError(reason));
        assert_eq!(
            shown,
            alloc::format!("the operating system provided no random bytes: {reason}")
        );
    }
}
