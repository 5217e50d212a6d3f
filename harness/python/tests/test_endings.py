"""How a test ends by what quietus says and by its exit code."""

import json

import pytest
from conftest import finding, report, text_of

MARK = 'command=["sh", "agent.sh"]'
HUMAN = "sh agent.sh\n\n  error[temp-file]\n    the temporary file /tmp/agent.1 is left behind\n"


def test_clean_goes_on_to_the_body(run, marked):
    marked(MARK)
    result = run()
    result.assert_outcomes(passed=1)
    assert "the body ran: clean" in text_of(result)


def test_findings_fail_with_what_a_person_reads(run, marked, stub):
    accepted = finding(code="lock-file", accepted="known")
    stub.does("check", exit=1, report=report("findings", finding(), accepted), human=HUMAN)
    marked(MARK)
    result = run()
    result.assert_outcomes(failed=1)
    said = text_of(result)
    assert f"quietus: findings: temp-file\n\n{HUMAN}" in said
    assert "FAILED test_agent.py::test_agent - Failed: quietus: findings: temp-file\n" in said
    for hidden in ("the body ran", "Traceback", "pytest_plugin.py", "pytrace", "def test_agent"):
        assert hidden not in said, hidden


def test_inconclusive_fails_unless_it_is_allowed(run, marked, stub):
    stub.does("check", exit=3, report=report("inconclusive"), human="inconclusive (no trial was made)\n")
    marked(MARK)
    result = run()
    result.assert_outcomes(failed=1)
    assert "quietus: inconclusive\n\ninconclusive (no trial was made)" in text_of(result)
    marked(f"{MARK}, allow_inconclusive=True")
    result = run()
    result.assert_outcomes(passed=1)
    assert "the body ran: inconclusive" in text_of(result)


def test_inconclusive_without_a_report_says_why(run, marked, stub):
    stub.does("check", exit=3, report=None, human=None, said="error: undisturbed, the agent ends with exit 7\n")
    marked(MARK)
    result = run()
    result.assert_outcomes(failed=1)
    assert "quietus: inconclusive\n\nerror: undisturbed, the agent ends with exit 7" in text_of(result)
    marked(f"{MARK}, allow_inconclusive=True", body="assert quietus_report.raw == {} and not quietus_report.findings")
    run().assert_outcomes(passed=1)


def test_what_this_machine_cannot_do_is_skipped_or_strictly_fails(run, marked, stub):
    said = "error: no user namespaces\n  help: `quietus doctor` shows what this machine grants\n"
    stub.does("check", exit=4, report=None, human=None, said=said)
    marked(MARK)
    result = run()
    result.assert_outcomes(skipped=1)
    assert "quietus: this machine cannot do it: no user namespaces" in text_of(result)
    result = run("--quietus-strict")
    result.assert_outcomes(failed=1)
    assert "quietus: this machine cannot do it: no user namespaces\n  help: `quietus doctor`" in text_of(result)


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ({"exit": 2, "said": "error: `TREM` is no injection\n  help: TERM\n"}, "quietus: `TREM` is no injection\n"),
        ({"exit": 70, "said": "[quietus internal bug] please report it\n"}, "quietus: a bug in it (exit code 70)\n"),
        ({"exit": 130}, "quietus: it was interrupted (exit code 130)"),
        ({"exit": 9, "said": "odd\n"}, "quietus: it has not run (exit code 9)\n\nodd"),
        ({"exit": 0, "said": "odd\n"}, "quietus: it ended with 0 and wrote no report\n\nodd"),
        ({"exit": 1}, "quietus: it ended with 1 and wrote no report"),
        ({"exit": 0, "report": "{"}, "quietus: its report cannot be read: Expecting property name"),
        ({"exit": 0, "report": "[" * 100_000}, "quietus: its report cannot be read: "),
        ({"exit": 0, "report": "[]"}, "quietus: its report cannot be read: format 1 is known here, and this is None"),
        ({"exit": 0, "report": report("clean", format=2)}, "format 1 is known here, and this is 2"),
        ({"exit": 1, "report": report("findings", {})}, "a part is missing or of another form: 'code'"),
        ({"exit": 1, "report": report("findings", finding(title=3))}, "a part is missing or of another form"),
        ({"exit": 0, "report": report("findings", finding())}, "quietus: it ended with 0, but says findings"),
    ],
)
def test_what_is_not_understood_is_an_error(run, marked, stub, does, said):
    stub.does("check", **{"report": None, "human": None, **does})
    marked(MARK)
    result = run()
    result.assert_outcomes(errors=1)
    assert said in text_of(result)
    assert "the body ran" not in text_of(result) and "pytest_plugin.py" not in text_of(result)


def test_a_gate_decides_where_there_is_a_policy_or_a_baseline(run, marked, stub):
    stub.does("check", exit=1, report=report("findings", finding()), human=HUMAN)
    stub.also("gate", exit=0, human="gate: 1 known\n")
    marked(f'{MARK}, policy="gate.toml", baseline="known.toml"')
    result = run()
    result.assert_outcomes(passed=1)
    assert "the body ran: findings" in text_of(result)
    gate = "gate DIR/report.json --policy gate.toml --baseline known.toml --format human --output DIR/report.txt"
    assert stub.calls()[1:] == [gate.split()]
    stub.also("gate", exit=1, human="gate: 1 new\n")
    result = run()
    result.assert_outcomes(failed=1)
    assert "quietus: findings: temp-file\n\ngate: 1 new\n" in text_of(result)
    stub.also("gate", exit=2, said="error: gate.toml: there is no such file\n")
    result = run()
    result.assert_outcomes(errors=1)
    assert "quietus: gate.toml: there is no such file" in text_of(result)


def test_without_a_report_no_gate_is_asked(run, marked, stub):
    stub.does("check", exit=2, report=None, human=None, said="error: wrong\n")
    marked(f'{MARK}, policy="gate.toml"')
    run().assert_outcomes(errors=1)
    assert [words[0] for words in stub.calls()] == ["check"]


def test_a_program_that_is_not_there(pytester, marked, tmp_path, monkeypatch):
    marked(MARK)
    result = pytester.runpytest("--quietus-bin", "nowhere")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--quietus-bin names 'nowhere': there is no such file" not in text_of(result)
    assert f"--quietus-bin names '{pytester.path}/nowhere': there is no such file" in text_of(result)
    monkeypatch.setenv("QUIETUS_BIN", str(tmp_path))
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    assert f"quietus: QUIETUS_BIN names '{tmp_path}': there is no such file" in text_of(result)


def test_nothing_of_an_agent_acts_in_the_terminal(run, marked, stub):
    hostile = "\x1b[2J\x07\x9b\u202e\u200b\u2028\r\x00"
    shown = "\\x1b[2J\\x07\\x9b\\u{202e}\\u{200b}\\u{2028}\\r\\x00"
    stub.does(
        "check",
        exit=1,
        report=report("findings", finding(code=f"c{hostile}", title=f"t{hostile}")),
        human=f"h{hostile}\n",
        said=f"s{hostile}\n",
    )
    marked(MARK)
    text = text_of(run())
    for part in "chs":
        assert f"{part}{shown}" in text
    assert not set(hostile) - set("[2J") & set(text)


def test_a_test_sees_the_report(run, marked, stub):
    found = finding(subject="/tmp/\x1b[2J", severity="warn")
    bare = finding(code="orphan-process", severity="note", accepted="it is a daemon")
    for key in ("origin", "cause"):
        del bare[key]
    stub.does("check", report=report("clean", found, bare), human="two notes\n")
    body = (
        "(one, two) = quietus_report.findings; "
        "assert (one.code, one.severity, one.line, one.accepted) == "
        "('temp-file', 'warn', 'agent.py:4 in main', False); "
        "assert one.title == 'the temporary file /tmp/agent.1 is left behind'; "
        "assert one.cause.startswith('SIGTERM has') and one.replay.startswith('quietus replay q1/'); "
        "assert one.fingerprint == '0123456789abcdef'; "
        "assert one.subject == '/tmp/' + chr(92) + 'x1b[2J' and one.raw['subject'] == '/tmp/' + chr(27) + '[2J'; "
        "assert (two.line, two.cause, two.accepted) == (None, None, True); "
        "assert quietus_report.codes() == ['temp-file', 'orphan-process']; "
        "assert quietus_report.verdict == 'clean' and quietus_report.text == 'two notes'; "
        "assert quietus_report.raw['format'] == 1"
    )
    marked(MARK, body=body)
    run().assert_outcomes(passed=1)


def test_an_expected_failure_is_one(pytester, run, stub):
    stub.does("check", exit=1, report=report("findings", finding()), human=HUMAN)
    pytester.makepyfile(
        "import pytest\n"
        "@pytest.mark.xfail(strict=True)\n"
        "@pytest.mark.quietus(command=['x'])\n"
        "def test_agent(): pass\n"
    )
    run().assert_outcomes(xfailed=1)


def test_reports_are_kept_each_in_a_file_of_its_own(pytester, run, stub):
    stub.does("check", exit=1, report=report("findings", finding()), human=HUMAN)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.quietus(command=["x"])
        @pytest.mark.parametrize("name", ["a/b", "a b", "../../up", "\\x1b"])
        def test_agent(name): pass
        """
    )
    for _ in range(2):
        run("--quietus-report-dir", "kept/reports").assert_outcomes(failed=4)
    names = sorted(path.name for path in pytester.path.joinpath("kept/reports").iterdir())
    assert len(names) == 4 and all(name.startswith("test_reports_are_kept") for name in names), names
    for path in pytester.path.joinpath("kept/reports").iterdir():
        assert json.loads(path.read_text())["verdict"] == "findings"
    assert not pytester.path.joinpath("up").exists()


def test_a_report_directory_that_cannot_be_is_an_error(pytester, run, marked):
    pytester.makefile(".txt", file="")
    marked(MARK)
    result = run("--quietus-report-dir", "file.txt")
    result.assert_outcomes(errors=1)
    assert "File exists: " in text_of(result) and "file.txt" in text_of(result)


def test_the_directory_in_which_commands_work_is_said_where_it_is_another(pytester, run, stub, monkeypatch):
    stub.does("check", exit=1, report=report("findings", finding()), human=HUMAN)
    deep = pytester.mkpydir("deep")
    deep.joinpath("test_agent.py").write_text(
        "import pytest\n@pytest.mark.quietus(command=['x'])\ndef test_agent(): pass\n"
    )
    assert "the commands above work in" not in text_of(run())
    monkeypatch.chdir(deep)
    assert f"(the commands above work in {pytester.path})" in text_of(run())
