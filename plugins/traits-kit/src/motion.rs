//! Where agents without a target wander. Ours: the original never moved anybody.

use crate::traits::{at, known};
use crate::{Bodies, Chance, PluginError, Velocities, column, matrix, rows};

/// Units of the map a world second, of one with all of curiosity and energy.
pub const SPEED: f32 = 1.0;

/// The curious go fast, the tired slowly: speed × (0.25 + 0.75 × curiosity) × (0.2 + 0.8 × energy).
pub fn pace(curiosity: f32, energy: f32) -> f32 {
    SPEED * (0.25 + 0.75 * curiosity) * (0.2 + 0.8 * energy)
}

/// A direction of length 1 that keeps to `heading` by 1 − `turn` and to `whim` by `turn`; `whim` where the two
/// cancel out, nothing where neither points anywhere.
pub fn direction(heading: [f32; 2], whim: [f32; 2], turn: f32) -> [f32; 2] {
    let heading = unit(heading);
    let whim = unit(whim);
    let mixed = [heading[0] * (1.0 - turn) + whim[0] * turn, heading[1] * (1.0 - turn) + whim[1] * turn];
    let mixed = unit(mixed);
    if mixed == [0.0, 0.0] { whim } else { mixed }
}

fn unit([x, y]: [f32; 2]) -> [f32; 2] {
    let length = (x * x + y * y).sqrt();
    if length > 1e-6 && length.is_finite() { [x / length, y / length] } else { [0.0, 0.0] }
}

/// Velocities for the next `step`: the spontaneous turn more than the others, by a tenth of their
/// spontaneity a world second, at most entirely.
pub fn wander(now: &Bodies, step: f32, seed: u64) -> Result<Velocities, PluginError> {
    let count = now.count as usize;
    matrix("traits", &now.traits, now.count)?;
    column("energies", now.energies.len(), count)?;
    column("velocity-xs", now.velocity_xs.len(), count)?;
    column("velocity-ys", now.velocity_ys.len(), count)?;
    let mut chance = Chance::new(seed);
    let mut after = Velocities { xs: Vec::with_capacity(count), ys: Vec::with_capacity(count) };
    for (agent, traits) in rows(&now.traits).enumerate() {
        let turn = (0.1 * known(traits[at::SPONTANEITY]) * step).clamp(0.0, 1.0);
        let whim = [chance.around_zero(1.0), chance.around_zero(1.0)];
        let heading = [now.velocity_xs[agent], now.velocity_ys[agent]];
        let pace = pace(known(traits[at::CURIOSITY]), now.energies[agent].clamp(0.0, 1.0));
        let [x, y] = direction(heading, whim, turn);
        after.xs.push(x * pace);
        after.ys.push(y * pace);
    }
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traits::WIDTH;

    #[test]
    fn pace_by_hand() {
        // (0.25 + 0.45) × (0.2 + 0.4)
        assert!((pace(0.6, 0.5) - 0.42).abs() < 1e-6);
        assert_eq!(pace(1.0, 1.0), 1.0);
    }

    #[test]
    fn directions_have_length_one() {
        assert_eq!(direction([3.0, 0.0], [0.0, 1.0], 0.0), [1.0, 0.0]);
        // East and north, half and half: north-east.
        let [x, y] = direction([2.0, 0.0], [0.0, 5.0], 0.5);
        let half = std::f32::consts::FRAC_1_SQRT_2;
        assert!((x - half).abs() < 1e-6 && (y - half).abs() < 1e-6);
        // Who stands goes where the whim says, and so does who would turn on the spot.
        assert_eq!(direction([0.0, 0.0], [0.0, 0.2], 0.1), [0.0, 1.0]);
        assert_eq!(direction([1.0, 0.0], [-1.0, 0.0], 0.5), [-1.0, 0.0]);
        assert_eq!(direction([0.0, 0.0], [0.0, 0.0], 0.5), [0.0, 0.0]);
    }

    #[test]
    fn nobody_is_faster_than_the_speed() {
        let values = || vec![1.0; 1_000];
        let now = Bodies {
            count: 1_000,
            traits: vec![1.0; 1_000 * WIDTH],
            energies: values(),
            xs: values(),
            ys: values(),
            velocity_xs: values(),
            velocity_ys: values(),
        };
        let after = wander(&now, 1.0, 4).unwrap();
        for (x, y) in after.xs.iter().zip(&after.ys) {
            let speed = (x * x + y * y).sqrt();
            assert!((speed - 1.0).abs() < 1e-5, "{speed}");
        }
        // They turn: not all alike.
        assert!(after.xs.iter().any(|x| (x - after.xs[0]).abs() > 1e-3));
    }
}
