//! Trap 20: every path that a message can take, times what became of the right to it, and no way around it.

use std::fmt::Write;

use mqtt_codec::{QoS, Version};
use scene::{Cell, Change, Path, Reach, Scene};

mod scene;
mod stories;

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];
const LEVELS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for path in Path::ALL {
        for change in Change::ALL {
            for reach in [Reach::Exact, Reach::Wide] {
                for version in VERSIONS {
                    for qos in LEVELS {
                        cells.extend([false, true].map(|is_far| Cell {
                            path,
                            change,
                            reach,
                            version,
                            qos,
                            is_far,
                        }));
                    }
                }
            }
        }
    }
    cells.retain(Cell::exists);
    cells
}

/// What is allowed comes through, what is denied or was revoked does not, and what a shared group has comes to others.
#[test]
fn no_path_leaks_what_is_denied() {
    let (mut table, mut leaks, mut blocked) = (String::new(), 0, 0);
    let cells = cells();
    for cell in &cells {
        let seen = Scene::new(*cell).play();
        let wrong = match (cell.change, seen) {
            (Change::Allow, 0) => {
                blocked += 1;
                "allowed, and blocked"
            }
            (Change::Allow, _) | (_, 0) => continue,
            (Change::Deny | Change::RevokedConnected | Change::RevokedAway, _) => {
                leaks += 1;
                "denied, and seen"
            }
        };
        let _infallible = writeln!(table, "{wrong}: {cell:?}");
    }
    assert!(
        table.is_empty(),
        "{} cells, {leaks} leaks, {blocked} blocked:\n{table}",
        cells.len()
    );
    // What the table is worth depends on how much of it there is.
    assert_eq!(cells.len(), 1572, "cells");
}
