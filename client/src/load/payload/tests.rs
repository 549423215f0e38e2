use super::*;

fn read(text: &str) -> Result<PayloadSize, String> {
    text.parse().map_err(|error: Unreadable| error.to_string())
}

#[test]
fn every_way_to_write_a_size_reads_back() {
    for (text, size, mean) in [
        ("64", PayloadSize::Fixed(64), 64.0),
        ("16-1024", PayloadSize::Uniform { min: 16, max: 1_024 }, 520.0),
        (
            "64:80,1024:15,16384:5",
            PayloadSize::Weighted(vec![(64, 80), (1_024, 15), (16_384, 5)]),
            1_024.0,
        ),
    ] {
        assert_eq!(read(text).as_ref(), Ok(&size));
        assert_eq!(size.to_string(), text);
        assert!((size.mean_bytes() - mean).abs() < 1e-9, "{text}: {}", size.mean_bytes());
    }
}

#[test]
fn what_cannot_be_sent_is_refused_with_its_reason() {
    for (text, said) in [
        ("", "\"\" is no payload size: write 64"),
        ("64k", "\"64k\" is no payload size: write 64"),
        ("15", "smaller than the 16 bytes of its mark"),
        ("100-50", "100 exceeds 50"),
        ("8-50", "smaller than the 16 bytes"),
        ("64:0", "no size with a weight"),
        ("64:1,", "write 64"),
        ("1000000000", "exceeds 67108864"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(said), "{text}: {error}");
    }
}

#[test]
fn draws_keep_to_their_bounds_and_weights() {
    let mut sizes = Sizes::new(&read("16-19").unwrap(), 1);
    let mut seen = [0_u32; 4];
    for _ in 0..4_000 {
        seen[usize::try_from(sizes.draw() - 16).unwrap()] += 1;
    }
    assert!(seen.iter().all(|count| (800..1_200).contains(count)), "{seen:?}");

    let mut sizes = Sizes::new(&read("64:80,1024:15,16384:5").unwrap(), 1);
    let drawn: Vec<u32> = (0..10_000).map(|_| sizes.draw()).collect();
    let share = |bytes| drawn.iter().filter(|drawn| **drawn == bytes).count();
    let (small, middle, large) = (share(64), share(1_024), share(16_384));
    assert_eq!(small + middle + large, 10_000);
    assert!((7_800..8_200).contains(&small), "{small}");
    assert!((1_350..1_650).contains(&middle), "{middle}");
    assert!((400..600).contains(&large), "{large}");
}

#[test]
fn the_same_seed_draws_the_same_sizes() {
    let size = read("16-100000").unwrap();
    let draws = |seed| {
        let mut sizes = Sizes::new(&size, seed);
        (0..100).map(|_| sizes.draw()).collect::<Vec<_>>()
    };
    assert_eq!(draws(3), draws(3));
    assert_ne!(draws(3), draws(4));
}
