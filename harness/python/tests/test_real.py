"""The binary of the wheel itself, over small agents."""

import json

import pytest
from conftest import text_of

LEAKY = 'file=$(mktemp /tmp/agent-XXXXXX)\necho working\nsleep 0.2\nrm "$file"\n'
GOOD = "echo working\nsleep 0.2\n"
SCENARIO = 'name = "{name}"\n\n[agent]\ncommand = ["sh", "{name}.sh"]\nkind = "job"\n'


@pytest.fixture
def agents(pytester, monkeypatch):
    """Two agents, and a scenario for each."""
    monkeypatch.delenv("QUIETUS_BIN", raising=False)
    pytester.makeini("[pytest]")
    pytester.makefile(".sh", leaky=LEAKY, good=GOOD)
    pytester.makefile(".toml", leaky=SCENARIO.format(name="leaky"), good=SCENARIO.format(name="good"))
    return pytester


def test_findings_and_their_good_twin(agents, marked):
    marked('command=["sh", "leaky.sh"], send="TERM"')
    result = agents.runpytest("-rA", "--quietus-report-dir", "kept")
    result.assert_outcomes(failed=1)
    said = text_of(result)
    assert "quietus: findings: temp-file" in said
    assert "error[temp-file]\n    the temporary file /tmp/agent-" in said
    assert "replay     quietus replay q1/" in said and " -- sh leaky.sh\n" in said
    (kept,) = agents.path.joinpath("kept").iterdir()
    assert json.loads(kept.read_text())["verdict"] == "findings"
    marked('command=["sh", "good.sh"], strategy="sweep", grace="2s", kind="job"', body="assert not quietus_report.codes()")
    result = agents.runpytest()
    result.assert_outcomes(**({"skipped": 1} if "this machine cannot" in text_of(result) else {"passed": 1}))


def test_scenarios(agents):
    result = agents.runpytest("--quietus", "-rA")
    result.assert_outcomes(passed=1, failed=1)
    assert "FAILED leaky.toml::leaky - Failed: quietus: findings: temp-file" in text_of(result)
    assert "--scenario leaky.toml" in text_of(result)


def test_at_random_nothing_is_kept_in_the_directory(agents, marked):
    marked('command=["sh", "good.sh"], strategy="fuzz", args=["--trials", "5"], jobs=2')
    agents.runpytest().assert_outcomes(passed=1)
    assert not agents.path.joinpath(".quietus").exists()


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ('command=["sh", "good.sh"], send="TREM"', "invalid value 'TREM' for '--send <INJECTION>'"),
        ('command=["./none"]', "none"),
        ('scenario="none.toml"', "none.toml"),
    ],
)
def test_wrong_use_is_told_in_its_words(agents, marked, mark, said):
    marked(mark)
    result = agents.runpytest("-rA")
    result.assert_outcomes(errors=1)
    assert said in text_of(result) and "pytest_plugin.py" not in text_of(result)


def test_a_scenario_with_faults_shows_them(agents):
    agents.makefile(".toml", odd='[agent]\ncomand = ["sh"]\n')
    result = agents.runpytest("odd.toml")
    result.assert_outcomes(errors=1)
    assert "comand" in text_of(result) and "odd.toml:2" in text_of(result)


def test_an_agent_that_fails_undisturbed_is_inconclusive(agents, marked):
    marked('command=["sh", "-c", "exit 7"]')
    result = agents.runpytest()
    result.assert_outcomes(failed=1)
    assert "quietus: inconclusive" in text_of(result) and "exit 7" in text_of(result)
