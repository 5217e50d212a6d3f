//! Every message of the command line that does not depend on a run.

#[test]
fn messages() {
    trycmd::TestCases::new().case("tests/cmd/*.toml");
}
