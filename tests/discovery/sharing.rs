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
#[ignore = "takes a minute without optimization: `cargo test --profile properties --test discovery -- --ignored`"]
fn nodes_of_small_limits_are_never_said_to_share_what_they_do_not() {
    let small = [(1, SECOND), (3, SECOND), (5, 2 * SECOND)];
    let algorithms = [
        Algorithm::SlidingLog,
        Algorithm::ClockWindow,
        Algorithm::Gcra,
    ];
    for ((limit, window), algorithm) in small.into_iter().zip(algorithms) {
        let alone = found(algorithm, Some(Fault::NodesAlone), limit, window, limit);
        let shared = found(algorithm, None, limit, window, limit);
        let nodes = [&alone, &shared].map(|findings| &findings.nodes[1..]);
        let shown = format!("{algorithm:?} {limit} per {window} ns: {nodes:?}");
        assert!(!nodes[0].contains(&Shares::Yes), "{shown}");
        assert!(!nodes[1].contains(&Shares::No), "{shown}");
        // One admission in a comparison may be chance. More are not.
        let expected = if limit == 1 {
            Shares::Unknown
        } else {
            Shares::No
        };
        assert_eq!(nodes[0], [expected; 2], "{shown}");
    }
}
