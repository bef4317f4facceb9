//! Kin and breeding over HTTP.

use super::*;

const BREEDING: &str =
    "average_offspring_per_agent breeding_enabled mature_agents message total_agents total_offspring";

#[tokio::test]
async fn questions_about_kin_have_their_fields() {
    about("mates", "mates fox-1 5", "agent_id compatible_mates").await;
    about("mates?max_results=50", "mates fox-1 50", "agent_id compatible_mates").await;
    let compatibility = "agent1_id agent2_id breeding_recommended compatibility_level compatibility_score \
        generation_difference obstacles recommendation spirit_compatibility trait_analysis";
    about("compatibility/wolf-2", "compatibility fox-1 wolf-2", compatibility).await;
    let lineage = "agent_id ancestors children descendants generation genetic_markers lineage parents";
    about("lineage", "lineage fox-1 3", lineage).await;
    about("lineage?depth=10", "lineage fox-1 10", lineage).await;
}

#[tokio::test]
async fn breeding_is_allowed_and_forbidden() {
    order("breeding/enable", "", "set_breeding true", BREEDING).await;
    order("breeding/enable", " null ", "set_breeding true", BREEDING).await;
    let (reply, asked) = good(Method::POST, "/api/ecs/breeding/enable", r#"{"enabled":false}"#).await;
    assert_eq!((asked.as_str(), &reply.json()["message"]), ("set_breeding false", &json!("breeding is disabled")));
    refuses("breeding/enable", json!({"enabled": "yes"}), &["enabled"]).await;
}
