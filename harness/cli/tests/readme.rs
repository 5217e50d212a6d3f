//! The commands of the README do what it says.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the root of the project")
}

/// The lines `$ …` of the console blocks.
fn commands() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
    readme.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect()
}

/// Runs a command line of the README with the binary of this build.
fn run(line: &str, directory: &Path) -> Output {
    let quietus = env!("CARGO_BIN_EXE_quietus");
    let line = line.replace("cargo run --release -q -p quietus-cli --", quietus);
    let line = line.strip_prefix("quietus ").map_or(line.clone(), |rest| format!("{quietus} {rest}"));
    Command::new("sh").arg("-c").arg(line).current_dir(directory).output().expect("sh runs")
}

#[test]
fn every_command_is_known_here() {
    let known = [
        "cargo run --release -q -p quietus-cli -- check -- sh fixtures/sh/agent_leaky.sh",
        "cargo run --release -q -p quietus-cli -- check -- sh fixtures/sh/agent_good.sh",
        "cargo install --path harness/cli",
        "quietus check -- python3 my_agent.py --its --arguments",
        "quietus check --at 'output:/ready/' --send TERM,200ms,INT --grace 5s -- ./server",
        "quietus check --profile kubernetes -- node server.js",
        "quietus run scenarios/",
        "quietus windows -- sed -i s/1/2/ notes.txt",
        "quietus sweep -- sed -i s/1/2/ notes.txt",
        "quietus fuzz --for 60s -- python3 agent.py",
        "quietus run scenarios/ --format json --output report.json --format html --output report.html",
        "quietus report baseline report.json --output baseline.toml",
        "quietus gate report.json --policy ci/gate.toml --baseline baseline.toml",
        "quietus report render report.json --baseline baseline.toml --format markdown --output comment.md",
        "ci/test",
    ];
    assert_eq!(commands(), known, "a command of the README changed: test it here too");
}

#[test]
fn every_scenario_is_one() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
    let scenarios: Vec<&str> = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!scenarios.is_empty(), "the README shows a scenario");
    for text in scenarios {
        if let Err(faults) = quietus::scenario::parse("README.md", text) {
            panic!("{}", faults.render(false));
        }
    }
}

#[test]
fn the_leaky_agent_is_found_out() {
    let output = run(&commands()[0], &root());
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for said in [
        "error[orphan-process]",
        "error[temp-file]",
        "error[lock-file]",
        "origin     the agent: sh fixtures/sh/agent_leaky.sh",
        "replay     quietus replay q1/",
    ] {
        assert!(text.contains(said), "{said} in:\n{text}");
    }
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
    for line in
        text.lines().filter(|line| line.trim_start().starts_with("error[") || line.trim_start().starts_with("explain"))
    {
        assert!(readme.contains(line.trim()), "the picture in the README has no line `{}`", line.trim());
    }
}

#[test]
fn the_good_twin_is_clean() {
    let output = run(&commands()[1], &root());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

/// The commands for a program of one's own, on small programs with those names.
#[test]
fn the_commands_for_ones_own_program_work() {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("written");
    write("my_agent.py", "import time\nprint('ready', flush=True)\ntime.sleep(0.2)\n");
    write("server", "#!/bin/sh\necho ready\nexec sleep 0.5\n");
    write(
        "server.js",
        "process.on('SIGTERM', () => process.exit(0)); console.log('ready'); setInterval(() => {}, 1000);\n",
    );
    let server = directory.path().join("server");
    std::fs::set_permissions(&server, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
    for (index, needs) in [(3, "python3"), (4, "sh"), (5, "node")] {
        if Command::new(needs).arg("--version").output().is_err() {
            println!("skipped: README command {index}: no {needs} in PATH");
            continue;
        }
        let output = run(&commands()[index], directory.path());
        let said = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{}: {said}", commands()[index]);
    }
}

/// The command for trials at random, a few of them.
#[test]
fn trials_at_random_work() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: README command 9: no python3 in PATH");
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("agent.py"), "print('done')\n").expect("written");
    let line = commands()[9].replace("--for 60s", "--trials 20");
    let output = run(&line, directory.path());
    let said = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(matches!(output.status.code(), Some(0 | 1)), "{line}: {said}");
    assert!(said.contains("job · fuzz · ") && said.contains("seed "), "{said}");
}

/// Both pictures of sed: the map, and what the sweep finds.
#[test]
fn the_windows_of_sed_are_those_of_the_readme() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("notes.txt"), "1\n2\n").expect("written");
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
    for (index, code) in [(7, 0), (8, 1)] {
        let output = run(&commands()[index], directory.path());
        let said = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{}: {said}", commands()[index]);
        let directory = directory.path().canonicalize().expect("there");
        for line in String::from_utf8_lossy(&output.stdout).lines().filter(|line| {
            ["+ ", "- ", "ends it", "windows    ", "error[", "life ", "cause "]
                .iter()
                .any(|start| line.trim_start().starts_with(start))
        }) {
            let line = line.replace(directory.to_str().expect("text"), "/home/you/notes");
            assert!(readme.contains(line.trim()), "the README has no line `{}`", line.trim());
        }
    }
}

#[test]
fn the_exit_codes_are_those_of_the_readme() {
    let code = |line: &str| run(line, &root()).status.code();
    assert_eq!(code("quietus check -- no-such-program"), Some(2));
    assert_eq!(code("quietus check --at strat -- true"), Some(2));
    assert_eq!(code("quietus check"), Some(2));
    assert_eq!(code("quietus check --quiet --at output:/never/ -- true"), Some(3));
    assert_eq!(code("quietus check --quiet --guarantee portable --pid1 --at start -- sleep 1"), Some(4));
    assert_eq!(code("quietus explain orphan-proces"), Some(2));
    assert_eq!(code("quietus explain orphan-process"), Some(0));
    assert_eq!(code("quietus --version"), Some(0));
}

/// What was found becomes the baseline, and passes the gate with the policy that is to be copied.
#[test]
fn the_commands_for_pull_requests_work() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path();
    for folder in ["scenarios", "ci"] {
        std::fs::create_dir(place.join(folder)).expect("made");
    }
    let scenario = "name = \"leaky\"\n[agent]\ncommand = [\"sh\", \"-c\", \": >work.lock; echo locked; exec rm work.lock\"]\n\
                    kind = \"job\"\n[explore]\nstrategy = \"sweep\"\n";
    std::fs::write(place.join("scenarios/leaky.toml"), scenario).expect("written");
    std::fs::copy(root().join("ci/gate.toml"), place.join("ci/gate.toml")).expect("the policy to begin with");
    let lines = commands();
    let first = lines.iter().position(|line| line.contains("--output report.html")).expect("it is there");
    for (line, status) in lines[first..].iter().zip([1, 0, 0, 0]) {
        let output = run(line, place);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(status), "{line}: {said}");
    }
    let read = |name: &str| std::fs::read_to_string(place.join(name)).expect(name);
    assert!(read("report.html").contains("lock-file") && read("baseline.toml").contains("lock-file"));
    assert!(read("comment.md").contains("1 known from the baseline"), "{}", read("comment.md"));
}
