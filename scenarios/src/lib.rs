//! Scenario files of Quietus by area, and the tests that run them.
//!
//! Each `*.toml` below this package is one scenario and, in `tests/corpus.rs`,
//! one named test. Its first line says what it must show: `# expect: clean`, or
//! the codes of the findings, such as `# expect: orphan-process, temp-file`.
