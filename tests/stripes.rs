//! N stripes together are the whole: the same requests at the same instants, with the same keys, to the same targets.

use loadgen::base::{KeyId, Nanos};
use loadgen::core::keys::{Dealer, Distribution, Keys};
use loadgen::core::round_robin::RoundRobin;
use loadgen::core::schedule::{Arrivals, Poisson, Profile, Schedule};
use loadgen::core::stripe::Stripe;
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;

/// A request as a limiter sees it: its number, when it is due, its key and its target.
type Request = (u64, Nanos, KeyId, usize);

/// Everything that a schedule depends on.
#[derive(Debug, Clone)]
struct Traffic {
    profile: String,
    cut: Option<u64>,
    count: Option<u64>,
    poisson: bool,
    keys: u32,
    distribution: Distribution,
    targets: usize,
    seed: u64,
}

impl Traffic {
    fn schedule(&self) -> Schedule {
        let profile: Profile = self.profile.parse().expect("a profile");
        let schedule = Schedule::new(profile, self.cut.map(|millis| Nanos(millis * 1_000_000)));
        let schedule = match self.poisson {
            true => schedule.with_arrivals(Arrivals::Poisson(Box::new(Poisson::new(self.seed)))),
            false => schedule,
        };
        match self.count {
            Some(count) => schedule.with_count(count),
            None => schedule,
        }
    }

    fn keys(&self) -> Keys {
        match self.keys {
            0 => Keys::fresh("k-"),
            keys => Keys::generated(keys, self.seed, "k-"),
        }
    }

    /// The requests that a process with this stripe sends, in order.
    fn sent_by(&self, stripe: Stripe) -> Vec<Request> {
        let schedule = self.schedule().with_stripe(stripe);
        let mut tokens = schedule.tokens();
        let mut dealer = Dealer::new(&self.keys(), self.distribution, self.seed);
        let targets = RoundRobin::new(self.targets, stripe);
        let sent = (0..).map_while(|place| {
            let due = tokens.due(place)?;
            let number = stripe.number(place);
            Some((number, due, dealer.deal(number), targets.target(place)))
        });
        sent.collect()
    }
}

fn profiles() -> impl Strategy<Value = String> {
    let steady = (1..2_000u32, 1..4u32).prop_map(|(rate, time)| format!("{rate}/s for {time}s"));
    let slow = (1..200u32).prop_map(|rate| format!("{rate}/m for 9s"));
    let ramp = (0..800u32, 0..800u32, 1..4u32)
        .prop_map(|(from, to, time)| format!("ramp {from}/s to {}/s over {time}s", to + 1));
    let sine =
        (2..400u32).prop_map(|rate| format!("sine {rate}/s ± {}/s every 1s for 2s", rate / 2));
    let burst = (1..900u32).prop_map(|rate| format!("burst {rate}/s for 500ms"));
    let at_once = (1..700u32).prop_map(|requests| format!("burst {requests} at once"));
    let pause = Just("pause 300ms".to_owned());
    let piece = prop_oneof![steady, slow, ramp, sine, burst, at_once, pause];
    let pieces = prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.join(", "));
    // A piece that sends something keeps the profile from being empty.
    (pieces, 1..3u32).prop_map(|(pieces, times)| match times {
        1 => format!("{pieces}, 5/s for 1s"),
        times => format!("{pieces}, 5/s for 1s, repeat {times} times"),
    })
}

fn traffic() -> impl Strategy<Value = Traffic> {
    let distribution = prop_oneof![
        Just(Distribution::Uniform),
        Just("zipf:1.1".parse().expect("a distribution")),
        Just("hot:0.9".parse().expect("a distribution")),
    ];
    let ends = (prop::option::of(1..9_000u64), prop::option::of(1..3_000u64));
    let who = (prop_oneof![Just(0), 1..50u32], distribution, 1..9usize);
    (profiles(), ends, any::<bool>(), who, any::<u64>()).prop_map(
        |(profile, (cut, count), poisson, (keys, distribution, targets), seed)| Traffic {
            profile,
            cut,
            count,
            poisson,
            // Fewer than two keys have no distribution.
            distribution: match keys {
                0 | 1 => Distribution::Uniform,
                _ => distribution,
            },
            keys,
            targets,
            seed,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn stripes_together_send_exactly_what_one_process_would(traffic in traffic(), of in 2..=64u64) {
        let whole = traffic.sent_by(Stripe::WHOLE);
        let first = Stripe::new(0, of).unwrap();
        let mut together: Vec<Request> = Vec::new();
        for stripe in first.all() {
            let own = traffic.sent_by(stripe);
            prop_assert!(own.iter().all(|(number, ..)| number % of == stripe.index()));
            let schedule = traffic.schedule().with_stripe(stripe);
            prop_assert_eq!(schedule.total(), Some(own.len() as u64));
            prop_assert_eq!(schedule.total_of_all(), Some(whole.len() as u64));
            together.extend(own);
        }
        together.sort_unstable_by_key(|(number, ..)| *number);
        prop_assert_eq!(&together, &whole);
        // Of all targets, none gets two more than another.
        let mut to = vec![0u64; traffic.targets];
        whole.iter().for_each(|(.., target)| to[*target] += 1);
        prop_assert!(to.iter().max().unwrap() - to.iter().min().unwrap() <= 1);
    }

    #[test]
    fn a_stripe_counts_the_requests_that_are_due_as_listing_them_does(
        traffic in traffic(), of in 1..=64u64, index in 0..64u64, at in 0..12 * SECOND
    ) {
        let stripe = Stripe::new(index % of, of).unwrap();
        let own = traffic.sent_by(stripe);
        let schedule = traffic.schedule().with_stripe(stripe);
        let due = own.iter().filter(|(_, due, ..)| *due <= Nanos(at)).count() as u64;
        prop_assert_eq!(schedule.due_by(Nanos(at)), due);
        let by_phase: u64 = schedule.phases_with_tokens().map(|(_, tokens)| tokens.unwrap()).sum();
        prop_assert_eq!(by_phase, own.len() as u64);
        // The stripes' shares of the expected number add up to it.
        let whole = traffic.schedule().mean_by(Nanos(at));
        prop_assert!((schedule.mean_by(Nanos(at)) * of as f64 - whole).abs() < 1e-6 * (1.0 + whole));
    }
}
