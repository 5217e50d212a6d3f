"""Rules of the CI kit that no linter of its field knows, and its shell commands for shellcheck.

    lint-rules.py ROOT            prints what breaks a rule; exit 1 if anything does
    lint-rules.py ROOT --shell D  writes every shell command of the kit into a file below D
    lint-rules.py --groovy FILE   says whether a Jenkinsfile is Groovy, with the stages it must have

Reads files, and changes none.
"""

import pathlib
import re
import sys

import yaml

try:
    import tomllib
except ImportError:  # Python 3.10 and older
    tomllib = None

PINNED = re.compile(r"^\s*(?:- )?uses:\s+(?:\./\S+|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)\s*$")
POLICY = {
    "severity", "codes", "max_findings", "min_coverage", "max_missed", "max_racy_rate", "guarantee", "allow",
}


class Gitlab(yaml.SafeLoader):
    """GitLab's files may have tags of their own, such as `!reference`."""


Gitlab.add_multi_constructor("!", lambda loader, suffix, node: None)


def github(root):
    return [root / "ci/github" / name for name in ("action.yml", "workflow.yml", "comment.yml")]


def steps_of(document):
    if "runs" in document:
        yield from document["runs"]["steps"]
    for job in document.get("jobs", {}).values():
        yield from job["steps"]


def lines(value):
    return [value] if isinstance(value, str) else list(value or [])


def commands(root):
    """Every shell command of the kit: where it stands, and its text."""
    for path in github(root):
        for step in steps_of(yaml.safe_load(path.read_text())):
            if "run" in step:
                yield path.name, step["run"]
    for name, job in yaml.load((root / "ci/gitlab/quietus.gitlab-ci.yml").read_text(), Gitlab).items():
        for key in ("before_script", "script"):
            if isinstance(job, dict) and job.get(key):
                yield f"gitlab {name} {key}", "\n".join(lines(job[key]))
    for step in yaml.safe_load((root / "ci/buildkite/pipeline.yml").read_text())["steps"]:
        if "command" in step:
            yield f"buildkite {step['key']}", "\n".join(lines(step["command"]))
    for text in re.findall(r"\bsh '([^']*)'", (root / "ci/jenkins/Jenkinsfile").read_text()):
        yield "Jenkinsfile", text


def github_rules(root):
    for path in github(root):
        text = path.read_text()
        document = yaml.safe_load(text)
        for number, line in enumerate(text.splitlines(), 1):
            if "uses:" in line and not line.lstrip().startswith("#") and not PINNED.match(line):
                yield f"{path}:{number}: an action is pinned by its commit, with `# vX.Y.Z` behind it"
        # YAML reads the key `on` as true.
        if "pull_request_target" in (document.get("on") or document.get(True) or {}):
            yield f"{path}: `pull_request_target` gives the code of a fork the rights of the repository"
        if "jobs" in document and "permissions" not in document:
            yield f"{path}: without `permissions` the token may do what the repository allows"
        for step in steps_of(document):
            if "${{" in step.get("run", ""):
                yield f"{path}: `${{{{ }}}}` in a script: what stands there becomes code; give it by `env`"
            if step.get("uses", "").startswith("actions/checkout@"):
                options = step.get("with", {})
                if options.get("persist-credentials") is not False:
                    yield f"{path}: a checkout leaves its token for the agents under test"
                if "ref" in options:
                    yield f"{path}: a checkout says which ref; the one of the event is meant"


def kubernetes_rules(root):
    for path in sorted((root / "ci/kubernetes").glob("*.yaml")):
        job = yaml.safe_load(path.read_text())["spec"]
        pod = job["template"]["spec"]
        if pod.get("automountServiceAccountToken") is not False:
            yield f"{path}: agents under test would find the token of the service account"
        for container in pod["containers"]:
            context = container.get("securityContext", {})
            if context.get("privileged") or context.get("allowPrivilegeEscalation") is not False:
                yield f"{path}: no pod of the kit is privileged, or may become so"
            if context.get("capabilities", {}).get("drop") != ["ALL"]:
                yield f"{path}: all capabilities are dropped"
            # The API server refuses it: github.com/kubernetes/kubernetes/pull/123520
            if context.get("procMount") == "Unmasked" and pod.get("hostUsers") is not False:
                yield f"{path}: `procMount: Unmasked` needs `hostUsers: false`"
            shards = {entry["name"]: entry.get("value") for entry in container.get("env", [])}.get("QUIETUS_SHARDS")
            if job.get("completionMode") == "Indexed" and shards != str(job.get("completions")):
                yield f"{path}: QUIETUS_SHARDS is not `completions`"


def policy_rules(root):
    path = root / "ci/gate.toml"
    if tomllib is None:
        return
    try:
        policy = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        yield f"{path}: {error}"
        return
    for key in sorted(set(policy) - POLICY):
        yield f"{path}: no policy has the key `{key}`"


def shard_rules(root):
    """Numbers that must agree within a file."""
    path = root / "ci/jenkins/Jenkinsfile"
    text = path.read_text()
    total = re.search(r"QUIETUS_SHARDS = '(\d+)'", text)
    values = re.search(r"values ((?:'\d+'(?:, )?)+)", text)
    wanted = [str(number) for number in range(1, int(total[1]) + 1)] if total else None
    if not values or re.findall(r"\d+", values[1]) != wanted:
        yield f"{path}: the values of SHARD are not 1 to QUIETUS_SHARDS"


def groovy(path):
    from groovy_parser.parser import parse_groovy_content

    text = pathlib.Path(path).read_text()
    try:
        parse_groovy_content(text)
    except Exception as error:  # the parser has no error of its own
        print(f"{path}: {str(error).splitlines()[0]}")
        return 1
    # What a declarative pipeline is made of: https://www.jenkins.io/doc/book/pipeline/syntax/
    missing = [word for word in ("pipeline", "agent", "stages", "stage", "steps", "post") if not re.search(rf"\b{word}\b", text)]
    for word in missing:
        print(f"{path}: no `{word}`")
    return 1 if missing else 0


def main(arguments):
    if arguments[0] == "--groovy":
        return groovy(arguments[1])
    root = pathlib.Path(arguments[0])
    if arguments[1:2] == ["--shell"]:
        target = pathlib.Path(arguments[2])
        for number, (place, text) in enumerate(commands(root)):
            name = re.sub(r"\W+", "-", place)
            (target / f"{number:02}-{name}.sh").write_text(f"#!/bin/sh\n{text}\n")
        return 0
    broken = [
        line
        for rules in (github_rules, kubernetes_rules, policy_rules, shard_rules)
        for line in rules(root)
    ]
    print("\n".join(broken), end="\n" if broken else "")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
