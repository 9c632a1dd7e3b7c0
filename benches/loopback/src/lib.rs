//! Echo servers over loopback, and a load. See `benches/README.md`.

pub mod frame;
pub mod grid;
pub mod load;
pub mod process;
pub mod report;
pub mod servers;
#[path = "../../../examples/common/stage.rs"]
#[expect(dead_code, reason = "the bare loop has no deadlines")]
mod stage;
