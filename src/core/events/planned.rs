use crate::base::Nanos;

/// An event at an instant of the schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedEvent {
    /// No other event of the plan has it. One line of at most [`LONGEST_NAME`](super::LONGEST_NAME) characters.
    pub name: String,
    /// Since the schedule's start. Before its end, if it has one.
    pub at: Nanos,
    /// `None` for a mark.
    pub command: Option<EventCommand>,
    /// `None` unless there is a command.
    pub undo: Option<Undo>,
}

/// A program and its arguments. No shell reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCommand {
    /// As it was typed.
    pub text: String,
    /// The program, and its arguments. There is at least the program.
    pub words: Vec<String>,
}

/// A command that must run if the event's own command ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    /// When it runs, since the schedule's start. `None`, or a run that ends earlier, stands for the end of the run.
    pub at: Option<Nanos>,
    pub command: EventCommand,
}
