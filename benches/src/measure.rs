//! Times of several passes at the same job, taken in turns.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::peers::Pass;
use crate::sum::Sum;

/// Turns in which every contestant does the job once, after as many as warm it up.
const TURNS: usize = 90;
const WARM_UP: usize = 3;

/// A name and what it does.
pub struct Contestant {
    pub name: String,
    pub pass: Pass,
}

/// Nanoseconds for a message, in the order of the contestants.
///
/// Everyone does the job once in each turn, beginning with another one each time, so that what disturbs one disturbs
/// all. The figure is the median of the quietest third of the turns.
///
/// # Panics
///
/// If a pass does something else than `expected`.
pub fn measure(contestants: &mut [Contestant], messages: usize, expected: &Sum) -> Vec<f64> {
    let mut times = vec![Vec::with_capacity(TURNS); contestants.len()];
    for turn in 0..WARM_UP + TURNS {
        for i in 0..contestants.len() {
            let i = (turn + i) % contestants.len();
            let contestant = &mut contestants[i];
            let mut sum = Sum::default();
            let start = Instant::now();
            (contestant.pass)(black_box(&mut sum));
            let time = start.elapsed();
            assert_eq!(sum, *expected, "{} does something else", contestant.name);
            if turn >= WARM_UP {
                times[i].push(time);
            }
        }
    }
    times
        .into_iter()
        .map(|times| quietest(times).as_secs_f64() * 1e9 / messages as f64)
        .collect()
}

/// The median of the lowest third.
fn quietest(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 6]
}
