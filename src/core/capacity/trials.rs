use super::{Cause, Outcome};

/// The steps that agree on a rate before it is settled.
const ENOUGH: usize = 2;

/// The outcomes of the steps at one rate.
#[derive(Debug, Clone, Default)]
pub(super) struct Trials {
    held: usize,
    /// The causes of those that did not hold.
    not_held: Vec<Cause>,
    /// Whether a step that did not hold was outside of chance.
    is_certain: bool,
    /// The steps that other processes on this machine disturbed, up to [`DISTURBED`].
    disturbed: usize,
}

/// The disturbed steps at one rate that say nothing. Further ones count: the disturbance goes on.
const DISTURBED: usize = 2;

/// What the steps at one rate say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Holds,
    DoesNotHold,
    /// They disagree, or the only one may have failed by chance.
    Undecided,
}

impl Trials {
    pub fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Held => self.held += 1,
            Outcome::NotHeld {
                cause: Cause::Generator,
                may_be_chance: true,
            } if self.disturbed < DISTURBED => self.disturbed += 1,
            Outcome::NotHeld {
                cause,
                may_be_chance,
            } => {
                self.not_held.push(cause);
                self.is_certain |= !may_be_chance || cause == Cause::Generator;
            }
            Outcome::Void => {}
        }
    }

    pub fn count(&self) -> usize {
        self.held + self.not_held.len()
    }

    pub fn held(&self) -> usize {
        self.held
    }

    pub fn verdict(&self) -> Verdict {
        let not_held = self.not_held.len();
        if self.held > not_held {
            Verdict::Holds
        } else if self.held < not_held && (self.is_certain || not_held >= ENOUGH) {
            Verdict::DoesNotHold
        } else {
            Verdict::Undecided
        }
    }

    /// Whether enough steps agree.
    pub fn are_settled(&self) -> bool {
        self.held.max(self.not_held.len()) >= ENOUGH
    }

    /// Why the rate does not hold. If steps disagree, the limiter is named only if two steps name it.
    pub fn cause(&self) -> Option<Cause> {
        let times = |cause: Cause| self.not_held.iter().filter(|own| **own == cause).count();
        if times(Cause::Missed) >= ENOUGH {
            return Some(Cause::Missed);
        }
        let others = self.not_held.iter().filter(|own| **own != Cause::Missed);
        let other = others.max_by_key(|own| times(**own));
        other.or(self.not_held.first()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trials(outcomes: &[Outcome]) -> Trials {
        let mut trials = Trials::default();
        for outcome in outcomes {
            trials.add(*outcome);
        }
        trials
    }

    fn not_held(cause: Cause) -> Outcome {
        Outcome::NotHeld {
            cause,
            may_be_chance: false,
        }
    }

    #[test]
    fn two_of_three_decide_and_one_miss_within_chance_does_not() {
        let chance = Outcome::NotHeld {
            cause: Cause::Missed,
            may_be_chance: true,
        };
        let disturbed = Outcome::NotHeld {
            cause: Cause::Generator,
            may_be_chance: true,
        };
        let unjudged = Outcome::NotHeld {
            cause: Cause::Unjudged,
            may_be_chance: true,
        };
        let certain = not_held(Cause::Missed);
        for (outcomes, verdict, is_settled) in [
            (&[][..], Verdict::Undecided, false),
            (&[Outcome::Held], Verdict::Holds, false),
            (&[certain], Verdict::DoesNotHold, false),
            (&[chance], Verdict::Undecided, false),
            (&[chance, chance], Verdict::DoesNotHold, true),
            (&[unjudged], Verdict::Undecided, false),
            (&[disturbed, disturbed], Verdict::Undecided, false),
            (&[disturbed, Outcome::Held], Verdict::Holds, false),
            (
                &[disturbed, disturbed, disturbed],
                Verdict::DoesNotHold,
                false,
            ),
            (&[disturbed; 4], Verdict::DoesNotHold, true),
            (&[chance, Outcome::Held], Verdict::Undecided, false),
            (
                &[certain, Outcome::Void, Outcome::Held],
                Verdict::Undecided,
                false,
            ),
            (
                &[certain, Outcome::Held, Outcome::Held],
                Verdict::Holds,
                true,
            ),
        ] {
            let trials = trials(outcomes);
            assert_eq!(trials.verdict(), verdict, "{outcomes:?}");
            assert_eq!(trials.are_settled(), is_settled, "{outcomes:?}");
        }
    }

    #[test]
    fn the_limiter_is_not_named_for_what_this_machine_may_have_done() {
        use Cause::{Connections, Generator, Missed};
        for (causes, named) in [
            (&[][..], None),
            (&[Missed], Some(Missed)),
            (&[Missed, Missed], Some(Missed)),
            (&[Missed, Generator], Some(Generator)),
            (&[Missed, Generator, Missed], Some(Missed)),
            (&[Connections, Generator, Connections], Some(Connections)),
        ] {
            let outcomes: Vec<_> = causes.iter().map(|cause| not_held(*cause)).collect();
            assert_eq!(trials(&outcomes).cause(), named, "{causes:?}");
        }
    }
}
