//! Interactions over HTTP, and what stays of them.

use super::*;

const INTERACTION: &str =
    "content duration energy_cost interaction_id interaction_type outcome participants relationship_impact timestamp";

#[tokio::test]
async fn questions_about_company_have_their_fields() {
    about("interactions", "interactions fox-1 10", "interactions total_count").await;
    about("relationships", "relationships fox-1", "agent_id relationships total_relationships").await;
    let social = "agent_id close_relationships communication_style energy_percentage failed_interactions groups \
        influence max_social_energy negative_relationships positive_relationships social_energy social_status \
        success_rate successful_interactions total_interactions total_relationships";
    about("social_stats", "social_stats fox-1", social).await;
    let (reply, _) = good(Method::GET, "/api/ecs/agents/fox-1/interactions?limit=100", "").await;
    assert_eq!(reply.json()["total_count"], 40);
}

#[tokio::test]
async fn interactions_reach_the_world_with_their_defaults() {
    order("agents/f/interact", r#"{"agent2_id":"w"}"#, "interact f w Communication communication", INTERACTION).await;
    let body = r#"{"agent1_id":"f","agent2_id":"w"}"#;
    order("interactions", body, "interact f w Communication communication", "interaction success").await;
    let chat = "content interaction_type message sender_energy success timestamp";
    let body = r#"{"receiver_id":"w","message":"hé"}"#;
    order("agents/f/chat", body, "chat f w 2 Communication", chat).await;
}

#[tokio::test]
async fn every_word_for_an_interaction_means_a_kind_of_the_rules() {
    for (word, kind) in [
        ("communication", "Communication"),
        ("social", "Social"),
        ("playing", "Social"),
        ("collaboration", "Collaboration"),
        ("conflict", "Competitive"),
        ("competitive", "Competitive"),
        ("breeding", "Romantic"),
        ("romantic", "Romantic"),
        ("mentoring", "Teaching"),
        ("learning", "Teaching"),
        ("teaching", "Teaching"),
    ] {
        let body = json!({"agent2_id": "w", "interaction_type": word}).to_string();
        let (reply, asked) = good(Method::POST, "/api/ecs/agents/f/interact", &body).await;
        assert_eq!(asked, format!("interact f w {kind} {word}"));
        assert_eq!(reply.json()["interaction_type"], word);
    }
    let (server, world) = inhabited();
    let body = json!({"agent2_id": "w", "interaction_type": "socail"});
    let reply = server.post("/api/ecs/agents/f/interact", body).await;
    assert_eq!(reply.violated(), ["interaction_type"]);
    let remedy = reply.problem(422, "invalid-request").errors[0].remedy.clone().unwrap();
    assert!(remedy.contains("`social`"), "{remedy}");
    assert!(world.asked.lock().is_empty());
}

#[tokio::test]
async fn interactions_are_checked_field_by_field() {
    refuses("agents/a/interact", json!({"agent2_id": "a"}), &["agent2_id"]).await;
    refuses("agents/a/interact", json!({"agent2": "b"}), &["agent2", "agent2_id"]).await;
    refuses("interactions", json!({"agent1_id": "a", "agent2_id": "a"}), &["agent2_id"]).await;
    refuses("interactions", json!({"interaction_type": "war"}), &["agent1_id", "agent2_id", "interaction_type"]).await;
    refuses("agents/a/chat", json!({"receiver_id": "b"}), &["message"]).await;
    refuses("agents/a/chat", json!({"receiver_id": "b", "message": ""}), &["message"]).await;
    refuses("agents/a/chat", json!({"receiver_id": "b", "message": "ü".repeat(1001)}), &["message"]).await;
    refuses("agents/a/chat", json!({"receiver_id": "a", "message": "m"}), &["receiver_id"]).await;
    good(Method::POST, "/api/ecs/agents/a/chat", &json!({"receiver_id": "b", "message": "ü".repeat(1000)}).to_string())
        .await;
    let (server, _) = inhabited();
    server.call(Method::POST, "/api/ecs/interactions", &[JSON], "{").await.problem(400, "malformed-json");
    server.call(Method::POST, "/api/ecs/interactions", &[], "{}").await.problem(415, "unsupported-media-type");
}
