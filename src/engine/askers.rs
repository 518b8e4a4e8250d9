//! The askers: threads that send single requests, each at its own moment, and hand back the whole answer.

use super::run_end::RunEnd;
use super::sample_buffer::SampleBuffer;
use super::{CALLER_STACK, Caller, NoThread, spawn};
use crate::base::{Answer, KeyId, Moment, Nanos, Sample};
use crate::core::answers::Head;
use crate::core::audit::Decision;
use crate::core::audit::probe::{LimitHeaders, ProbeRequest, Reply};
use crate::system::scheduling::use_batch_policy;
use crate::system::timer::{SystemTimer, Timer};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::thread::Scope;

/// The time by which a request is handed to an asker before it is due: enough for the asker to be asleep by then.
pub(super) const AHEAD: Nanos = Nanos(2_000_000);

/// The most samples of one asker that may wait for the reporter.
const WAITING_SAMPLES: usize = 1 << 14;

/// A request that an asker sends at a given moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Errand {
    pub target: usize,
    pub key: u32,
    /// Whether it uses a connection of its own.
    pub fresh: bool,
    pub sequence: u64,
    pub at: Moment,
}

/// An errand that has ended. It is `None` if the run was over before the request was sent.
pub(super) type Return = (Errand, Option<(Sample, Option<Head>)>);

/// The two ends of the askers' work.
pub(super) struct Askers {
    /// The askers end when this is dropped.
    pub errands: Sender<Errand>,
    /// There is one return from each errand.
    pub returns: Receiver<Return>,
}

impl Askers {
    /// Starts an asker for each of `samples`. If it is not `None`, the asker's samples go there.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start<'scope, C: Caller>(
        scope: &'scope Scope<'scope, '_>,
        caller: &'scope C,
        samples: impl ExactSizeIterator<Item = Option<&'scope SampleBuffer>>,
        end: RunEnd<'scope>,
    ) -> Result<Askers, NoThread> {
        let (errands, taken) = bounded(samples.len());
        let (back, returns) = bounded(samples.len());
        for samples in samples {
            let asker = Asker {
                errands: taken.clone(),
                back: back.clone(),
                caller,
                samples,
                end,
            };
            spawn(scope, "asker", CALLER_STACK, move || {
                use_batch_policy();
                asker.run(&SystemTimer::for_this_thread());
            })?;
        }
        Ok(Askers { errands, returns })
    }
}

struct Asker<'a, C> {
    errands: Receiver<Errand>,
    back: Sender<Return>,
    caller: &'a C,
    samples: Option<&'a SampleBuffer>,
    end: RunEnd<'a>,
}

impl<C: Caller> Asker<'_, C> {
    /// Ends when nobody is left to send errands.
    fn run(self, timer: &impl Timer) {
        let mut scratch = C::Scratch::default();
        for errand in &self.errands {
            while timer.now() < errand.at && !self.end.is_over() {
                timer.sleep_until(errand.at, self.end.stop);
            }
            let came = (!self.end.is_over()).then(|| self.ask(&errand, &mut scratch));
            // Whoever sent the errand waits for its return, unless a panic ended that thread.
            let _ = self.back.send((errand, came));
        }
    }

    fn ask(&self, errand: &Errand, scratch: &mut C::Scratch) -> (Sample, Option<Head>) {
        let (target, key, sequence) = (errand.target, KeyId(errand.key), errand.sequence);
        let due = Moment::now();
        if let Some(samples) = self.samples {
            samples.begin(due);
        }
        let call = || {
            if errand.fresh {
                self.caller
                    .call_over_fresh_connection(target, sequence, key, scratch)
            } else {
                self.caller.call(target, sequence, key, scratch)
            }
        };
        let (answer, head) = self.end.guard(call);
        let sample = Sample {
            sequence,
            key,
            target: target as u32,
            due,
            waited_for_target: false,
            answer,
        };
        if let Some(samples) = self.samples {
            samples.push(sample, WAITING_SAMPLES);
        }
        (sample, head)
    }
}

/// The reply to an errand, with times since `start`.
pub(super) fn reply(errand: &Errand, answer: &Answer, head: Option<Head>, start: Moment) -> Reply {
    let request = ProbeRequest {
        sequence: errand.sequence,
        target: errand.target,
        sent: answer.sent.since(start),
        done: answer.done.max(answer.sent).since(start),
        decision: Decision::of(answer.outcome),
    };
    Reply {
        request,
        address: answer.address,
        failing_open: answer.failing_open,
        status: head.as_ref().map(|head| head.status.as_u16()),
        headers: head.map_or_else(LimitHeaders::default, |head| {
            LimitHeaders::of(&head.headers)
        }),
    }
}
