//! Checks a property ("law") with generated inputs.

use std::fmt::Debug;
use std::panic::{self, AssertUnwindSafe};

use bolero::ValueGenerator;
use bolero::bolero_engine::driver::Options;
use bolero::generator::bolero_generator::driver::ByteSliceDriver;

/// The number of inputs in a test. All targets together take a few seconds.
const INPUTS: u64 = 1_000;
/// The random bytes that an input is made of, as bolero's own default.
const INPUT_BYTES: usize = 4_096;

/// Checks a law: in a test, with the same inputs in each run and with libFuzzer's earlier
/// findings; in `cargo xtask fuzz`, with the inputs that libFuzzer chooses.
///
/// It is a macro because bolero finds a target by the place of `check!`.
macro_rules! check_law {
    ($generator:expr, $law:expr $(,)?) => {{
        let generator = $generator;
        if !cfg!(fuzzing) {
            $crate::law::check_fixed(&generator, $law);
        }
        // No random inputs in a test: bolero's differ in each run.
        let target = bolero::check!().with_iterations(0);
        target.with_generator(generator).for_each($law);
    }};
}
pub(crate) use check_law;

/// Checks a law with inputs that depend on nothing but their number.
pub(crate) fn check_fixed<G>(generator: &G, law: impl Fn(&G::Output))
where
    G: ValueGenerator<Output: Debug>,
{
    let options = Options::default();
    for number in 0..INPUTS {
        let mut random = fastrand::Rng::with_seed(number);
        let mut bytes = [0; INPUT_BYTES];
        random.fill(&mut bytes);
        let mut driver = ByteSliceDriver::new(&bytes, &options);
        let Some(input) = generator.generate(&mut driver) else {
            continue;
        };
        if let Err(failure) = panic::catch_unwind(AssertUnwindSafe(|| law(&input))) {
            eprintln!("input {number}: {input:?}");
            panic::resume_unwind(failure);
        }
    }
}
