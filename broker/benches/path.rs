//! The way of a message through the line, for `scripts/instructions`, which counts what it takes.
//!
//! ```text
//! path                  every path once, as a check
//! path --list           the paths, with the messages that a round delivers
//! path NAME ROUNDS      one path
//! ```

use rig::{PATHS, Path, Rig};

mod rig;

fn run(path: Path, rounds: usize) {
    let mut rig = Rig::new(path);
    (0..rounds).for_each(|_| rig.round());
    let delivered = rig.delivered();
    println!("{} {delivered}", path.name);
}

fn main() {
    // `cargo bench` adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["--list"] => PATHS
            .iter()
            .for_each(|path| println!("{} {}", path.name, path.deliveries())),
        [name, rounds] => {
            let path = PATHS.into_iter().find(|path| path.name == name);
            let path = path.expect("a path that --list shows");
            run(path, rounds.parse().expect("a number of rounds"));
        }
        _ => PATHS.into_iter().for_each(|path| run(path, 1)),
    }
}
