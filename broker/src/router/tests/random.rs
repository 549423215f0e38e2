//! Random numbers, filters and topics; a seed gives the same ones each time.

/// The seed of this run: `STROWGER_TEST_SEED`, or one that is the same each time.
pub(super) fn seed() -> u64 {
    let given = std::env::var("STROWGER_TEST_SEED").ok();
    let seed = given
        .and_then(|text| text.parse().ok())
        .unwrap_or(0x5354_524f_5747_4552);
    println!("STROWGER_TEST_SEED={seed}");
    seed
}

/// The generator known as SplitMix64.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }

    pub(super) fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub(super) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// 1 to 5 levels out of `from`, never the empty text.
    pub(super) fn levels(&mut self, from: &[&str]) -> String {
        let count = 1 + self.below(5);
        let text = (0..count).map(|_| self.pick(from)).collect::<Vec<_>>().join("/");
        if text.is_empty() { "a".to_owned() } else { text }
    }

    /// As [`Self::levels`], sometimes with `#` behind.
    pub(super) fn filter(&mut self, from: &[&str]) -> String {
        match self.below(8) {
            0 => "#".to_owned(),
            1 | 2 => self.levels(from) + "/#",
            _ => self.levels(from),
        }
    }
}
