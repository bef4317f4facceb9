//! What time does: age, energy, the end of a life.

/// A life ends at this age.
pub const MAX_AGE: f32 = 100.0;
/// Social energy that comes back in a year. The original had 0.1 a world hour and no relation of hours to years;
/// a host's default year is one world hour (3,600 world seconds).
pub const RECOVERY: f32 = 0.1;

/// Columns `step` years on, in place: age + step, energy + 0.1 × step up to 1.
pub fn advance(ages: &mut [f32], energies: &mut [f32], step: f32) {
    for age in ages {
        *age += step;
    }
    for energy in energies {
        *energy = (*energy + RECOVERY * step).clamp(0.0, 1.0);
    }
}

/// Alive while the age is below 100.
pub fn alive(ages: &[f32]) -> Vec<bool> {
    ages.iter().map(|age| *age < MAX_AGE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_by_hand() {
        let (mut ages, mut energies) = ([0.0, 99.5, 99.4], [0.5, 0.98, 0.0]);
        advance(&mut ages, &mut energies, 0.5);
        assert_eq!(ages, [0.5, 100.0, 99.9]);
        // 0.1 × 0.5 = 0.05, and no more than 1.
        for (energy, expected) in energies.iter().zip([0.55, 1.0, 0.05]) {
            assert!((energy - expected).abs() < 1e-6);
        }
        assert_eq!(alive(&ages), [true, false, true]);
    }
}
