use storage::{Batch, FileMedium, MemoryStore, ShardOptions, Store, Table};
use tempfile::TempDir;
use tokio::sync::mpsc::{Receiver, channel};

use super::*;

fn shard(directory: &TempDir) -> Shard {
    let medium = Box::new(FileMedium::new(directory.path().to_owned()));
    let options = ShardOptions::new(Box::new(MemoryStore::new(1 << 30)));
    Shard::open_on(medium, options, false).unwrap().0
}

fn put(shard: &mut Shard, numbers: std::ops::Range<u32>) {
    let mut batch = Batch::default();
    for number in numbers {
        batch.put(Table(4), &number.to_be_bytes(), &[0; 100]);
    }
    shard.apply(&batch).unwrap();
}

fn records(portions: &mut Receiver<Portion>) -> usize {
    let mut found = 0;
    while let Ok(portion) = portions.try_recv() {
        if let Portion::Records(records) = portion {
            found += records.len();
        }
    }
    found
}

fn steps(backup: &mut Backup, shard: &mut Shard, portions: &mut Receiver<Portion>) -> usize {
    let mut found = 0;
    loop {
        let step = backup.step(shard);
        found += records(portions);
        match step {
            Step::More => {}
            Step::Done => return found,
            Step::GiveUp(why) => panic!("{why}"),
        }
    }
}

#[test]
fn a_backup_holds_what_was_there_at_its_first_step() {
    let directory = TempDir::new().unwrap();
    let mut shard = shard(&directory);
    put(&mut shard, 0..3000);
    let (to, mut portions) = channel(4);
    let mut backup = Backup::new(to);
    assert!(matches!(backup.step(&mut shard), Step::More));
    put(&mut shard, 3000..4000);
    assert_eq!(steps(&mut backup, &mut shard, &mut portions), 3000);
    assert_eq!(backup.records, 3000);
}

#[test]
fn it_waits_for_the_end_of_the_last_freeze() {
    let directory = TempDir::new().unwrap();
    let mut shard = shard(&directory);
    assert!(shard.freeze());
    put(&mut shard, 0..3000);
    shard.thaw();
    let (to, mut portions) = channel(4);
    let mut backup = Backup::new(to);
    assert!(matches!(backup.step(&mut shard), Step::More));
    assert!(portions.try_recv().is_err());
    while shard.maintain().unwrap() {}
    assert_eq!(steps(&mut backup, &mut shard, &mut portions), 3000);
}

#[test]
fn a_receiver_that_takes_nothing_or_has_gone_ends_it() {
    let directory = TempDir::new().unwrap();
    let mut shard = shard(&directory);
    put(&mut shard, 0..3000);
    let (to, portions) = channel(1);
    let mut backup = Backup::new(to);
    assert!(matches!(backup.step(&mut shard), Step::More));
    assert_eq!(backup.patience(), Duration::ZERO);
    assert!(matches!(backup.step(&mut shard), Step::More));
    assert_eq!(backup.patience(), LOOK);
    backup.progressed -= STALL_MAX;
    assert!(matches!(backup.step(&mut shard), Step::GiveUp(why) if why == "its receiver took nothing for 60 s"));
    drop(portions);
    assert!(matches!(backup.step(&mut shard), Step::GiveUp(why) if why == "its receiver has gone"));
}
