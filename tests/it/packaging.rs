//! Whether the files in `packaging/` say the same as the program and as each other. No container is built here.

use std::fs;
use std::process::Command;

use onefold::config;

use crate::support::python::Python;
use crate::support::{folder, repository, text};

fn file(name: &str) -> String {
    fs::read_to_string(repository("packaging").join(name)).expect("a file of packaging/")
}

/// What stands behind `key` in the first line that has it.
#[track_caller]
fn after<'t>(text: &'t str, key: &str) -> &'t str {
    let line = text.lines().find_map(|line| line.split_once(key));
    line.unwrap_or_else(|| panic!("no line has {key}")).1.trim()
}

/// The pipeline file within the ConfigMap.
fn pipeline() -> String {
    let manifest = file("kubernetes.yaml");
    let lines = manifest.lines().skip_while(|line| line.trim() != "pipeline.toml: |").skip(1);
    let lines = lines.take_while(|line| line.starts_with("    ") || line.is_empty());
    lines.map(|line| line.get(4..).unwrap_or("")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_pipeline_of_the_config_map_is_valid() {
    let folder = folder();
    let mounted = "/run/secrets/onefold/kafka_password";
    let secret = folder.path().join("kafka_password");
    fs::write(&secret, "a password\n").expect("write a secret");
    let written = pipeline();
    assert!(written.contains(mounted), "{written}");
    let manifest = file("kubernetes.yaml");
    assert!(manifest.contains("mountPath: /run/secrets/onefold,"), "the secret is mounted there");
    assert!(manifest.contains("\n  kafka_password: "), "the secret is named so");
    let env = |name: &str| {
        let line =
            manifest.lines().find(|line| line.contains(&format!("{{ name: {name}, value: ")));
        line.and_then(|line| line.split('"').nth(1)).map(ToOwned::to_owned)
    };
    let there = written.replace(mounted, text(&secret));
    let plan = config::parse(&there, "kubernetes.yaml", &env).expect("it is valid");
    assert_eq!(plan.publish.url, "s3://bucket/onefold");
    assert_eq!(plan.state.path, repository("/var/lib/onefold/state"));
    let http = plan.http.expect("probes want an endpoint");
    assert_eq!(http.address.to_string(), "0.0.0.0:9187");
    let grace: u64 = after(&manifest, "terminationGracePeriodSeconds:").parse().expect("seconds");
    assert!(grace > plan.run.shutdown_timeout.as_secs() + 10, "{grace}");
    let without = config::parse(&written, "kubernetes.yaml", &env).expect_err("no secret here");
    assert!(
        without.to_string().contains(&format!("the file {mounted} cannot be read")),
        "{without}"
    );
}

#[test]
fn the_files_agree_with_each_other() {
    let (container, service, manifest) =
        (file("Containerfile"), file("onefold.service"), file("kubernetes.yaml"));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(after(&manifest, "image:"), format!("onefold:{version}"));
    assert!(container.contains(&format!("-t onefold:{version} ")));
    let rust = env!("CARGO_PKG_RUST_VERSION");
    assert!(container.contains(&format!("FROM rust:{rust}-bookworm ")), "as in Cargo.toml");
    for text in [&container, &service, &manifest] {
        assert!(text.contains("/etc/onefold/pipeline.toml"));
        assert!(text.contains("/var/lib/onefold"));
    }
    // The commands of the container and of the service are one.
    assert_eq!(after(&container, "CMD [\"run\", "), after(&manifest, "args: [\"run\", "));
    assert!(
        after(&service, "ExecStart=").ends_with("run --log-format json /etc/onefold/pipeline.toml")
    );
    // Ports and paths of the probes.
    assert_eq!(after(&container, "EXPOSE"), "9187");
    assert!(container.contains("127.0.0.1/9187") && container.contains("GET /health "));
    assert!(
        manifest.contains("containerPort: 9187") && manifest.contains("address = \"0.0.0.0:9187\"")
    );
    assert_eq!(manifest.matches("path: /health, port: http").count(), 2);
    assert_eq!(manifest.matches("path: /ready, port: http").count(), 1);
    // The user, in all places.
    assert_eq!(after(&container, "USER"), "10001:10001");
    for key in ["runAsUser:", "runAsGroup:", "fsGroup:"] {
        assert_eq!(after(&manifest, key), "10001");
    }
    assert_eq!(after(&manifest, "replicas:"), "1", "a state has one writer");
}

#[test]
fn the_service_stops_and_restarts_as_the_program_wants() {
    let service = file("onefold.service");
    assert_eq!(after(&service, "KillSignal="), "SIGTERM");
    // The exit code of what another try does not mend; see `cli`.
    assert_eq!(after(&service, "RestartPreventExitStatus="), "2");
    let plan = config::parse(
        "name = \"p\"\nsource.s = { files = \"f.jsonl\", record_id = \"/id\", identity = { email = \"/e\" } }",
        "p.toml",
        &|_| None,
    );
    let timeout: u64 = after(&service, "TimeoutStopSec=").parse().expect("seconds");
    assert!(timeout > plan.expect("it is valid").run.shutdown_timeout.as_secs() + 10);
}

#[test]
fn systemd_understands_the_service() {
    let folder = folder();
    let unit = folder.path().join("onefold.service");
    let program = env!("CARGO_BIN_EXE_onefold");
    let service =
        file("onefold.service").replace("=/usr/local/bin/onefold ", &format!("={program} "));
    fs::write(&unit, service).expect("write the unit");
    let Ok(ran) = Command::new("systemd-analyze").args(["verify", text(&unit)]).output() else {
        eprintln!("SKIPPED: systemd-analyze is not here");
        return;
    };
    // What it says of other units of the machine is not about ours.
    let said = String::from_utf8_lossy(&ran.stderr);
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("onefold")).collect();
    assert_eq!(ours, [""; 0], "{said}");
}

#[test]
fn manifests_are_yaml() {
    let Some(python) = Python::find() else { return };
    let code = "import sys, yaml\nfor name in sys.argv[1:]:\n  kinds = [d['kind'] for d in yaml.safe_load_all(open(name))]\n  print(*kinds)";
    let manifest = repository("packaging/kubernetes.yaml");
    let mut command = Command::new(python.program("python"));
    let ran = command.args(["-c", code, text(&manifest)]).output().expect("run Python");
    let said = String::from_utf8_lossy(&ran.stdout);
    let error = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(said.trim(), "ConfigMap Secret Service StatefulSet", "{error}");
}
