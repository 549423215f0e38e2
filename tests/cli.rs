//! The command line as a user and a script meet it: exit codes, one line per failure, `pub` and `sub` at work.

#![expect(clippy::unwrap_used, reason = "a test's own machinery fails by panic")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::thread;

/// A CONNACK of 5.0 that accepts, without properties.
const CONNACK: &[u8] = &[0x20, 3, 0, 0, 0];

fn strowger(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strowger"));
    command.args(arguments.split_whitespace()).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("STROWGER_") {
            command.env_remove(name);
        }
    }
    // A broker that is installed on this machine is not the one that is meant.
    command.env("STROWGER_CONF", "");
    command
}

fn run(arguments: &str) -> Output {
    strowger(arguments).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Listens on a free port and plays `script` to the first that connects; gives the port.
fn broker(script: impl FnOnce(&mut TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        script(&mut stream);
        // Reads to the end, so that the close is not a reset.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    port
}

/// Reads one packet of at most 127 bytes and gives its first byte.
fn packet(stream: &mut TcpStream) -> u8 {
    let mut header = [0; 2];
    stream.read_exact(&mut header).unwrap();
    stream.read_exact(&mut vec![0; header[1].into()]).unwrap();
    header[0]
}

/// A file that lives as long as the test.
struct Scrap(std::path::PathBuf);

impl Scrap {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("strowger-cli-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for Scrap {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn every_subcommand_explains_itself() {
    for verb in [
        "",
        "serve",
        "check",
        "pub",
        "sub",
        "bench",
        "bench p2p",
        "bench suite",
        "store",
        "store check",
        "store stat",
        "store dump",
        "backup",
        "restore",
        "completions",
        "man",
    ] {
        let help = run(&format!("{verb} --help"));
        assert_eq!(code(&help), 0, "{verb}");
        assert!(stdout(&help).contains("Usage: strowger"), "{verb}");
        assert_eq!(stderr(&help), "", "{verb}");
    }
    assert!(stdout(&run("--version")).starts_with("strowger "));
}

#[test]
fn wrong_usage_is_one_line_and_64() {
    for arguments in [
        "--bnd x",
        "frob",
        "serve --bind",
        "pub -m x",
        "pub -t a",
        "pub -t a/# -m x",
        "sub -t a/#/b",
        "sub -t a -q 3",
        "bench",
        "bench p2q",
        "bench p2p --pairs 0",
        "bench p2p --payload 1-2-3",
        "bench p2p --window 5 --rate 10",
        "bench p2p --vs nowhere",
        "bench fanout --pairs 5",
        "bench suite --only everything",
        "store",
        "store chek",
        "store check --data-dir",
        "backup",
        "restore file --engine memory",
    ] {
        let output = run(arguments);
        assert_eq!(code(&output), 64, "{arguments}");
        assert_eq!(stderr(&output).lines().count(), 1, "{arguments}: {}", stderr(&output));
        assert!(stderr(&output).starts_with("strowger"), "{}", stderr(&output));
        assert!(stderr(&output).trim_end().ends_with("--help`"), "{}", stderr(&output));
    }
}

#[test]
fn a_mistake_in_the_file_is_named_with_its_line_and_64() {
    let file = Scrap::new("mistake.toml", "[listener]\n\n[sesion]\nexpiry_max_secs = 5\n");
    for verb in ["check", "serve --conf", "--conf"] {
        let output = run(&format!("{verb} {}", file.0.display()));
        assert_eq!(code(&output), 64, "{verb}");
        let expected = format!(
            "{}:4: unknown key `sesion.expiry_max_secs`; did you mean `session.expiry_max_secs`?\n",
            file.0.display()
        );
        assert!(stderr(&output).ends_with(&expected), "{}", stderr(&output));
        assert_eq!(stderr(&output).lines().count(), 1);
    }
}

#[test]
fn the_file_in_the_repository_is_good() {
    let output = run(concat!("check ", env!("CARGO_MANIFEST_DIR"), "/conf/strowger.toml"));
    assert_eq!(code(&output), 0);
    assert!(stdout(&output).ends_with("conf/strowger.toml: OK\n"));
}

#[test]
fn print_conf_hides_what_is_secret() {
    let secret = "--set auth.sql_url=postgres://x:hidden@y/z --set auth.redis_url=redis://:hidden@y";
    let output = strowger(&format!("serve --print-conf {secret}")).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let printed = stdout(&output);
    assert!(
        !printed.contains("hidden") && printed.contains("sql_url = \"(secret)\""),
        "{printed}"
    );
    assert!(printed.contains("sql_url_file = \"\""), "{printed}");
}

/// A directory that is not built in is said to be missing, at the check and at the start.
#[test]
fn a_feature_that_is_wanted_and_not_built_in_is_named() {
    for (setting, feature, is_built_in) in [
        ("sql_url = \"sqlite:///nowhere\"", "sql", cfg!(feature = "sql")),
        ("redis_url = \"redis://localhost\"", "redis", cfg!(feature = "redis")),
        ("ldap_url = \"ldap://localhost\"", "ldap", cfg!(feature = "ldap")),
    ] {
        let file = Scrap::new(&format!("{feature}.toml"), &format!("[auth]\n{setting}\n"));
        let check = strowger("check").arg(&file.0).output().unwrap();
        if is_built_in {
            assert_eq!(code(&check), 0, "{}", stderr(&check));
            continue;
        }
        let serve = "serve --bind 127.0.0.1:0 --set storage.engine=memory --conf";
        for output in [check, strowger(serve).arg(&file.0).output().unwrap()] {
            assert_eq!(code(&output), 64, "{}", stderr(&output));
            assert!(
                stderr(&output).contains(&format!("--features {feature}")),
                "{}",
                stderr(&output)
            );
        }
    }
}

#[test]
fn print_conf_shows_each_value_with_its_origin() {
    let file = Scrap::new("origins.toml", "[session]\nreceive_maximum = 64\n");
    let mut command = strowger("serve --print-conf --bind 127.0.0.1:1 --bind [::1]:2 --set log.level=warn --conf");
    let output = command
        .arg(&file.0)
        .env("STROWGER_LOG__FORMAT", "json")
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let printed = stdout(&output);
    let origin = |key: &str| {
        let line = printed
            .lines()
            .find(|line| line.starts_with(&format!("{key} =")))
            .unwrap();
        let (value, origin) = line.split_once(" # ").unwrap();
        (value.trim_end().to_owned(), origin.to_owned())
    };
    assert_eq!(
        origin("bind"),
        (
            "bind = [\"127.0.0.1:1\", \"[::1]:2\"]".to_owned(),
            "flag --bind".to_owned()
        )
    );
    assert_eq!(origin("receive_maximum").1, format!("{}:2", file.0.display()));
    assert_eq!(
        origin("format"),
        (
            "format = \"json\"".to_owned(),
            "environment STROWGER_LOG__FORMAT".to_owned()
        )
    );
    assert_eq!(origin("level").1, "flag --set");
    assert_eq!(origin("engine").1, "default");
}

#[test]
fn a_port_in_use_is_named_and_69() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let output = run(&format!(
        "serve --set log.level=off --set storage.engine=memory --bind {address}"
    ));
    assert_eq!(code(&output), 69);
    assert_eq!(
        stderr(&output),
        format!(
            "strowger serve: cannot listen on {address}: the port is in use; \
             stop the program that has it, or choose another with --bind HOST:PORT\n"
        )
    );
}

#[test]
fn without_a_broker_pub_and_sub_end_with_69() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for verb in ["pub -t a -m x", "sub -t a", "bench p2p", "bench suite --quick"] {
        let output = run(&format!("{verb} -h 127.0.0.1 -p {port}"));
        assert_eq!(code(&output), 69);
        let expected = format!(
            "cannot connect to 127.0.0.1:{port}: Connection refused. Is a broker running there? (-h HOST -p PORT)\n"
        );
        assert!(stderr(&output).ends_with(&expected), "{}", stderr(&output));
    }
}

#[test]
fn a_refused_connection_ends_with_the_reason_code() {
    for (version, connack, exit, told) in [
        (
            "5",
            &[0x20u8, 3, 0, 0x87, 0][..],
            0x87,
            "the broker refused the connection: Not authorized (0x87)\n",
        ),
        (
            "311",
            &[0x20, 2, 0, 5][..],
            5,
            "the broker refused the connection: Not authorized (0x05)\n",
        ),
    ] {
        let port = broker(move |stream| {
            packet(stream);
            stream.write_all(connack).unwrap();
        });
        let output = run(&format!("pub -h 127.0.0.1 -p {port} -V {version} -t a -m x"));
        assert_eq!(code(&output), exit, "{}", stderr(&output));
        assert!(stderr(&output).ends_with(told), "{}", stderr(&output));
    }
}

#[test]
fn a_load_that_does_not_fit_is_64_and_one_that_is_refused_69() {
    let port = broker(|_| {});
    let output = run(&format!("bench offline -h 127.0.0.1 -p {port} -q 0"));
    assert_eq!(code(&output), 64);
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // The first connection only sees whether a broker is there.
            let _ = stream.unwrap().write_all(&[0x20, 2, 0, 5]);
        }
    });
    let output = run(&format!("bench p2p --pairs 1 -h 127.0.0.1 -p {port}"));
    assert_eq!(code(&output), 69, "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
}

#[test]
fn a_report_that_cannot_be_written_is_known_before_the_run_and_74() {
    let port = broker(|_| {});
    let output = run(&format!("bench p2p -h 127.0.0.1 -p {port} --html /nowhere/report.html"));
    assert_eq!(code(&output), 74);
    assert_eq!(
        stderr(&output),
        "strowger bench: cannot write /nowhere/report.html: No such file or directory\n"
    );
}

#[test]
fn a_suite_lists_its_rows_without_a_broker() {
    let output = run("bench suite --list --only p2p-0,idle");
    assert_eq!(code(&output), 0);
    assert_eq!(stdout(&output), "idle            idle\np2p-0           p2p QoS 0\n");
}

#[test]
fn a_refused_message_ends_with_its_reason_code() {
    let port = broker(|stream| {
        packet(stream);
        stream.write_all(CONNACK).unwrap();
        packet(stream);
        stream.write_all(&[0x40, 3, 0, 1, 0x97]).unwrap();
    });
    let output = run(&format!("pub -h 127.0.0.1 -p {port} -t a -m x -q 1"));
    assert_eq!(code(&output), 0x97);
    assert_eq!(
        stderr(&output),
        "strowger pub: the broker refused the message: Quota exceeded (0x97)\n"
    );
}

#[test]
fn a_refused_subscription_ends_with_its_reason_code() {
    let port = broker(|stream| {
        packet(stream);
        stream.write_all(CONNACK).unwrap();
        packet(stream);
        stream.write_all(&[0x90, 4, 0, 1, 0, 0x87]).unwrap();
    });
    let output = run(&format!("sub -h 127.0.0.1 -p {port} -t a/#"));
    assert_eq!(code(&output), 0x87);
    assert_eq!(
        stderr(&output),
        "strowger sub: the broker refused the subscription to \"a/#\": Not authorized (0x87)\n"
    );
}

#[test]
fn the_brokers_goodbye_is_told_in_words() {
    let port = broker(|stream| {
        packet(stream);
        stream.write_all(CONNACK).unwrap();
        packet(stream);
        stream.write_all(&[0x90, 4, 0, 1, 0, 0, 0xe0, 2, 0x8b, 0]).unwrap();
    });
    let output = run(&format!("sub -h 127.0.0.1 -p {port} -t a"));
    assert_eq!(code(&output), 0x8b);
    assert_eq!(
        stderr(&output),
        "strowger sub: the broker ended the connection: Server shutting down (0x8b)\n"
    );
}

#[test]
fn what_does_not_speak_mqtt_is_told_from_a_broker() {
    let port = broker(|stream| {
        packet(stream);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        stream.shutdown(std::net::Shutdown::Both).unwrap();
    });
    let output = run(&format!("pub -h 127.0.0.1 -p {port} -t a -m x"));
    assert_eq!(code(&output), 69);
    assert!(stderr(&output).starts_with(&format!("strowger pub: lost the connection to 127.0.0.1:{port}: ")));
    assert_eq!(stderr(&output).lines().count(), 1);
}

#[test]
fn sub_prints_and_acknowledges_and_leaves_after_its_count() {
    let port = broker(|stream| {
        packet(stream);
        stream.write_all(CONNACK).unwrap();
        packet(stream);
        stream.write_all(&[0x90, 4, 0, 1, 0, 2]).unwrap();
        // QoS 0, then QoS 2 sent twice: it is printed once, and its exchange is completed before the goodbye.
        stream.write_all(&[0x30, 5, 0, 1, b'a', 0, b'x']).unwrap();
        stream.write_all(&[0x34, 7, 0, 1, b'a', 0, 9, 0, b'y']).unwrap();
        stream.write_all(&[0x3c, 7, 0, 1, b'a', 0, 9, 0, b'y']).unwrap();
        stream.write_all(&[0x31, 4, 0, 1, b'b', 0]).unwrap();
        assert_eq!(packet(stream), 0x50);
        assert_eq!(packet(stream), 0x50);
        stream.write_all(&[0x62, 2, 0, 9]).unwrap();
        stream.write_all(&[0x34, 7, 0, 1, b'a', 0, 9, 0, b'z']).unwrap();
        assert_eq!(packet(stream), 0x70);
        assert_eq!(packet(stream), 0x50);
        stream.write_all(&[0x62, 2, 0, 9]).unwrap();
        assert_eq!(packet(stream), 0x70);
        assert_eq!(packet(stream), 0xe0);
    });
    let output = run(&format!("sub -h 127.0.0.1 -p {port} -t # -q 2 -v -C 4"));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output), "a x\na y\nb (null)\na z\n");
}

#[test]
fn sub_ends_with_27_when_its_time_is_over() {
    let port = broker(|stream| {
        packet(stream);
        stream.write_all(CONNACK).unwrap();
        packet(stream);
        stream.write_all(&[0x90, 4, 0, 1, 0, 0]).unwrap();
        assert_eq!(packet(stream), 0xe0);
    });
    let output = run(&format!("sub -h 127.0.0.1 -p {port} -t a -W 1"));
    assert_eq!(code(&output), 27);
    assert_eq!(stderr(&output), "strowger sub: timed out after 1 s (-W)\n");
}

#[test]
fn sub_ends_quietly_when_nobody_reads_its_output() {
    let port = broker(|stream| {
        packet(stream);
        stream.write_all(CONNACK).unwrap();
        packet(stream);
        stream.write_all(&[0x90, 4, 0, 1, 0, 0]).unwrap();
        stream.write_all(&[0x30, 5, 0, 1, b'a', 0, b'x']).unwrap();
        assert_eq!(packet(stream), 0xe0);
    });
    let mut child = strowger(&format!("sub -h 127.0.0.1 -p {port} -t a"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn pub_sends_each_line_of_standard_input() {
    let (sender, topics) = std::sync::mpsc::channel();
    let port = broker(move |stream| {
        packet(stream);
        stream.write_all(CONNACK).unwrap();
        for id in 1..=3 {
            sender.send(packet(stream)).unwrap();
            stream.write_all(&[0x40, 2, 0, id]).unwrap();
        }
        sender.send(packet(stream)).unwrap();
    });
    let mut command = strowger(&format!("pub -h 127.0.0.1 -p {port} -t a -l -q 1"));
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"one\r\n\nthree").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(topics.iter().collect::<Vec<_>>(), [0x32, 0x32, 0x32, 0xe0]);
}

#[test]
fn completions_and_man_pages_come_from_the_definition() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&format!("completions {shell}"));
        assert!(stdout(&script).contains("print-conf"), "{shell}");
    }
    let dir = std::env::temp_dir().join(format!("strowger-cli-{}-man", std::process::id()));
    assert_eq!(code(&run(&format!("man {}", dir.display()))), 0);
    let page = std::fs::read_to_string(dir.join("strowger-pub.1")).unwrap();
    assert!(page.contains("will"), "{page}");
    let page = std::fs::read_to_string(dir.join("strowger-store-check.1")).unwrap();
    assert!(page.contains("65 damaged"), "{page}");
    let page = std::fs::read_to_string(dir.join("strowger-bench-p2p.1")).unwrap();
    assert!(page.contains("pairs"), "{page}");
    std::fs::remove_dir_all(&dir).unwrap();
}
