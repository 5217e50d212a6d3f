//! Values of strategies from a seed: the same ones on every machine and in every run.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// The chances of one plan. Each has its own, so that it does not matter how many the plans
/// before it took.
#[derive(Debug)]
pub(crate) struct Chances(TestRunner);

impl Chances {
    pub(crate) fn of(seed: u64, number: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&number.to_le_bytes());
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        Self(TestRunner::new_with_rng(Config::default(), random))
    }

    /// One value of a strategy; none where that rejects everything.
    pub(crate) fn draw<S: Strategy>(&mut self, strategy: &S) -> Option<S::Value> {
        strategy.new_tree(&mut self.0).ok().map(|tree| tree.current())
    }
}
