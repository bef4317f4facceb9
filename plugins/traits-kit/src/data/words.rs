//! Styles of name, their templates, and the words that fill them. Data only.

/// A way to make names.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub name: &'static str,
    /// Words in braces are filled in: `spirit`, `generation`, and the lists of `LISTS`.
    pub template: &'static str,
    pub purpose: &'static str,
}

#[rustfmt::skip]
pub const STYLES: [Style; 6] = [
    Style { name: "foundation", template: "{spirit}-{suffix}-{generation}", purpose: "a calling and a generation number: builders and founders" },
    Style { name: "exo", template: "{spirit}-{suffix}-{model}", purpose: "a calling and a model number: machines and pilots" },
    Style { name: "hybrid", template: "{spirit}-{reference}-{designation}", purpose: "a reference and a rank: where two worlds meet" },
    Style { name: "cyberpunk", template: "{prefix}-{spirit}-{suffix}", purpose: "a technical prefix: dwellers of networks" },
    Style { name: "mythological", template: "{mythological}-{spirit}-{suffix}", purpose: "a figure of legend: keepers of stories" },
    Style { name: "scientific", template: "{prefix}-{technical}-{classification}", purpose: "terms and a class: researchers" },
];

pub const SCHEMES: [&str; 11] = [
    "animal_spirit",
    "elemental",
    "celestial",
    "mythological",
    "scientific",
    "geographic",
    "color",
    "music",
    "technology",
    "literary",
    "historical",
];

/// A kind of word: its name in templates and its words, with spaces between.
#[rustfmt::skip]
pub const LISTS: [(&str, &str); 8] = [
    ("suffix", "Sage Warden Seeker Weaver Herald Keeper Scribe Wright Mender Strider Piper Oracle Archer Mason Pilot \
        Ranger Tinker Cantor Delver Envoy Farer Gleaner Harper Joiner Kindler Lamplighter Marshal Navigator Ostler Planter \
        Quester Reeve Smith Teller Usher Vintner Watcher Yeoman Binder Caller"),
    ("prefix", "Neon Cipher Quantum Chrome Pixel Static Vector Proto Hyper Glitch Plasma Carbon Binary Fractal Laser \
        Syntax Turbo Ultra Volt Zero Argon Cobalt Delta Ion Kernel Photon Radian Silicon Tensor Lattice"),
    ("mythological", "Atlas Brigid Cadmus Daphne Echo Fenrir Gaia Hestia Iris Janus Kvasir Loki Mimir Nyx Orion Pandora \
        Quirinus Rhea Sif Thoth Urania Vesta Wayland Xanthe Ymir Zephyrus Anansi Inari Maui Saraswati"),
    ("technical", "Actuator Buffer Codec Daemon Encoder Filter Gyro Harness Index Junction Kernelset Ledger Modulator Node \
        Oscillator Parser Quantizer Relay Sampler Transducer Uplink Valve Waveguide Mixer Yoke Sorter"),
    ("classification", "Alpha Beta Gamma Epsilon Zeta Eta Theta Iota Kappa Lambda Mu Nu Xi Omicron Pi Rho Sigma Tau Upsilon \
        Phi Chi Psi Omega"),
    ("reference", "Aurora Basilica Cascade Dolmen Equinox Fjord Glacier Harbour Isthmus Juniper Keystone Labyrinth Meridian \
        Nocturne Obelisk Parable Quarry Rotunda Solstice Tundra Umbra Vesper Waterfall Yonder Zenith Sonata"),
    ("designation", "Prime Second Minor Major Elect Senior Junior Regent Emeritus Apprentice Adept Novice Principal Deputy \
        Ordinal Vice Acting Honorary"),
    ("model", "X1 X7 R2 R9 MK3 MK4 MK8 V5 V12 T6 T20 S3 S11 Q4 Q16 K2 K21 J8 H5 H14 G6 F22 E9 D4 D17 C3 B12 A1 A10 Z99"),
];

/// The words of a list.
pub fn list(name: &str) -> Option<&'static str> {
    LISTS.iter().find(|(known, _)| *known == name).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn templates_name_lists_that_exist() {
        for style in STYLES {
            for part in style.template.split('-') {
                let part = part.trim_matches(['{', '}']);
                assert!(["spirit", "generation"].contains(&part) || list(part).is_some(), "{}: {part}", style.name);
            }
        }
    }

    #[test]
    fn words_are_different_within_their_list() {
        for (name, words) in LISTS {
            let words: Vec<_> = words.split_whitespace().collect();
            assert!(words.len() >= 18, "{name}");
            assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len(), "{name}");
        }
    }
}
