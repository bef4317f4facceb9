//! Spirits with scales or six legs and more, and those that nobody has seen. Data only.

use super::{Spirit, spirit};

const REPTILES: &str = "reptiles_and_amphibians";
const INSECTS: &str = "insects_and_arachnids";
const MYTHICAL: &str = "mythical_and_legendary";
const COSMIC: &str = "extraterrestrial_and_cosmic";

#[rustfmt::skip]
pub(super) const SPIRITS: [Spirit; 12] = [
    spirit("frog", REPTILES, "🐸", "leaping moist vocal transforming patient",
        "Ranith Lilyleap Croaken Tadwell Bogsong Greenspring Rainchorus Puddlejump Ribbet Mirelight Throatbell Dewhop",
        [4, 16, 36, 64, 100, 144, 196], &[("adaptability", 0.75), ("patience", 0.65), ("performer", 0.65), ("agility", 0.7)]),
    spirit("lizard", REPTILES, "🦎", "basking quick alert dry ancient",
        "Sunrock Skinkle Tailshed Gekkar Basker Crevice Wallclimb Scutel Heatstone Flicktongue Saurel Drystone",
        [6, 15, 24, 33, 42, 51, 60], &[("reflexes", 0.75), ("vitality", 0.7), ("patience", 0.65)]),
    spirit("snake", REPTILES, "🐍", "coiled subtle shedding quiet hypnotic",
        "Serpentel Coilwick Moultane Hisscroft Ophidan Fangwell Slithra Lowgrass Venomel Ouroban Sidewind Viperine",
        [13, 23, 43, 53, 73, 83, 103], &[("flexibility", 0.9), ("strategist", 0.8), ("patience", 0.8), ("loyalty", 0.4)]),
    spirit("turtle", REPTILES, "🐢", "steady old sheltered slow persistent",
        "Carapel Slowtide Shellward Chelone Mosshome Longroad Plastron Keelbeach Tortugel Steadfoot Archelon Quietbay",
        [25, 50, 75, 100, 125, 150, 175], &[("patience", 0.95), ("endurance", 0.85), ("vitality", 0.8), ("speed", 0.1), ("spontaneity", 0.15)]),
    spirit("ant", INSECTS, "🐜", "industrious tiny organised tireless loyal",
        "Formicel Crumbcarry Tunnelby Sixmarch Queensent Hillwright Trailscent Loadwell Mandiby Workmote Chamberlin Soilsister",
        [10, 100, 200, 300, 400, 500, 600], &[("loyalty", 0.95), ("determination", 0.9), ("builder", 0.9), ("independence", 0.05), ("size", 0.02), ("strength", 0.7)]),
    spirit("bee", INSECTS, "🐝", "busy golden communal dancing precise",
        "Apiara Hexwell Nectarine Waggle Combwright Pollenor Droneby Cloverhum Meliss Sunforage Waxwing Hivemote",
        [6, 12, 18, 24, 30, 36, 42], &[("loyalty", 0.9), ("builder", 0.85), ("communicator", 0.8), ("independence", 0.1), ("size", 0.03)]),
    spirit("dragonfly", INSECTS, "🪰", "shimmering swift hovering brief precise",
        "Odonel Glasswing Skimmerby Nymphara Hoverlace Pondglint Darnel Quicksilver Veinleaf Stillreed Prismane Shimmerdart",
        [7, 17, 27, 37, 47, 57, 67], &[("agility", 0.95), ("reflexes", 0.95), ("speed", 0.85), ("size", 0.05)]),
    spirit("mantis", INSECTS, "🦗", "still exact meditative green sudden",
        "Praywell Stillstrike Greenblade Mantidel Leafmask Forearm Zenstalk Swiveleye Ambushel Monkmoth Twigfold Patiencia",
        [3, 11, 19, 27, 35, 43, 51], &[("patience", 0.9), ("perfectionism", 0.8), ("reflexes", 0.9), ("warrior", 0.75), ("size", 0.05)]),
    spirit("spider", INSECTS, "🕷️", "weaving patient solitary intricate waiting",
        "Arachnel Silkwright Webward Orbwell Eightstep Loomara Dewthread Spinneret Trapdoor Gossamel Knotwise Tangleby",
        [8, 16, 32, 64, 128, 256, 512], &[("patience", 0.9), ("builder", 0.9), ("perfectionism", 0.75), ("creativity", 0.7), ("size", 0.04)]),
    spirit("dragon", MYTHICAL, "🐉", "ancient mighty proud fiery hoarding",
        "Drakonar Cinderwing Hoardwell Scorchel Wyrmoth Smoulderan Vaultkeep Emberscale Ryuken Pyreth Goldcoil Ashmonarch",
        [9, 99, 199, 299, 399, 499, 999], &[("dominance", 0.9), ("strength", 0.95), ("size", 0.95), ("intelligence", 0.85), ("courage", 0.85), ("aggression", 0.55), ("warrior", 0.85), ("vitality", 0.9)]),
    spirit("phoenix", MYTHICAL, "🔥", "reborn radiant hopeful burning eternal",
        "Cindara Ashrise Pyrelight Rekindle Solfeather Emberwake Flarewing Helian Renascel Everflame Brandish Dawncinder",
        [1, 12, 123, 234, 345, 456, 567], &[("vitality", 1.0), ("healer", 0.85), ("charisma", 0.75), ("courage", 0.8), ("determination", 0.8)]),
    spirit("alien", COSMIC, "👽", "strange distant luminous logical curious",
        "Xylqor Zephrun Nebulith Vantoid Quasarel Ozmium Thrennix Ulvorn Pulsara Kryllan Orbitax Yttrian",
        [42, 51, 137, 299, 314, 451, 512], &[("intelligence", 0.9), ("curiosity", 0.9), ("explorer", 0.9), ("inventor", 0.85), ("empathy", 0.4)]),
];
