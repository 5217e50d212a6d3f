//! What an agent is that is a future: a trait, and the closures that have it.

use super::cancelling::Boxed;
use super::handle::Trial;
use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;

/// An agent that is a future. A closure that takes a [`Trial`] is one.
pub trait AsyncAgent: 'static {
    /// What it works on, beyond the directory of the trial. It outlives a cancelled run,
    /// and the next run works on it again.
    type World: 'static;
    /// What it comes to. A run after a cancelled one must come to the same.
    type Output: fmt::Debug;

    /// Makes the world before the first run. This is not cancelled.
    fn world(&self, trial: &Trial) -> impl Future<Output = Self::World>;

    /// The work. This is what is cancelled.
    fn run(&self, world: &mut Self::World, trial: Trial) -> impl Future<Output = Self::Output>;
}

impl<F, R> AsyncAgent for F
where
    F: Fn(Trial) -> R + 'static,
    R: Future,
    R::Output: fmt::Debug,
{
    type World = ();
    type Output = R::Output;

    async fn world(&self, _: &Trial) {}

    fn run(&self, (): &mut (), trial: Trial) -> impl Future<Output = R::Output> {
        self(trial)
    }
}

/// An agent of two closures; see [`over`].
pub struct Over<W, T, S, R> {
    world: S,
    run: R,
    types: PhantomData<fn() -> (W, T)>,
}

impl<W, T, S, R> fmt::Debug for Over<W, T, S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Over")
    }
}

/// An agent that works on something in memory: `world` makes it, `run` works on it, and
/// after a cancelled run works on it again.
///
/// ```
/// # use quietus::{Trial, over};
/// let agent = over(
///     async |_: &Trial| vec![3, 1, 2],
///     async |numbers: &mut Vec<i32>, _: Trial| {
///         tokio::task::yield_now().await;
///         numbers.sort();
///         numbers.clone()
///     },
/// );
/// quietus::Agent::future(agent).sweep().assert_clean();
/// ```
pub fn over<W, T, S, R>(world: S, run: R) -> Over<W, T, S, R>
where
    W: 'static,
    T: fmt::Debug,
    S: AsyncFn(&Trial) -> W + 'static,
    R: AsyncFn(&mut W, Trial) -> T + 'static,
{
    Over { world, run, types: PhantomData }
}

impl<W, T, S, R> AsyncAgent for Over<W, T, S, R>
where
    W: 'static,
    T: fmt::Debug + 'static,
    S: AsyncFn(&Trial) -> W + 'static,
    R: AsyncFn(&mut W, Trial) -> T + 'static,
{
    type World = W;
    type Output = T;

    async fn world(&self, trial: &Trial) -> W {
        (self.world)(trial).await
    }

    async fn run(&self, world: &mut W, trial: Trial) -> T {
        (self.run)(world, trial).await
    }
}

/// An agent whose types are forgotten.
pub(crate) trait Startable {
    /// Makes a world, out of which runs are started.
    fn world<'a>(&'a self, trial: &'a Trial) -> Pin<Box<dyn Future<Output = Box<dyn Runs>> + 'a>>;
}

/// A world of an agent.
pub(crate) trait Runs {
    /// One run over it; its output as text.
    fn run(&self, trial: Trial) -> Boxed<String>;
}

/// An agent, shared with its runs.
struct Shared<A>(Rc<A>);

/// Forgets an agent's types.
pub(crate) fn startable(agent: impl AsyncAgent) -> Box<dyn Startable> {
    Box::new(Shared(Rc::new(agent)))
}

struct World<A: AsyncAgent> {
    agent: Rc<A>,
    world: Rc<RefCell<A::World>>,
}

impl<A: AsyncAgent> Startable for Shared<A> {
    fn world<'a>(&'a self, trial: &'a Trial) -> Pin<Box<dyn Future<Output = Box<dyn Runs>> + 'a>> {
        Box::pin(async move {
            let world = Rc::new(RefCell::new(self.0.world(trial).await));
            Box::new(World { agent: Rc::clone(&self.0), world }) as Box<dyn Runs>
        })
    }
}

impl<A: AsyncAgent> Runs for World<A> {
    fn run(&self, trial: Trial) -> Boxed<String> {
        let (agent, world) = (Rc::clone(&self.agent), Rc::clone(&self.world));
        Box::pin(run(agent, world, trial))
    }
}

#[expect(clippy::await_holding_refcell_ref, reason = "a world has one run at a time")]
async fn run<A: AsyncAgent>(agent: Rc<A>, world: Rc<RefCell<A::World>>, trial: Trial) -> String {
    let mut world = world.borrow_mut();
    format!("{:?}", agent.run(&mut world, trial).await)
}
