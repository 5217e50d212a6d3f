"""Scenario files as tests."""

import pytest
from conftest import finding, report, text_of

SCENARIO = 'name = "a tool call"\n\n[agent]\ncommand = ["sh", "agent.sh"]\n'


@pytest.fixture
def files(pytester):
    pytester.makefile(".toml", agent=SCENARIO, pyproject="[tool.other]\nagent = 1\n", Cargo="[package]\n")
    below = pytester.mkdir("scenarios")
    below.joinpath("odd.toml").write_text(' [ agent ] # broken\ncommand = "')
    below.joinpath("binary.toml").write_bytes(b"\xff\xfe[agent]")
    below.joinpath("notes.txt").write_text(SCENARIO)
    return pytester


def test_they_are_collected_where_they_are_asked_for(files, run, stub):
    result = run("--quietus", "--collect-only", "-q")
    assert [line for line in result.outlines if ".toml" in line] == ["agent.toml::agent", "scenarios/odd.toml::odd"]
    assert run().ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert stub.calls() == []


def test_each_is_a_run_of_its_file(files, run, stub):
    stub.does("run")
    run("--quietus").assert_outcomes(passed=2)
    assert [words[0] for words in stub.calls()] == ["run", "run"]
    assert [words[-1] for words in stub.calls()] == ["agent.toml", "scenarios/odd.toml"]


def test_one_that_is_named_needs_no_option(files, run, stub):
    stub.does("run")
    run("scenarios/odd.toml").assert_outcomes(passed=1)
    run("agent.toml::agent").assert_outcomes(passed=1)


def test_they_are_chosen_by_k(files, run, stub):
    stub.does("run")
    run("--quietus", "-k", "odd").assert_outcomes(passed=1, deselected=1)


@pytest.mark.parametrize(
    ("does", "outcome", "said"),
    [
        ({"exit": 1, "report": report("findings", finding()), "human": "it leaks\n"}, "failed", "findings: temp-file\n\nit leaks"),
        ({"exit": 3, "report": None, "human": None, "said": "error: why\n"}, "failed", "inconclusive\n\nerror: why"),
        ({"exit": 4, "report": None, "human": None, "said": "error: why\n"}, "skipped", "this machine cannot do it: why"),
        ({"exit": 2, "report": None, "human": None, "said": "error[E1]: odd\n --> odd.toml:1\n"}, "errors", "error[E1]: odd\n"),
    ],
)
def test_they_end_as_tests_do(files, run, stub, does, outcome, said):
    stub.does("run", **does)
    result = run("agent.toml")
    result.assert_outcomes(**{outcome: 1})
    assert f"quietus: {said}" in text_of(result)
    assert "pytest_plugin.py" not in text_of(result) or outcome == "skipped"
