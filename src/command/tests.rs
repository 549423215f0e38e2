use clap::{CommandFactory, Parser};

use super::{Command, in_one_line, misplaced, name_of};

fn error_of(arguments: &str) -> String {
    let arguments = ["strowger"].into_iter().chain(arguments.split_whitespace());
    in_one_line(&Command::try_parse_from(arguments).unwrap_err())
}

#[test]
fn the_definition_is_sound() {
    Command::command().debug_assert();
}

#[test]
fn a_mistake_is_told_in_one_line_with_its_remedy() {
    assert_eq!(
        error_of("--bnd x"),
        "unexpected argument '--bnd' found; a similar argument exists: '--bind'"
    );
    assert_eq!(
        error_of("pub -m x"),
        "the following required arguments were not provided: --topic <TOPIC>"
    );
    assert_eq!(
        error_of("sub -t a -V 4"),
        "invalid value '4' for '--protocol-version <VERSION>' [possible values: 5, 311, 31]"
    );
}

#[test]
fn a_mistake_points_to_the_help_of_the_command_it_was_made_in() {
    for (arguments, name) in [
        ("", "strowger"),
        ("frob pub", "strowger"),
        ("pub -t", "strowger pub"),
        ("bench", "strowger bench"),
        ("bench fan-in -q 3", "strowger bench fanin"),
    ] {
        assert_eq!(name_of(arguments.split_whitespace().map(str::to_owned)), name);
    }
}

#[test]
fn options_before_the_command_that_takes_them_are_told_their_place() {
    for (arguments, meant) in [
        ("--json clients", Some("strowger clients --json")),
        (
            "--socket admin.sock clients show a",
            Some("strowger clients show --socket"),
        ),
        ("--conf=a.toml status", Some("strowger status --conf")),
        ("clients --limit 5 show a", None),
        ("--frob clients", None),
        ("clients --frob", None),
        ("frob --json clients", None),
        ("--bind 127.0.0.1", None),
        ("", None),
    ] {
        let words: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
        assert_eq!(misplaced(&words).as_deref(), meant, "{arguments}");
    }
}

#[test]
fn payloads_and_passwords_may_start_with_a_hyphen() {
    for arguments in ["pub -t a -m -5", "pub -t a -m x -u me -P -secret", "sub -t a -x -1"] {
        assert!(
            Command::try_parse_from(["strowger"].into_iter().chain(arguments.split(' '))).is_ok(),
            "{arguments}"
        );
    }
}

#[test]
fn the_letters_of_mosquitto_are_understood() {
    for arguments in [
        "pub -h 127.0.0.1 -p 1884 -t a -f x -q 2 -r -i me -u me -P pw -k 5 -c -V mqttv311 -d",
        "pub -t a -l -V mqttv31 --will-topic w --will-payload gone --will-qos 1 --will-retain",
        "pub -t a -s -D publish content-type text/plain -D publish user-property a b -x 60",
        "pub -t a -n --repeat 3 --repeat-delay 0.5",
        "sub -h ::1 -t a -t b/# -q 1 -C 3 -W 5 -v -N -R -T b/c -U old -i me -c -V mqttv5 -E",
        "sub -t a -F %t -D subscribe subscription-identifier 7",
    ] {
        let parsed = Command::try_parse_from(["strowger"].into_iter().chain(arguments.split(' ')));
        assert!(parsed.is_ok(), "{arguments}: {:?}", parsed.err());
    }
}
