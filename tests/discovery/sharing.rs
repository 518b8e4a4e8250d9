//! Nodes with small limits that count alone, or share a count.

use super::limiters::{self, Algorithm, Fault};
use super::simulation::{World, run};
use super::{NEAR, SECOND};
use loadgen::core::discovery::{Bounds, Experiment, Findings, Shares};

fn found(
    algorithm: Algorithm,
    fault: Option<Fault>,
    limit: u64,
    window: u64,
    seed: u64,
) -> Findings {
    let world = World {
        seed,
        nodes: 3,
        limits: Vec::new(),
        latency: NEAR,
        millionths: 0,
    };
    let mut limiter = match fault {
        Some(fault) => limiters::faulty(algorithm, fault, limit, window, 0),
        None => limiters::exact(algorithm, limit, window),
    };
    let experiment = Experiment::new(Bounds::DEFAULT, world.nodes);
    run(&world, experiment, &mut limiter)
}

#[test]
fn nodes_of_small_limits_are_never_said_to_share_what_they_do_not() {
    for (limit, window) in [(1, SECOND), (3, SECOND), (5, 2 * SECOND), (2, 10 * SECOND)] {
        for algorithm in [
            Algorithm::SlidingLog,
            Algorithm::ClockWindow,
            Algorithm::Gcra,
        ] {
            for seed in 1..3 {
                let alone = found(algorithm, Some(Fault::NodesAlone), limit, window, seed);
                let shown = format!("{algorithm:?} {limit} per {window} ns, seed {seed}");
                assert!(
                    !alone.nodes[1..].contains(&Shares::Yes),
                    "{shown}: {:?}",
                    alone.nodes
                );
                let shared = found(algorithm, None, limit, window, seed);
                assert!(
                    !shared.nodes[1..].contains(&Shares::No),
                    "{shown}: {:?}",
                    shared.nodes
                );
                println!(
                    "{shown}: alone {:?}, shared {:?}",
                    &alone.nodes[1..],
                    &shared.nodes[1..]
                );
            }
        }
    }
}
