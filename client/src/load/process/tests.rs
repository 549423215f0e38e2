use super::*;

#[test]
fn this_process_has_memory_and_threads() {
    let mut own = Processes::own().unwrap();
    let reading = own.read();
    assert!(
        reading.rss_kib > 500 && reading.rss_peak_kib >= reading.rss_kib,
        "{reading:?}"
    );
    let mut twice = Processes::of(&[std::process::id()]).unwrap();
    assert!(twice.read().rss_kib > 500);
}

#[test]
fn a_thread_that_ended_still_counts() {
    let mut own = Processes::own().unwrap();
    let (asked, answer) = (std::sync::mpsc::channel::<()>(), std::sync::mpsc::channel::<()>());
    let worker = std::thread::spawn(move || {
        let mut number = 1_u64;
        for step in 0..20_000_000_u64 {
            number = std::hint::black_box(number.wrapping_mul(step | 1));
        }
        answer.0.send(()).unwrap();
        asked.1.recv().unwrap();
    });
    answer.1.recv().unwrap();
    let busy = own.read();
    asked.0.send(()).unwrap();
    worker.join().unwrap();
    assert!(own.read().cpu_ns >= busy.cpu_ns);
}

#[test]
fn a_process_that_is_not_there_is_named() {
    let failure = Processes::of(&[u32::MAX]).unwrap_err().to_string();
    assert!(failure.contains("/proc/4294967295/"), "{failure}");
}
