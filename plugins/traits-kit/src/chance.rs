//! Chance from a seed: splitmix64. The same seed gives the same numbers on every machine.
//!
//! Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014; constants as in
//! Vigna's public-domain `splitmix64.c`.

/// A stream of numbers.
#[derive(Clone, Copy, Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn bits(&mut self) -> u64 {
        self.skip(1);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Passes over so many draws, at no cost.
    pub fn skip(&mut self, draws: u64) {
        self.0 = self.0.wrapping_add(draws.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    }

    /// 0 to less than 1, in steps of 2^-24: every step is an `f32`.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 * (1.0 / 16_777_216.0)
    }

    /// From `-reach` to less than `reach`.
    pub fn around_zero(&mut self, reach: f32) -> f32 {
        (self.unit() * 2.0 - 1.0) * reach
    }

    /// True with the probability `share`.
    pub fn is(&mut self, share: f32) -> bool {
        self.unit() < share
    }

    /// Below `bound`, which is not 0. The bias, under `bound` / 2^32, is of no account here.
    pub fn below(&mut self, bound: u32) -> u32 {
        (((self.bits() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// One of the words of a text; empty when it has none.
    pub fn word(&mut self, words: &'static str) -> &'static str {
        let count = words.split_ascii_whitespace().count() as u32;
        if count == 0 { "" } else { words.split_ascii_whitespace().nth(self.below(count) as usize).unwrap_or("") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs of `splitmix64.c` for this seed, as published with the algorithm's task on Rosetta Code.
    #[test]
    fn the_published_sequence() {
        let mut chance = Chance::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([chance.bits(), chance.bits(), chance.bits()], expected);
        let mut chance = Chance::new(1_234_567);
        chance.skip(2);
        assert_eq!(chance.bits(), expected[2]);
    }

    #[test]
    fn numbers_stay_in_their_ranges_and_fill_them() {
        let mut chance = Chance::new(7);
        let mut sum = 0.0;
        for _ in 0..10_000 {
            let unit = chance.unit();
            assert!((0.0..1.0).contains(&unit));
            sum += f64::from(unit);
            assert!((-0.1..0.1).contains(&chance.around_zero(0.1)));
            assert!(chance.below(3) < 3);
        }
        // Mean of a uniform distribution; its deviation over 10,000 draws is 0.0029.
        assert!((sum / 10_000.0 - 0.5).abs() < 0.012, "{sum}");
    }
}
