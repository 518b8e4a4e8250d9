//! The Redis store while its server comes and goes.

#[path = "../support/redis.rs"]
#[allow(dead_code, reason = "the unit tests use the rest")]
mod redis_server;

use loadgen::limiter::{Algorithm, Check, Key, Limit, RedisStore, Store, Window};
use redis_server::RedisServer;
use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_millis(500);

/// The extra time that anything may take here, as the machine may be busy.
const SLACK: Duration = Duration::from_secs(3);

const PATIENCE: Duration = Duration::from_secs(30);

fn store_at(url: &str, algorithm: Algorithm, timeout: Duration) -> RedisStore {
    RedisStore::start(&url.parse().unwrap(), algorithm, timeout).unwrap()
}

fn store(server: &RedisServer) -> RedisStore {
    store_at(&server.url(), Algorithm::default(), TIMEOUT)
}

fn check(key: &str, limit: u64, window_millis: u64) -> Check {
    Check {
        key: Key::new(key).unwrap(),
        limit: Limit::new(limit).unwrap(),
        window: Window::from_millis(window_millis).unwrap(),
    }
}

fn any() -> Check {
    check("k", 1_000_000, 1_000)
}

fn failure(store: &RedisStore) -> String {
    store.check(&any()).unwrap_err().to_string()
}

/// Waits until a check is answered, and returns how long that took.
#[track_caller]
fn recovery(store: &RedisStore) -> Duration {
    let start = Instant::now();
    while let Err(error) = store.check(&any()) {
        assert!(start.elapsed() < PATIENCE, "{error}");
        thread::sleep(Duration::from_millis(1));
    }
    start.elapsed()
}

#[track_caller]
fn until_it_fails(store: &RedisStore) {
    let start = Instant::now();
    while store.check(&any()).is_ok() {
        assert!(start.elapsed() < PATIENCE);
    }
}

fn connection(server: &RedisServer) -> redis::Connection {
    let client = redis::Client::open(server.url()).unwrap();
    client.get_connection().unwrap()
}

#[test]
fn many_threads_of_several_nodes_get_exactly_the_limit() {
    const LIMIT: usize = 1_000;
    let server = RedisServer::start();
    // A day refills a token in 86 s: none comes back while the threads run.
    let check = check("k", LIMIT as u64, 86_400_000);
    for &algorithm in Algorithm::ALL {
        let nodes: Vec<_> = (0..3)
            .map(|_| store_at(&server.url(), algorithm, PATIENCE))
            .collect();
        let decisions: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..12)
                .map(|thread| {
                    let (node, check) = (&nodes[thread % nodes.len()], &check);
                    let decide = move |_| node.check(check).unwrap();
                    scope.spawn(move || (0..200).map(decide).collect::<Vec<_>>())
                })
                .collect();
            threads
                .into_iter()
                .flat_map(|t| t.join().unwrap())
                .collect()
        });
        let allowed = || decisions.iter().filter(|decision| decision.allowed);
        assert_eq!(allowed().count(), LIMIT, "{algorithm}");
        let remaining: HashSet<_> = allowed().map(|decision| decision.remaining).collect();
        assert_eq!(
            remaining.len(),
            LIMIT,
            "{algorithm}: every remaining number is unique"
        );
    }
}

#[test]
fn every_key_is_the_algorithms_own_and_expires() {
    let server = RedisServer::start();
    let mut redis = connection(&server);
    for &algorithm in Algorithm::ALL {
        let store = store_at(&server.url(), algorithm, PATIENCE);
        // Allowed and blocked, and another window, longer and shorter.
        for window_millis in [60_000, 90_000, 5_000, 5_000] {
            store.check(&check("a b\n", 2, window_millis)).unwrap();
            let name = format!("ratelimiter:{algorithm}:a b\n");
            let left: i64 = redis::cmd("PTTL").arg(&name).query(&mut redis).unwrap();
            let longest = window_millis as i64 + 2_000;
            assert!(
                (1..=longest).contains(&left),
                "{algorithm}: {left} ms left of {window_millis}"
            );
        }
    }
    let store = store(&server);
    assert_eq!(store.keys().unwrap(), Algorithm::ALL.len() as u64);
    let start = Instant::now();
    while store.keys().unwrap() > 0 {
        assert!(start.elapsed() < PATIENCE, "a key does not expire");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn while_redis_is_away_calls_fail_at_once_and_its_return_is_noticed() {
    let mut server = RedisServer::not_started(&[]);
    let store = store(&server);
    for round in 0..3 {
        until_it_fails(&store);
        let start = Instant::now();
        for _ in 0..1_000 {
            let refused = format!("redis at {}: connection refused", server.addr());
            assert_eq!(failure(&store), refused);
        }
        assert!(store.health().is_err() && store.keys().is_err());
        assert!(
            start.elapsed() < SLACK,
            "1000 failures took {:?}",
            start.elapsed()
        );

        server.restart();
        let recovery = recovery(&store);
        println!(
            "round {round}: 1000 failures in {:?}, back after {recovery:?}",
            start.elapsed()
        );
        assert!(recovery < Duration::from_secs(2) + SLACK);
        store.health().unwrap();
        server.kill();
    }
}

#[test]
fn a_restart_between_two_calls_is_noticed_by_neither() {
    let mut server = RedisServer::start();
    let store = store(&server);
    for _ in 0..3 {
        store.check(&any()).unwrap();
        server.restart();
    }
    store.check(&any()).unwrap();
}

#[test]
fn a_redis_that_stops_answering_holds_each_call_no_longer_than_the_timeout_and_later_calls_not_at_all()
 {
    let server = RedisServer::start();
    let store = store(&server);
    store.check(&any()).unwrap();

    server.pause();
    thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                let start = Instant::now();
                assert!(store.check(&any()).is_err());
                assert!(start.elapsed() < TIMEOUT + SLACK);
            });
        }
    });
    let start = Instant::now();
    for _ in 0..1_000 {
        assert!(failure(&store).contains(" in time"), "{}", failure(&store));
    }
    assert!(start.elapsed() < SLACK, "{:?}", start.elapsed());

    server.resume();
    let recovery = recovery(&store);
    println!("back after {recovery:?}");
    assert!(recovery < Duration::from_secs(2) + SLACK);
}

#[test]
fn a_restart_under_load_costs_errors_while_it_lasts_and_nothing_else() {
    let mut server = RedisServer::start();
    let store = store(&server);
    let (stop, slowest) = (AtomicBool::new(false), AtomicU64::new(0));
    let (well, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    match store.check(&any()) {
                        Ok(_) => drop(well.fetch_add(1, Ordering::Relaxed)),
                        Err(_) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            thread::sleep(Duration::from_millis(1));
                        }
                    }
                    let took = start.elapsed().as_micros() as u64;
                    slowest.fetch_max(took, Ordering::Relaxed);
                }
            });
        }
        let await_more = |counter: &AtomicU64| {
            let (before, start) = (counter.load(Ordering::Relaxed), Instant::now());
            while counter.load(Ordering::Relaxed) < before + 1_000 {
                assert!(start.elapsed() < PATIENCE, "the store stays as it is");
                thread::sleep(Duration::from_millis(1));
            }
        };
        for _ in 0..3 {
            await_more(&well);
            server.kill();
            await_more(&failed);
            server.restart();
        }
        await_more(&well);
        for _ in 0..1_000 {
            store.check(&any()).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    let slowest = Duration::from_micros(slowest.into_inner());
    println!("slowest call: {slowest:?}");
    assert!(slowest < TIMEOUT + SLACK);
}

#[test]
fn a_killed_connection_costs_no_more_than_its_call() {
    let server = RedisServer::start();
    let store = store(&server);
    store.check(&any()).unwrap();
    let mut redis = connection(&server);
    let kill = redis::cmd("CLIENT")
        .arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"])
        .to_owned();
    for _ in 0..20 {
        kill.exec(&mut redis).unwrap();
        store.check(&any()).unwrap();
    }
}

#[test]
fn a_script_that_redis_forgot_is_sent_again() {
    let server = RedisServer::start();
    let mut redis = connection(&server);
    for &algorithm in Algorithm::ALL {
        let store = store_at(&server.url(), algorithm, PATIENCE);
        assert_eq!(store.check(&check("k", 2, 60_000)).unwrap().remaining, 1);
        redis::cmd("SCRIPT").arg("FLUSH").exec(&mut redis).unwrap();
        assert_eq!(store.check(&check("k", 2, 60_000)).unwrap().remaining, 0);
    }
}

#[test]
fn password_user_and_database_are_used() {
    let server = RedisServer::start_with(&["--requirepass", "s/cret"]);
    let url = |login: &str, database| format!("redis://{login}{}/{database}", server.addr());
    let algorithm = Algorithm::default();
    for (login, database) in [
        (":s%2Fcret@", 0),
        (":s%2Fcret@", 7),
        ("default:s%2Fcret@", 7),
    ] {
        let store = store_at(&url(login, database), algorithm, PATIENCE);
        store.check(&check("k", 10, 60_000)).unwrap();
        assert_eq!(store.keys().unwrap(), 1);
    }
    let unknown = "WRONGPASS invalid username-password pair or user is disabled.";
    for (login, database, reason) in [
        ("", 0, "NOAUTH Authentication required."),
        (":secret@", 0, unknown),
        (":s%2Fcret@", 16, "ERR DB index is out of range"),
    ] {
        let failure = failure(&store_at(&url(login, database), algorithm, PATIENCE));
        assert_eq!(failure, format!("redis at {}: {reason}", server.addr()));
    }
}

#[test]
fn an_error_of_redis_is_passed_on_and_the_store_stays_usable() {
    let server = RedisServer::start();
    let store = store(&server);
    store.check(&any()).unwrap();
    let mut redis = connection(&server);
    let mut send = |command: &str| {
        let mut words = command.split(' ');
        let mut cmd = redis::cmd(words.next().unwrap());
        cmd.arg(words.collect::<Vec<_>>());
        cmd.exec(&mut redis).unwrap();
    };
    for (trouble, reason, end) in [
        ("CONFIG SET maxmemory 1", "OOM ", "CONFIG SET maxmemory 0"),
        ("REPLICAOF 127.0.0.1 1", "READONLY ", "REPLICAOF NO ONE"),
        (
            "SET ratelimiter:sliding-log:k text",
            "WRONGTYPE ",
            "DEL ratelimiter:sliding-log:k",
        ),
    ] {
        send(trouble);
        let failure = failure(&store);
        assert!(
            failure.starts_with(&format!("redis at {}: {reason}", server.addr())),
            "{failure}"
        );
        // A key of another type is a fault of this key, not of the store.
        let healthy = reason == "WRONGTYPE ";
        assert_eq!(store.health().is_ok(), healthy, "{reason}");
        send(end);
        store.check(&any()).unwrap();
        store.health().unwrap();
    }
    store.health().unwrap();
    send("DEL ratelimiter:sliding-log:k");
    assert_eq!(store.keys().unwrap(), 0, "a health check leaves no key");
}

/// Forwards each new connection to the current target, until the process ends.
fn forward_to(target: &Arc<Mutex<SocketAddr>>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    let target = Arc::clone(target);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(*target.lock().unwrap()).unwrap();
            let ways = [(&client, &server), (&server, &client)];
            for (from, to) in ways {
                let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
            }
        }
    });
    addr
}

#[test]
fn after_a_failover_the_new_master_is_used_at_the_same_address() {
    let (old, new) = (RedisServer::start(), RedisServer::start());
    let target = Arc::new(Mutex::new(old.addr()));
    let url = format!("redis://{}", forward_to(&target));
    let store = store_at(&url, Algorithm::default(), TIMEOUT);
    store.check(&any()).unwrap();

    let mut demote = redis::cmd("REPLICAOF");
    let demote = demote.arg("127.0.0.1").arg(new.addr().port());
    demote.exec(&mut connection(&old)).unwrap();
    *target.lock().unwrap() = new.addr();
    assert!(failure(&store).contains("READONLY "));
    println!("back after {:?}", recovery(&store));
}

/// A server that answers each connection with `answer`, or never.
fn other_server(answer: Option<&'static [u8]>) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut silent = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            match answer {
                Some(answer) => drop(stream.write_all(answer)),
                None => silent.push(stream),
            }
        }
    });
    url
}

#[test]
fn a_server_that_is_not_redis_is_reported_at_once() {
    for (answer, reason) in [
        (
            Some(&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..]),
            "the server is not Redis",
        ),
        (Some(b"*3\r\n"), "the connection was closed"),
        (Some(b""), "the connection was closed"),
        (None, " in time"),
    ] {
        let store = store_at(&other_server(answer), Algorithm::default(), TIMEOUT);
        let start = Instant::now();
        for _ in 0..20 {
            let failure = failure(&store);
            assert!(failure.ends_with(reason), "{failure}");
        }
        assert!(start.elapsed() < TIMEOUT + SLACK, "{:?}", start.elapsed());
    }
}

#[test]
fn an_answer_that_arrives_byte_by_byte_is_overdue_all_the_same() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let _ = stream.write_all(b"+PONG\r\n+");
                while stream.write_all(b".").is_ok() {
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
    });
    let store = store_at(&url, Algorithm::default(), TIMEOUT);
    let start = Instant::now();
    let failure = failure(&store);
    assert!(
        failure.ends_with(" in time") || failure.contains("not Redis"),
        "{failure}"
    );
    assert!(start.elapsed() < TIMEOUT + SLACK);
}

#[test]
fn an_unknown_name_is_reported() {
    let store = store_at("redis://redis.invalid", Algorithm::default(), PATIENCE);
    let failure = failure(&store);
    assert!(
        failure.starts_with("redis at redis.invalid:6379: failed to lookup"),
        "{failure}"
    );
}
