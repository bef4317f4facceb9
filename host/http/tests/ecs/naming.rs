//! Names and traits over HTTP.

use super::*;

#[tokio::test]
async fn names_and_traits_come_from_the_rules_catalogue() {
    let (server, _) = inhabited();
    let get = async |path: &str| server.get(&format!("/api/ecs/{path}")).await.json();
    let fox = json!({
        "spirit": "fox", "category": "canines_and_foxes", "emoji": "🦊", "adjectives": ["sly"],
        "names": ["Vulpine"], "generation_numbers": [3, 7, 13], "base_traits": {"cunning": 0.75}
    });
    assert_eq!(get("naming/animal-spirits/fox").await, fox);
    let spirits = get("naming/animal-spirits").await;
    assert_eq!((&spirits["count"], &spirits["spirits"]["fox"]), (&json!(2), &fox));
    assert_eq!(get("naming/components").await, json!({"components": {"suffixes": ["Sage"]}}));
    assert_eq!(get("naming/components/suffixes").await, json!({"type": "suffixes", "words": ["Sage"]}));
    let styles = json!({"exo": {"template": "{spirit}-{suffix}", "purpose": "machines"}});
    let config = json!({"schemes": ["elemental"], "styles": styles, "spirits": ["wolf", "fox"]});
    assert_eq!(get("naming/config").await, config);
    for part in ["schemes", "styles", "spirits"] {
        assert_eq!(get(&format!("naming/config/{part}")).await, json!({ part: config[part] }));
    }
    let numbers = json!({"generation_numbers": {"fox": [3, 7, 13], "wolf": [3, 7, 13]}});
    assert_eq!(get("naming/generation-numbers").await, numbers);
    let numbers = json!({"spirit": "fox", "generation_numbers": [3, 7, 13]});
    assert_eq!(get("naming/generation-numbers/fox").await, numbers);
    let enums = get("naming/enums").await;
    assert_eq!((&enums["styles"], &enums["components"]), (&json!(["exo"]), &json!(["suffixes"])));
    assert_eq!(
        (enums["interaction_types"].as_array().unwrap().len(), &enums["gender_identities"][0]),
        (11, &json!("male"))
    );
    assert_eq!(get("naming/characters/fox-1").await["name"], "fox-1's name");

    let cunning = json!({"category": "mental", "purpose": "to think", "default": 0.5, "min": 0.0, "max": 1.0});
    let personality = get("traits/personality").await;
    assert_eq!((&personality["count"], &personality["trait_definitions"]["cunning"]), (&json!(2), &cunning));
    // Of `size` the catalogue says nothing; the rules' traits have it.
    let size = json!({"category": "", "purpose": "", "default": 0.5, "min": 0.0, "max": 1.0});
    assert_eq!(get("traits/physical").await["trait_definitions"], json!({ "size": size }));
    assert_eq!(get("traits/abilities").await["count"], 0);
    let fox = get("traits/personality/fox").await;
    assert_eq!((&fox["spirit"], &fox["group"]), (&json!("fox"), &json!("personality")));
    assert_eq!(fox["base_traits"], json!({"cunning": 0.75, "loyalty": 0.25}));
    assert_eq!(keys(&fox["trait_definitions"]), ["cunning", "loyalty"]);
    assert_eq!(get("traits/personality/wolf").await["base_traits"], json!({"cunning": 0.5, "loyalty": 0.25}));
    assert_eq!(get("traits/physical/fox").await["base_traits"], json!({"size": 0.5}));
    assert_eq!(get("traits/abilities/fox").await["base_traits"], json!({}));
    let whole = json!({
        "spirit": "fox", "personality": {"cunning": 0.75, "loyalty": 0.25}, "physical": {"size": 0.5}, "abilities": {}
    });
    assert_eq!(get("traits/spirit/fox").await, whole);
    let config = get("traits/config").await;
    assert_eq!(config["parameters"], json!({"mutation_rate": 0.125}));
    assert_eq!(config["traits"], json!({"personality": ["cunning", "loyalty"], "physical": ["size"], "abilities": []}));
    assert_eq!(config["rules"], "traits-classic@0.1.0");

    for path in [
        "naming/animal-spirits/yeti",
        "naming/generation-numbers/yeti",
        "naming/components/yeti",
        "traits/spirit/yeti",
        "traits/personality/yeti",
        "traits/physical/yeti",
        "traits/abilities/yeti",
    ] {
        let detail = server.get(&format!("/api/ecs/{path}")).await.problem(404, "not-found").detail;
        assert!(detail.contains("`yeti`"), "{detail}");
    }
}
