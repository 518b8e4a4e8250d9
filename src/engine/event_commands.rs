//! The commands of events, and their undos.

use super::EventLog;
use crate::base::{Moment, Nanos};
use crate::core::events::{CommandEnd, EventCommand, EventKind, MOST_OUTPUT, PlannedEvent};
use crate::core::plan::Plan;
use crate::system::Stop;
use crate::system::child_processes::{self, ChildProcess, Exit};
#[cfg(unix)]
use crate::system::guard::Guard;
use crate::system::signals::{self, ExitHold, Urgency};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The time that processes get between SIGTERM and SIGKILL.
const GRACE: Nanos = Nanos(2_000_000_000);

/// The time after SIGKILL in which processes must be gone. One that the kernel holds can't be waited for.
const LAST_GRACE: Nanos = Nanos(2_000_000_000);

/// The longest wait while a command is running, so that a stop and a signal are noticed.
const LOOK_EVERY: Nanos = Nanos(20_000_000);

/// The time between two searches for processes that are to be ended.
const SEARCH_EVERY: Nanos = Nanos(50_000_000);

/// The longest wait if no command is running.
const LONGEST_WAIT: Nanos = Nanos(3_600_000_000_000);

/// The events of a run. However its thread ends, also by a panic, it first ends the commands of events, and then runs the
/// undos of those that began and have not been undone, one after the other, the latest event first.
pub(super) struct EventCommands<'a> {
    plan: &'a Plan,
    /// Whether this process runs the commands. Of several stripes of a schedule, only the first one does, and the others note when
    /// the events were to begin.
    runs_commands: bool,
    log: &'a EventLog,
    /// The schedule's start.
    start: Moment,
    /// Requested when no further event may begin.
    end: Arc<Stop>,
    /// In the order of their instants.
    tasks: VecDeque<Task<'a>>,
    /// The events that have begun and have an undo that has not, in the order in which they began.
    owed: Vec<&'a PlannedEvent>,
    /// Every command that was started.
    processes: Vec<Process>,
    hold: Option<ExitHold>,
    /// Undoes what is to be undone if this process is killed. `None` if there is no undo, or it could not be started.
    #[cfg(unix)]
    guard: Option<Guard>,
    is_finished: bool,
}

/// The beginning of an event, or of its undo.
struct Task<'a> {
    at: Nanos,
    is_undo: bool,
    event: &'a PlannedEvent,
}

impl<'a> EventCommands<'a> {
    pub fn new(plan: &'a Plan, log: &'a EventLog, start: Moment, end: Arc<Stop>) -> Self {
        let mut tasks = Vec::new();
        for event in &plan.events {
            let undone = event.undo.as_ref().and_then(|undo| undo.at);
            let undone = undone.map(|at| (at, true));
            tasks.extend(
                [(event.at, false)]
                    .into_iter()
                    .chain(undone)
                    .map(|(at, is_undo)| Task { at, is_undo, event }),
            );
        }
        tasks.sort_by_key(|task| task.at);
        EventCommands {
            plan,
            runs_commands: plan.schedule.stripe().index() == 0,
            log,
            start,
            end,
            tasks: tasks.into(),
            owed: Vec::new(),
            processes: Vec::new(),
            hold: None,
            #[cfg(unix)]
            guard: None,
            is_finished: false,
        }
    }

    /// Ends after the end was requested, when every command of an event has ended and every undo has run.
    pub fn run(mut self) {
        #[cfg(unix)]
        self.start_guard();
        while !self.end.is_requested() {
            self.look();
            match self.tasks.front() {
                Some(task) if self.start + task.at <= Moment::now() => self.begin_next(),
                next => {
                    let due = next.map(|task| self.start + task.at);
                    self.wait_until(due.unwrap_or(Moment::MAX));
                }
            }
        }
        self.finish();
    }

    #[cfg(unix)]
    fn start_guard(&mut self) {
        if !self.runs_commands || self.plan.events.iter().all(|event| event.undo.is_none()) {
            return;
        }
        match Guard::start() {
            Ok(guard) => self.guard = Some(guard),
            Err(error) => eprintln!(
                "loadgen: nothing is undone if this process is killed, since its guard can't be started: {error}"
            ),
        }
    }

    fn begin_next(&mut self) {
        let Some(Task { at, is_undo, event }) = self.tasks.pop_front() else {
            return;
        };
        if is_undo {
            self.owed.retain(|owed| owed.name != event.name);
            self.begin_undo(event, Some(at));
        } else {
            self.begin_event(event);
        }
    }

    fn begin_event(&mut self, event: &'a PlannedEvent) {
        let due = Some(event.at);
        match event.command.as_ref().filter(|_| self.runs_commands) {
            None => _ = self.log.begin(EventKind::Mark, &event.name, due, None),
            Some(command) => {
                self.owed.extend(event.undo.as_ref().map(|_| event));
                #[cfg(unix)]
                if let (Some(guard), Some(undo)) = (&mut self.guard, &event.undo) {
                    let timeout = Nanos::from(self.plan.undo_timeout);
                    guard.owes(&event.name, &undo.command.words, timeout);
                }
                self.hold();
                self.start(EventKind::Command, event, due, command);
            }
        }
    }

    fn begin_undo(&mut self, event: &'a PlannedEvent, due: Option<Nanos>) {
        if !self.runs_commands {
            self.log.begin(EventKind::Undo, &event.name, due, None);
            return;
        }
        if let Some(undo) = &event.undo {
            self.start(EventKind::Undo, event, due, &undo.command);
        }
    }

    fn start(
        &mut self,
        kind: EventKind,
        event: &PlannedEvent,
        due: Option<Nanos>,
        command: &EventCommand,
    ) {
        let place = self.log.begin(kind, &event.name, due, Some(&command.text));
        let tag = Uuid::new_v4().simple().to_string();
        #[cfg(unix)]
        if let Some(guard) = &mut self.guard {
            guard.starts(&tag);
        }
        let started = ChildProcess::start(child_processes::Start {
            words: &command.words,
            tag: &tag,
            event: &event.name,
            kept_output: MOST_OUTPUT,
        });
        match started {
            Ok(child) => {
                #[cfg(unix)]
                if let Some(guard) = &mut self.guard {
                    guard.started(&tag, child.group());
                }
                let is_undo = kind == EventKind::Undo;
                let timeout = Nanos::from(self.plan.undo_timeout);
                self.processes.push(Process {
                    child,
                    place,
                    undoes: is_undo.then(|| event.name.clone()),
                    deadline: is_undo.then(|| Moment::now() + timeout),
                    ending: None,
                    is_recorded: false,
                });
            }
            Err(error) => {
                let end = CommandEnd::NotStarted(error.to_string());
                self.log.end(place, end, Default::default());
            }
        }
    }

    /// Keeps signals from ending the process while there is something to end or to undo.
    fn hold(&mut self) {
        let waits = !self.owed.is_empty() || self.processes.iter().any(Process::is_running_undo);
        let hold = self.hold.get_or_insert_with(ExitHold::new);
        hold.wait_for_undo(waits);
    }

    /// Looks after every process.
    fn look(&mut self) {
        let now = Moment::now();
        for process in &mut self.processes {
            let was_recorded = process.is_recorded;
            process.look(now, self.log);
            #[cfg(unix)]
            if let (Some(guard), Some(name)) = (&mut self.guard, &process.undoes)
                && process.is_recorded
                && !was_recorded
            {
                let has_left = process.ending.is_none();
                guard.undone(name, has_left.then(|| process.child.tag()));
            }
        }
        if self.hold.is_some() {
            self.hold();
        }
    }

    fn wait_until(&self, deadline: Moment) {
        let now = Moment::now();
        let watched = self.processes.iter().filter(|process| process.is_watched());
        let watched: Vec<_> = watched.map(|process| &process.child).collect();
        if watched.is_empty() {
            let wait = deadline.since(now).min(LONGEST_WAIT);
            self.end.wait(Duration::from(wait));
        } else {
            child_processes::wait(&watched, deadline.min(now + LOOK_EVERY));
        }
    }

    /// Ends the commands of events, and runs the undos. The second signal shortens the first, and the third one skips the
    /// second.
    fn finish(&mut self) {
        let now = Moment::now();
        for process in self
            .processes
            .iter_mut()
            .filter(|process| !process.is_undo())
        {
            process.end(now, GRACE);
        }
        self.wait_while(|process| !process.is_undo() && process.is_ending());
        // Undos that began by themselves.
        self.wait_while(Process::is_running_undo);
        while let Some(event) = self.owed.pop() {
            if signals::urgency() == Urgency::AtOnce {
                break;
            }
            self.begin_undo(event, None);
            self.wait_while(Process::is_running_undo);
        }
        self.is_finished = true;
        self.dismiss_guard();
        self.hold = None;
    }

    fn dismiss_guard(&mut self) {
        #[cfg(unix)]
        if let Some(guard) = self.guard.take() {
            guard.farewell();
        }
    }

    /// Waits while there are such processes.
    fn wait_while(&mut self, belongs: impl Fn(&Process) -> bool) {
        loop {
            self.look();
            if !self.processes.iter().any(&belongs) {
                return;
            }
            let urgency = signals::urgency();
            if urgency == Urgency::AtOnce {
                // Whatever ends this process now, the guard must not run the undos that are skipped.
                self.dismiss_guard();
            }
            let now = Moment::now();
            for process in &mut self.processes {
                if urgency == Urgency::AtOnce
                    || urgency == Urgency::AfterUndos && !process.is_undo()
                {
                    process.end(now, Nanos::ZERO);
                }
            }
            let deadline = now + LOOK_EVERY;
            let watched = self.processes.iter().filter(|process| process.is_watched());
            let watched: Vec<_> = watched.map(|process| &process.child).collect();
            child_processes::wait(&watched, deadline);
        }
    }
}

impl Drop for EventCommands<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            self.finish();
        }
    }
}

/// A command that was started.
struct Process {
    child: ChildProcess,
    /// Its place in the log.
    place: usize,
    /// The event that it undoes, if it is an undo.
    undoes: Option<String>,
    /// When it is ended. `None` if it may run until the end of the run.
    deadline: Option<Moment>,
    /// Set once it is to be ended, with everything that it has started.
    ending: Option<Ending>,
    /// Whether its end is in the log.
    is_recorded: bool,
}

struct Ending {
    kill: Moment,
    next_search: Moment,
    is_over: bool,
}

impl Process {
    fn is_undo(&self) -> bool {
        self.undoes.is_some()
    }

    fn is_running_undo(&self) -> bool {
        self.is_undo() && (!self.is_recorded || self.is_ending())
    }

    fn is_ending(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| !ending.is_over)
    }

    /// Whether its end or its output can be waited for.
    fn is_watched(&self) -> bool {
        self.child.is_watched() && self.ending.as_ref().is_none_or(|ending| !ending.is_over)
    }

    /// Ends it, and everything that it has started: at once, or after some time in which it may end by itself.
    fn end(&mut self, now: Moment, grace: Nanos) {
        match &mut self.ending {
            Some(ending) => ending.kill = ending.kill.min(now + grace),
            None => {
                if grace > Nanos::ZERO {
                    self.child.terminate();
                }
                self.ending = Some(Ending {
                    kill: now + grace,
                    next_search: now,
                    is_over: false,
                });
            }
        }
    }

    fn look(&mut self, now: Moment, log: &EventLog) {
        let exit = self.child.look();
        if let Some(exit) = exit {
            self.record(log, exit);
        } else if self.deadline.is_some_and(|deadline| deadline <= now) && self.ending.is_none() {
            self.end(now, GRACE);
        }
        let Some(ending) = self.ending.as_mut().filter(|ending| !ending.is_over) else {
            return;
        };
        if now < ending.next_search {
            return;
        }
        ending.next_search = now + SEARCH_EVERY;
        if self.child.is_gone() || now >= ending.kill + LAST_GRACE {
            ending.is_over = true;
            self.record(log, Exit::Code(0));
        } else if now >= ending.kill {
            self.child.kill();
        }
    }

    /// Notes the end of the command, once.
    fn record(&mut self, log: &EventLog, exit: Exit) {
        if std::mem::replace(&mut self.is_recorded, true) {
            return;
        }
        let end = match (&self.ending, exit) {
            (Some(_), _) => CommandEnd::Stopped,
            (None, Exit::Code(code)) => CommandEnd::Exited(code),
            (None, Exit::Signal(signal)) => CommandEnd::Signalled(signal),
        };
        log.end(self.place, end, self.child.output());
    }
}
