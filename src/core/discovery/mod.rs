//! What does a limiter enforce of each key? The experiment finds out from the outside, with few requests.
//!
//! A *counter* is what requests count against together: a key, or a key at one node. It is *full* if it blocks. An *edge* is the
//! instant at which a full counter admits a request again.
//!
//! An [`Experiment`] has neither clock nor sockets. It plans the next request ([`Step`]) from the answers so far
//! ([`Reply`](crate::core::audit::probe::Reply)). Several trials share the time, each on a key that nobody used before:
//!
//! 1. The *main* key is asked ever faster until a request is blocked, then ever more seldom until one is admitted again, and
//!    so on (`saturation`). That tells how much a key is admitted at once, when it is admitted more, and how much then.
//! 2. At its first block, fresh connections, the other nodes and another key are compared with it (`comparison`).
//! 3. The *untouched* key is filled, and then asked only at times that double (`untouched`). If it is admitted again and the
//!    main key is not, blocked requests count too. Then further keys are filled, and each is asked once, after a time of
//!    its own (`waits`).
//! 4. Further keys are only filled, since a window may have ended while the main key was.
//! 5. The *split* key gets one request, and the rest more than half a window later (`split`): a log, a window that the first
//!    request opens, and a window of a clock then admit at different times.
//!
//! In the end, each kind of limiter that this project knows is held against all answers (`models`, `search`). The answer is
//! every kind that explains them, with all limits and windows for which it does.
//!
//! A limit that admits more than about half of what the experiment may send per second is filled too slowly to be told
//! from others.

mod bounds;
mod claims;
mod comparison;
mod delays;
mod evidence;
mod experiment;
mod failures;
mod findings;
mod fit;
mod found;
mod guesses;
mod models;
mod record;
mod roundest;
mod saturation;
mod search;
mod split;
mod untouched;
mod waits;

pub use bounds::Bounds;
pub use claims::{Claims, Remaining, TimeClaim};
pub use comparison::Shares;
pub use delays::Delay;
pub use experiment::{Experiment, Question, Step};
pub use failures::Failures;
pub use findings::{Ending, Findings};
pub use found::Found;
pub use record::Grouping;
