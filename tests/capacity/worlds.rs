//! Simulated servers, each with a rate up to which a step of ten seconds holds.

use loadgen::core::capacity::{Cause, Outcome};
use loadgen::core::threshold::Exceptions;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// The length of a step, in seconds.
const STEP: f64 = 10.0;

/// The share of requests that may fail.
const FAILURES: f64 = 0.001;

pub trait World {
    /// A step at this rate per second.
    fn step(&mut self, rate: f64, random: &mut ChaCha8Rng) -> Outcome;
}

/// A number from 0 to 1.
fn uniform(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// A number of independent events with this mean.
fn events(mean: f64, random: &mut ChaCha8Rng) -> u64 {
    if mean > 1_000.0 {
        return mean as u64;
    }
    let (mut time, mut count) = (0.0, 0);
    loop {
        time -= (1.0 - uniform(random)).ln();
        if time > mean {
            return count;
        }
        count += 1;
    }
}

/// Holds unless there are more exceptions than allowed.
fn judged(exceptions: Exceptions) -> Outcome {
    let most = exceptions.of as f64 * exceptions.allowed;
    if (exceptions.count as f64) < most {
        return Outcome::Held;
    }
    Outcome::NotHeld {
        cause: Cause::Missed,
        may_be_chance: exceptions.may_be_chance(),
    }
}

fn failed(count: u64, of: f64) -> Outcome {
    judged(Exceptions {
        count,
        of: of as u64,
        allowed: FAILURES,
    })
}

const BROKEN: Outcome = Outcome::NotHeld {
    cause: Cause::Missed,
    may_be_chance: false,
};

/// M/D/1: requests come at random, and one server takes the same time for each. It holds if the 99th percentile of the latency
/// is below `longest`, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Queue {
    /// In requests per second.
    pub capacity: f64,
    pub longest: f64,
}

impl Queue {
    /// The share of `requests` requests at this rate that take too long, by the recursion of Lindley.
    fn slow(&self, rate: f64, requests: u64, random: &mut ChaCha8Rng) -> u64 {
        let service = 1.0 / self.capacity;
        let (mut wait, mut slow) = (0.0f64, 0);
        for _ in 0..requests {
            let latency = wait + service;
            slow += u64::from(latency >= self.longest);
            let interval = -(1.0 - uniform(random)).ln() / rate;
            wait = (latency - interval).max(0.0);
        }
        slow
    }

    /// The rate at which just 1 % of the requests take too long, from a long simulation.
    pub fn knee(&self) -> f64 {
        use rand_chacha::rand_core::SeedableRng;
        let (mut low, mut high) = (0.0, self.capacity);
        for _ in 0..12 {
            let middle = (low + high) / 2.0;
            let requests = 1_000_000;
            let slow = self.slow(middle, requests, &mut ChaCha8Rng::seed_from_u64(7));
            *(if slow * 100 > requests {
                &mut high
            } else {
                &mut low
            }) = middle;
        }
        low
    }
}

impl World for Queue {
    fn step(&mut self, rate: f64, random: &mut ChaCha8Rng) -> Outcome {
        let requests = (rate * STEP) as u64;
        judged(Exceptions {
            count: self.slow(rate, requests, random),
            of: requests,
            allowed: 0.01,
        })
    }
}

/// Rejects what is over a rate.
#[derive(Debug, Clone, Copy)]
pub struct Cap(pub f64);

impl World for Cap {
    fn step(&mut self, rate: f64, _: &mut ChaCha8Rng) -> Outcome {
        let over = (rate - self.0).max(0.0);
        failed((over * STEP) as u64, rate * STEP)
    }
}

/// Breaks its limit by a race above a rate, the more often the higher the rate.
#[derive(Debug, Clone, Copy)]
pub struct Race {
    pub knee: f64,
}

impl World for Race {
    fn step(&mut self, rate: f64, random: &mut ChaCha8Rng) -> Outcome {
        // At 5 % above the knee, a step meets three of them.
        let over = (rate / self.knee - 1.0).max(0.0);
        match events(60.0 * over, random) {
            0 => Outcome::Held,
            _ => BROKEN,
        }
    }
}

/// Fails at random, less than allowed, and has a cap.
#[derive(Debug, Clone, Copy)]
pub struct FailsAtRandom {
    pub share: f64,
    pub cap: Cap,
}

impl World for FailsAtRandom {
    fn step(&mut self, rate: f64, random: &mut ChaCha8Rng) -> Outcome {
        let over = (rate - self.cap.0).max(0.0) * STEP;
        let at_random = events(rate * STEP * self.share, random);
        failed(over as u64 + at_random, rate * STEP)
    }
}

/// A cap that rises and falls, with noise.
#[derive(Debug, Clone, Copy)]
pub struct Drift {
    pub mean: f64,
    /// As a share of the mean, to both sides.
    pub noise: f64,
    /// As a share of the mean.
    pub amplitude: f64,
    pub step: u32,
}

impl World for Drift {
    fn step(&mut self, rate: f64, random: &mut ChaCha8Rng) -> Outcome {
        self.step += 1;
        let noise = (2.0 * uniform(random) - 1.0) * self.noise;
        let drift = (f64::from(self.step) / 4.0).sin() * self.amplitude;
        Cap(self.mean * (1.0 + noise + drift)).step(rate, random)
    }
}

/// Does not hold between two rates, holds again above them, and has a cap.
#[derive(Debug, Clone, Copy)]
pub struct Dip {
    pub from: f64,
    pub to: f64,
    pub cap: f64,
}

impl World for Dip {
    fn step(&mut self, rate: f64, random: &mut ChaCha8Rng) -> Outcome {
        let cap = if rate < self.to { self.from } else { self.cap };
        Cap(cap).step(rate, random)
    }
}

/// A generator that keeps its schedule up to a rate. It is late with the probability 9/10 above that rate, and with 1/10 from
/// 5 % below it.
#[derive(Debug, Clone, Copy)]
pub struct SlowGenerator {
    pub fastest: f64,
    pub limiter: Cap,
}

impl World for SlowGenerator {
    fn step(&mut self, rate: f64, random: &mut ChaCha8Rng) -> Outcome {
        let late = match rate / self.fastest {
            load if load > 1.0 => 0.9,
            load if load > 0.95 => 0.1,
            _ => 0.0,
        };
        if uniform(random) < late {
            return Outcome::NotHeld {
                cause: Cause::Generator,
                may_be_chance: false,
            };
        }
        self.limiter.step(rate, random)
    }
}
