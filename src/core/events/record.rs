use crate::base::Nanos;

/// An event that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    pub name: String,
    pub kind: EventKind,
    /// When it was to begin, since the schedule's start. `None` for a mark that somebody posted, and for an undo that runs
    /// because the run ends.
    pub due: Option<Nanos>,
    /// When it began, since the schedule's start: just before its command was started.
    pub began: Nanos,
    /// `None` for a mark.
    pub command: Option<CommandRecord>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A command of the plan.
    Command,
    /// The command that undoes the event of the same name.
    Undo,
    /// A mark of the plan.
    Mark,
    /// A mark that somebody posted while the run went on.
    Posted,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandRecord {
    /// As it was typed.
    pub text: String,
    /// When it ended, since the schedule's start. `None` while it is running.
    pub ended: Option<Nanos>,
    pub end: CommandEnd,
    /// The last [`MOST_OUTPUT`](super::MOST_OUTPUT) bytes that it wrote to standard output and standard error.
    pub output: String,
    /// The bytes that it wrote before these.
    pub output_cut: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandEnd {
    Running,
    /// It exited with this code.
    Exited(i32),
    /// A signal of this number ended it, which loadgen did not send.
    Signalled(i32),
    /// It could not be started, for this reason.
    NotStarted(String),
    /// It was still running when the run ended, or its time had passed, so loadgen ended it.
    Stopped,
}

impl EventRecord {
    /// The name, which for an undo says what it undoes.
    pub fn title(&self) -> String {
        titled(&self.name, self.kind == EventKind::Undo)
    }

    /// Whether this is a mark, or an event whose command is running.
    pub fn has_just_begun(&self) -> bool {
        let command = self.command.as_ref();
        command.is_none_or(|command| command.end == CommandEnd::Running)
    }

    /// Whether the event did not do what it was to do, as far as its command's end tells, once the run is over. An event's
    /// command may still have been running when the run ended; an undo must have ended by itself.
    pub fn has_failed(&self) -> bool {
        match (&self.command, self.kind) {
            (Some(command), EventKind::Undo) => !command.end.is_fine(),
            (Some(command), _) => !command.end.is_fine() && command.end != CommandEnd::Stopped,
            (None, _) => false,
        }
    }
}

impl EventKind {
    /// The word of results and metrics.
    pub fn name(self) -> &'static str {
        match self {
            EventKind::Command => "command",
            EventKind::Undo => "undo",
            EventKind::Mark => "mark",
            EventKind::Posted => "posted",
        }
    }
}

impl CommandEnd {
    /// Whether the command did what it was to do, as far as its end tells.
    pub fn is_fine(&self) -> bool {
        *self == CommandEnd::Exited(0)
    }

    /// Why the command did not do what it was to do, such as `exit code 1`. `None` if it exited with 0.
    pub fn error(&self) -> Option<String> {
        match self {
            CommandEnd::Exited(0) => None,
            CommandEnd::Exited(code) => Some(format!("exit code {code}")),
            CommandEnd::Signalled(signal) => Some(format!("ended by signal {signal}")),
            CommandEnd::NotStarted(why) => Some(format!("could not be started: {why}")),
            CommandEnd::Stopped => Some("did not end by itself, and was ended".to_owned()),
            CommandEnd::Running => Some("was still running".to_owned()),
        }
    }
}

/// The title of an event, or of its undo.
pub fn titled(name: &str, is_undo: bool) -> String {
    if is_undo {
        format!("undo of {name}")
    } else {
        name.to_owned()
    }
}
