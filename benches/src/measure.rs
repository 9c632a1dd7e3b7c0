//! The times of several implementations at the same job, measured in turns.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::peers::Pass;
use crate::sum::Sum;

/// Turns of each pass that warm up and are not counted.
pub const WARM_UP: usize = 3;

/// An implementation, and what each of its passes must do.
pub struct Contestant {
    pub name: String,
    /// Passes that do the same, each with its own memory in another place. All contestants have the same number.
    pub passes: Vec<Pass>,
    pub expected: Sum,
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Turns in which every contestant is timed once.
    pub turns: usize,
    /// Passes that are timed together, because one pass may be short.
    pub rounds: usize,
}

/// Nanoseconds for each of the `messages` of a pass, for each contestant.
///
/// In each turn every contestant does the job, and each turn begins with another contestant. A disturbance then affects
/// all. The passes of a contestant take turns, too. The figure is the median of the fastest third of the turns.
///
/// # Panics
///
/// If a pass does not do what is expected.
pub fn measure(contestants: &mut [Contestant], messages: usize, effort: Effort) -> Vec<f64> {
    let mut times = vec![Vec::with_capacity(effort.turns); contestants.len()];
    let warm_up = contestants
        .first()
        .map_or(0, |first| WARM_UP * first.passes.len());
    for turn in 0..warm_up + effort.turns {
        for i in 0..contestants.len() {
            let i = (turn + i) % contestants.len();
            let Contestant {
                name,
                passes,
                expected,
            } = &mut contestants[i];
            let which = turn % passes.len();
            let pass = &mut passes[which];
            let start = Instant::now();
            for _ in 0..effort.rounds {
                let mut sum = Sum::default();
                pass(black_box(&mut sum));
                assert_eq!(sum, *expected, "{name} does something else");
            }
            let time = start.elapsed();
            if turn >= warm_up {
                times[i].push(time);
            }
        }
    }
    let messages = (messages * effort.rounds) as f64;
    times
        .into_iter()
        .map(|times| fastest(times).as_secs_f64() * 1e9 / messages)
        .collect()
}

/// The median of the fastest third.
fn fastest(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 6]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[test]
    fn the_median_of_the_fastest_third() {
        // The fastest third is 1 to 5. The order and the other times make no difference.
        let times = [900, 4, 800, 5, 2, 70, 60, 1, 50, 3, 40, 30, 20, 10, 9];
        let times = times.map(Duration::from_nanos).to_vec();
        assert_eq!(fastest(times), Duration::from_nanos(3));
        let one = Duration::from_nanos(7);
        assert_eq!(fastest(vec![one]), one);
    }

    /// A contestant that must write 5 bytes.
    fn contestant(name: &str, passes: Vec<Pass>) -> Contestant {
        let mut expected = Sum::default();
        expected.wrote(5);
        Contestant {
            name: name.to_owned(),
            passes,
            expected,
        }
    }

    #[test]
    fn everyone_is_timed() {
        let slow = |sum: &mut Sum| {
            std::thread::sleep(Duration::from_millis(2));
            sum.wrote(5);
        };
        let mut all = [
            contestant("fast", vec![Box::new(|sum| sum.wrote(5))]),
            contestant("slow", vec![Box::new(slow)]),
        ];
        let effort = Effort {
            turns: 3,
            rounds: 2,
        };
        let times = measure(&mut all, 4, effort);
        assert!(times[0] < times[1], "{times:?}");
        assert!(times[1] >= 500_000.0, "2 ms for 4 messages: {times:?}");
    }

    #[test]
    fn all_passes_take_turns() {
        let count = Rc::new(RefCell::new([0; 3]));
        let pass = |i: usize| {
            let count = Rc::clone(&count);
            let pass = move |sum: &mut Sum| {
                count.borrow_mut()[i] += 1;
                sum.wrote(5);
            };
            Box::new(pass) as Pass
        };
        let several = contestant("several", (0..3).map(pass).collect());
        let effort = Effort {
            turns: 6,
            rounds: 2,
        };
        measure(&mut [several], 1, effort);
        assert_eq!(*count.borrow(), [2 * (WARM_UP + 2); 3]);
    }

    #[test]
    #[should_panic(expected = "liar does something else")]
    fn a_pass_that_does_less_fails() {
        let liar = contestant("liar", vec![Box::new(|sum| sum.wrote(4))]);
        let effort = Effort {
            turns: 1,
            rounds: 1,
        };
        measure(&mut [liar], 1, effort);
    }
}
