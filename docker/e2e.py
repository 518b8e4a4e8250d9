#!/usr/bin/env python3
"""Brings the stack of docker-compose.yml up and checks what a person would look at: the log, what
Prometheus has, its alerts, a second generator, a node that stops and returns under another address,
Redis that stops and returns, the summary and the files, Grafana's dashboard, the nodes counting
each alone, which an audit tells from nodes that share a count, four stripes of one run in a Docker
Swarm, and the drills. It sends at most 60 requests a second, takes about twelve minutes beside
building the images, and takes everything down again.

The claims are in docker/stack_test/claims.

Exit codes: 0 every claim holds; 1 one does not; 2 refused, since something here is already in use;
77 nothing was checked, since there is no Docker engine or no Compose.

Times have wide margins: the machine may be slow, and busy with something else.
"""

import argparse
import signal
import subprocess
import sys
import time

# Nothing is written into the source tree.
sys.dont_write_bytecode = True

from stack_test import swarm
from stack_test.claims import admissions, dashboard, drills, end, files, late, outages, running, stripes
from stack_test.holding import Broken, NothingChecked, Refused, holds, run
from stack_test.stack import PROJECT, Stack, compose_program, refuse_what_is_in_use

NOT_CHECKED = 77
BANNER = ["", "*" * 100, ""]

# Before anything is built.
CLAIMS_OF_FILES = [
    files.the_example_of_variables_lists_the_defaults,
    dashboard.the_dashboard_is_one_that_grafana_reads,
]

# These are about the release: an image that is built faster is larger.
CLAIMS_OF_IMAGES = [
    files.the_images_hold_one_small_program_each,
    files.the_images_say_what_they_are,
]

# In this order, with the stack up.
CLAIMS = [
    running.six_services_run_and_are_healthy,
    running.prometheus_reaches_every_target,
    running.promtool_accepts_the_metrics_as_classic_text,
    running.two_generators_are_two_series_until_one_ends,
    running.every_node_gets_a_third_of_the_checks,
    running.the_generators_own_counts_are_in_prometheus,
    running.stats_lines_come_every_ten_seconds,
    running.bursts_begin_and_end_on_time,
    outages.a_stopped_node_fails_only_its_own_share,
    outages.it_is_found_again_under_another_address,
    running.a_burst_takes_keys_over_their_limit,
    outages.without_redis_checks_fail_at_once,
    outages.with_redis_back_the_nodes_recover,
    end.no_service_reached_its_limits,
    end.stopped_the_generator_prints_a_balanced_summary,
    end.its_results_are_in_the_volume,
    running.without_a_generator_there_is_no_target_of_one,
    admissions.a_long_run_begins,
    dashboard.every_expression_of_the_dashboard_has_values,
    late.a_name_without_a_record_is_waited_for,
    admissions.a_limit_that_is_kept_is_never_read_as_more,
    admissions.together_the_nodes_admit_the_limit_once,
    stripes.together_they_send_one_schedule_and_prove_that_the_limit_is_kept,
    stripes.the_rest_is_right_without_a_stripe_that_was_killed,
    admissions.alone_each_node_admits_the_limit,
    stripes.together_they_prove_that_nodes_count_alone,
    drills.paused_redis_fails_closed_and_nothing_is_admitted,
    drills.paused_redis_fails_open_and_each_such_admission_is_known,
    drills.restarted_redis_has_lost_its_counts,
    drills.a_killed_node_fails_alone,
    drills.a_frozen_node_delays_no_other,
    drills.a_node_that_is_cut_off_fails_alone,
]


def down(stack):
    stack.down()
    swarm.leave()


def nothing_is_left_behind(stack):
    down(stack)
    holds(not swarm.is_own(), "the engine is still in the swarm that this test made")
    holds(not stack.containers(), f"containers are left: {stack.containers()}")
    for kind in "network", "volume":
        left = run("docker", kind, "ls", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}").split()
        holds(not left, f"a {kind} is left: {left}")


def step(name, action):
    """Says what is done or claimed, how long it took, and what came of it."""
    print(name, end=" ... ", flush=True)
    began = time.monotonic()
    try:
        said = action()
    except BaseException:
        print("NO", flush=True)
        raise
    print(f"{time.monotonic() - began:.1f} s{f' ({said})' if said else ''}", flush=True)


def claim(function, stack):
    step(function.__name__.replace("_", " "), lambda: function(stack))


def verify(stack, keep, profile):
    """Every claim in turn, with the stack up; taken down at the end, whatever happened."""
    for each in CLAIMS_OF_FILES:
        claim(each, stack)
    step("build", lambda: stack.build(LOADGEN_BUILD_PROFILE=profile))
    if profile == "release":
        for each in CLAIMS_OF_IMAGES:
            claim(each, stack)
    try:
        try:
            step("up", lambda: stack.up())
            for each in CLAIMS:
                claim(each, stack)
        except BaseException:
            print(*stack.tails(), sep="\n", flush=True)
            raise
    finally:
        if keep:
            print("The stack stays up. To take it down: docker/e2e.py --down", flush=True)
        else:
            claim(nothing_is_left_behind, stack)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="leave the stack up")
    parser.add_argument("--down", action="store_true", help="only take down what --keep left")
    parser.add_argument("--profile", default="release", help="how the images are built: release, or image-dev, which is "
                        "built faster and not checked for its size")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    try:
        stack = Stack(compose_program())
        if options.down:
            return down(stack)
        refuse_what_is_in_use(stack)
        verify(stack, options.keep, options.profile)
    except NothingChecked as reason:
        print(*BANNER, f"   The stack was NOT CHECKED: {reason}.", *BANNER, sep="\n", file=sys.stderr)
        return NOT_CHECKED
    except Refused as reason:
        print(f"e2e: {reason}", file=sys.stderr)
        return 2
    except (Broken, OSError, subprocess.TimeoutExpired) as failure:
        print(f"e2e: {failure}", file=sys.stderr)
        return 1
    print(f"All of it holds, after {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
