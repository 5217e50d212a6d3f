"""From a mark to the command line of quietus."""

import pytest
from conftest import text_of

FORMS = "--format json --output DIR/report.json --format human --output DIR/report.txt --quiet".split()
COMMAND = 'command=["sh", "agent.sh"]'
AGENT = ["--", "sh", "agent.sh"]


@pytest.mark.parametrize(
    ("mark", "words", "target"),
    [
        (COMMAND, ["check"], AGENT),
        (f'{COMMAND}, strategy="check"', ["check"], AGENT),
        (f'{COMMAND}, strategy="sweep"', ["sweep"], AGENT),
        (f'{COMMAND}, strategy="fuzz", budget=90', ["fuzz", "--for", "90000ms", "--no-corpus"], AGENT),
        (
            f'{COMMAND}, send="TERM,200ms,INT", grace="5s", kind="server", budget=1.5, guarantee="full", jobs=2',
            "check --send TERM,200ms,INT --grace 5s --kind server --budget 1500ms --guarantee full --jobs 2".split(),
            AGENT,
        ),
        (f'{COMMAND}, workspace="work"', ["check", "--workspace", "work"], AGENT),
        (f'{COMMAND}, args=["--at", "output:/ready/"]', ["check", "--at", "output:/ready/"], AGENT),
        ('command=("-x", "--format", "human")', ["check"], ["--", "-x", "--format", "human"]),
        ('scenario="agent.toml"', ["run"], ["agent.toml"]),
        ('scenario="agent.toml", jobs=3', ["run", "--jobs", "3"], ["agent.toml"]),
        (
            'scenario="agent.toml", strategy="sweep", send="INT", grace=2, budget="2m"',
            "sweep --send INT --grace 2000ms --budget 2m".split(),
            ["agent.toml"],
        ),
        ('scenario="agent.toml", strategy="fuzz", budget="9s"', "fuzz --for 9s --no-corpus".split(), ["agent.toml"]),
        ('scenario="-x.toml"', ["run"], ["./-x.toml"]),
        ('scenario="/elsewhere/agent.toml"', ["run"], ["/elsewhere/agent.toml"]),
    ],
)
def test_options_become_words(run, marked, stub, mark, words, target):
    stub.does("check", "sweep", "fuzz", "run")
    marked(mark)
    run().assert_outcomes(passed=1)
    assert stub.calls() == [words + FORMS + target]


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("", "a test has one agent: either command=[…] or scenario=…"),
        ('command=["x"], scenario="x.toml"', "a test has one agent"),
        ('["x"]', "what is to be run is named: quietus(command=[…])"),
        ('command=["x"], garce="5s"', "the mark quietus has no option garce; it has allow_inconclusive, args, baseline,"),
        ('command=["x"], strategy="script"', "there is no strategy 'script'; there are check, sweep, fuzz"),
        ('command="sh agent.sh"', "command is a list of words"),
        ("command=[]", "command=[] names no program"),
        ('command=["sh", 3]', "every word of command is text or a path"),
        ('command=["x"], args="--at start"', "args is a list of words"),
        ('command=["x"], timeout="5s"', "timeout is a number of seconds above 0, not '5s'"),
        ('command=["x"], timeout=0', "timeout is a number of seconds above 0"),
        ('command=["x"], allow_inconclusive="no"', "allow_inconclusive is True or False, not 'no'"),
        ('scenario="x.toml", strategy="check"', "a scenario file says its own trials"),
        ('scenario="x.toml", send="INT", kind="job"', "of a scenario, the file says send, kind, not the mark"),
        ('scenario="x.toml", strategy="sweep", guarantee="full"', "of a scenario, the file says guarantee, not the mark"),
        ("scenario=3", "3 is no path"),
        (r'command=["x\0y"]', "embedded null byte"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_runs(run, marked, stub, mark, said):
    marked(mark)
    result = run()
    result.assert_outcomes(errors=1)
    assert f"quietus: {said}" in text_of(result)
    assert "Traceback" not in text_of(result) and "pytest_plugin.py" not in text_of(result)
    assert stub.calls() == []


def test_paths_count_from_the_test_and_commands_run_in_the_root(pytester, run, stub, monkeypatch):
    stub.does("check", "run")
    tests = pytester.mkpydir("deep")
    tests.joinpath("test_agent.py").write_text(
        "import pytest\n"
        "@pytest.mark.quietus(scenario='agent.toml')\n"
        "def test_scenario(): pass\n"
        "@pytest.mark.quietus(command=['x'], workspace='../work')\n"
        "def test_command(): pass\n"
    )
    monkeypatch.chdir(tests)
    run().assert_outcomes(passed=2)
    scenario, command = stub.calls()
    assert scenario[-1] == "deep/agent.toml"
    assert command[:3] == ["check", "--workspace", "work"]
    assert {note["directory"] for note in stub.notes()} == {str(pytester.path)}


def test_the_mark_of_a_class_and_tests_of_unittest(pytester, run, stub):
    pytester.makepyfile(
        """
        import pytest, unittest

        @pytest.mark.quietus(command=["of the class"])
        class TestAgent:
            def test_one(self): pass
            @pytest.mark.quietus(command=["of the test"])
            def test_two(self): pass

        @pytest.mark.quietus(command=["of unittest"])
        class Old(unittest.TestCase):
            def test_three(self): pass
        """
    )
    run().assert_outcomes(passed=3)
    assert [words[-1] for words in stub.calls()] == ["of the class", "of the test", "of unittest"]


def test_each_set_of_parameters_is_a_run(pytester, run, stub):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("n", [
            pytest.param(1, marks=pytest.mark.quietus(command=["first"])),
            pytest.param(2, marks=pytest.mark.quietus(command=["second"])),
            3,
        ])
        def test_agent(n): pass
        """
    )
    run().assert_outcomes(passed=3)
    assert [words[-1] for words in stub.calls()] == ["first", "second"]


def test_it_runs_after_the_other_fixtures_of_the_test(pytester, run, stub):
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def server(monkeypatch):
            monkeypatch.setenv("SEEN_BY_AGENT", "the server's address")

        @pytest.mark.quietus(command=["agent"])
        def test_agent(server): pass
        """
    )
    run().assert_outcomes(passed=1)
    assert [note["seen"] for note in stub.notes()] == ["the server's address"]


def test_shards_of_a_ci_are_not_applied_to_one_test(run, marked, stub, monkeypatch):
    monkeypatch.setenv("CI_NODE_INDEX", "2")
    monkeypatch.setenv("QUIETUS_SHARDS", "7")
    marked(COMMAND)
    run().assert_outcomes(passed=1)
    assert [note["shards"] for note in stub.notes()] == [[]]


def test_the_mark_is_registered(pytester, run):
    pytester.makepyfile("import pytest\n@pytest.mark.quietus(command=['x'])\ndef test_agent(): pass\n")
    run("--strict-markers").assert_outcomes(passed=1)
    assert "@pytest.mark.quietus(*, command=" in text_of(run("--markers"))


def test_a_report_without_a_mark_is_an_error(pytester, run):
    pytester.makepyfile("def test_agent(quietus_report): pass")
    result = run()
    result.assert_outcomes(errors=1)
    assert "there is no report where no mark @pytest.mark.quietus(…) says what to run" in text_of(result)


def test_a_mark_that_cannot_be_obeyed_is_never_silently_clean(pytester, run):
    pytester.makeconftest(
        """
        import pytest

        class Item(pytest.Item):
            def runtest(self): pass

        class File(pytest.File):
            def collect(self):
                item = Item.from_parent(self, name="odd")
                item.add_marker(pytest.mark.quietus(command=["x"]))
                yield item

        def pytest_collect_file(file_path, parent):
            if file_path.suffix == ".odd":
                return File.from_parent(parent, path=file_path)
        """
    )
    pytester.makefile(".odd", agent="")
    result = run()
    result.assert_outcomes(failed=1)
    assert "tests of this kind cannot run it" in text_of(result)
