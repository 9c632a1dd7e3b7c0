//! Times of several passes at the same job, taken in turns.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::peers::Pass;
use crate::sum::Sum;

/// Turns of each of the passes that warm up and are not counted.
const WARM_UP: usize = 3;

/// A name, what it does, and what every pass of it has to come to.
pub struct Contestant {
    pub name: String,
    /// The same again and again, each with its own memory, which lies elsewhere. All contestants have as many.
    pub passes: Vec<Pass>,
    pub expected: Sum,
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Turns in which every contestant is timed once.
    pub turns: usize,
    /// Passes that are timed together, so that a pass may be short.
    pub rounds: usize,
}

/// Nanoseconds for each of the `messages` of a pass, in the order of the contestants.
///
/// Everyone does the job in each turn, beginning with another one each time, so that what disturbs one disturbs
/// all. The passes of a contestant take turns, too. The figure is the median of the quietest third of the turns.
///
/// # Panics
///
/// If a pass does something else than expected.
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
        .map(|times| quietest(times).as_secs_f64() * 1e9 / messages)
        .collect()
}

/// The median of the lowest third.
fn quietest(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 6]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[test]
    fn the_median_of_the_lowest_third() {
        // The lowest third of these is 1 to 5, in any order and whatever the others are.
        let times = [900, 4, 800, 5, 2, 70, 60, 1, 50, 3, 40, 30, 20, 10, 9];
        let times = times.map(Duration::from_nanos).to_vec();
        assert_eq!(quietest(times), Duration::from_nanos(3));
        assert_eq!(
            quietest(vec![Duration::from_nanos(7)]),
            Duration::from_nanos(7)
        );
    }

    fn contestant(name: &str, bytes: usize, expected: &Sum) -> Contestant {
        Contestant {
            name: name.to_owned(),
            passes: vec![Box::new(move |sum| sum.wrote(bytes))],
            expected: expected.clone(),
        }
    }

    #[test]
    fn everyone_is_timed() {
        let mut expected = Sum::default();
        expected.wrote(5);
        let mut slow = contestant("slow", 5, &expected);
        slow.passes = vec![Box::new(|sum| {
            std::thread::sleep(Duration::from_millis(2));
            sum.wrote(5);
        })];
        let mut all = [contestant("fast", 5, &expected), slow];
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
        let mut expected = Sum::default();
        expected.wrote(5);
        let count = Rc::new(RefCell::new([0; 3]));
        let mut several = contestant("several", 5, &expected);
        several.passes = (0..3)
            .map(|i| {
                let count = Rc::clone(&count);
                let pass = move |sum: &mut Sum| {
                    count.borrow_mut()[i] += 1;
                    sum.wrote(5);
                };
                Box::new(pass) as Pass
            })
            .collect();
        let effort = Effort {
            turns: 6,
            rounds: 2,
        };
        measure(&mut [several], 1, effort);
        assert_eq!(*count.borrow(), [2 * (WARM_UP + 2); 3]);
    }

    #[test]
    #[should_panic(expected = "liar does something else")]
    fn whoever_does_less_fails() {
        let mut expected = Sum::default();
        expected.wrote(5);
        let mut all = [contestant("liar", 4, &expected)];
        let effort = Effort {
            turns: 1,
            rounds: 1,
        };
        measure(&mut all, 1, effort);
    }
}
